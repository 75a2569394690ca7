#pragma once
#include "knnbert/text/dataset_options.hpp"

namespace knnbert::detail {

/// An example as a file states it.
struct LabeledRow {
  std::string text, pair, label;  // an empty label is a missing one
  index_t place = 0;              // line, or entry of a CLINC list, from 1
};

/// All rows of a file, with the words that lead to a row's place in messages.
struct LabeledRows {
  std::string source;
  std::vector<LabeledRow> rows;
};

inline std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

/// Collects rows and checks what all formats have in common.
class RowCollector {
 public:
  RowCollector(std::string_view name, const DatasetOptions& options) : options_(options) {
    rows_.source = format("{}:", name);
  }

  bool full() const { return std::ssize(rows_.rows) >= options_.limit; }

  void add(std::string text, std::string pair, std::string_view label, index_t place) {
    const auto name = trim(label);
    if (name.empty() && options_.labels_required) raise<FormatError>("{}{}: the label is missing", rows_.source, place);
    rows_.rows.push_back({std::move(text), std::move(pair), std::string(name), place});
  }

  const std::string& source() const { return rows_.source; }
  void set_source(std::string source) { rows_.source = std::move(source); }
  LabeledRows take() { return std::move(rows_); }

 private:
  const DatasetOptions& options_;
  LabeledRows rows_;
};

}  // namespace knnbert::detail
