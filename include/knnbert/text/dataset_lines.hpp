#pragma once
#include "knnbert/text/dataset_rows.hpp"

namespace knnbert::inline v0_1::detail {

inline void read_label_text(std::string_view text, RowCollector& out) {
  for (LineReader reader(text); !out.full() && reader.next();) {
    const auto line = without_carriage_return(reader.line());
    if (trim(line).empty()) continue;
    const auto blank = std::min(line.find_first_of(" \t"), line.size());
    const auto rest = line.substr(std::min(blank + 1, line.size()));
    out.add(std::string(rest), {}, line.substr(0, blank), reader.number());
  }
}

inline void read_fasttext(std::string_view text, const DatasetOptions& options, RowCollector& out) {
  constexpr std::string_view prefix = "__label__";
  for (LineReader reader(text); !out.full() && reader.next();) {
    auto line = trim(reader.line());
    if (line.empty()) continue;
    std::string_view label;
    if (line.starts_with(prefix)) {
      const auto end = std::min(line.find_first_of(" \t"), line.size());
      label = line.substr(prefix.size(), end - prefix.size());
      line = trim(line.substr(end));
    } else if (options.labels_required) {
      raise<FormatError>("{}{}: {}name expected at the start of the line", out.source(), reader.number(), prefix);
    }
    if (line.starts_with(prefix))
      raise<FormatError>("{}{}: several labels given, one expected", out.source(), reader.number());
    out.add(std::string(line), {}, label, reader.number());
  }
}

}  // namespace knnbert::inline v0_1::detail
