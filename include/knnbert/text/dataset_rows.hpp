#pragma once
#include <unordered_set>

#include "knnbert/text/dataset_labels.hpp"
#include "knnbert/text/dataset_options.hpp"

namespace knnbert::inline v0_1::detail {

/// An example as a file states it.
struct LabeledRow {
  std::string text, pair, label;  // an empty label is a missing one
  index_t place = 0;              // line, or entry of a CLINC list, from 1
};

/// All rows of a file, with the words that lead to a row's place in messages.
struct LabeledRows {
  std::string source;
  std::vector<LabeledRow> rows;
  std::vector<std::string> warnings;
};

/// Where the labels of a file were found.
struct LabelOrigin {
  std::string column = "the labels";  // for messages
  bool guessed = false;               // neither a name nor the user says that they are labels
};

/// Collects rows and checks what all formats have in common.
class RowCollector {
 public:
  RowCollector(std::string_view text, std::string_view name, const DatasetOptions& options)
      : options_(options), valid_(find_invalid_utf8(text) < 0) {
    rows_.source = format("{}:", name);
  }

  bool full() const { return std::ssize(rows_.rows) >= options_.limit; }

  /// Errors: FormatError for a missing label and for one with malformed UTF-8 or NUL.
  void add(std::string text, std::string pair, std::string_view label, index_t place) {
    if (!valid_) repair(text, pair, label, place);
    if (is_missing_label(label)) {
      if (options_.labels_required) fail_missing(place);
      label = {};
    }
    if (label.find('\0') != label.npos)
      raise<FormatError>("{}{}: a label with the character NUL given, text expected", rows_.source, place);
    rows_.rows.push_back({std::move(text), std::move(pair), std::string(trim(label)), place});
  }

  void warn(std::string text) { rows_.warnings.push_back(std::move(text)); }
  void set_origin(LabelOrigin origin) { origin_ = std::move(origin); }
  const std::string& source() const { return rows_.source; }
  void set_source(std::string source) { rows_.source = std::move(source); }

  /// Errors: FormatError for labels that cannot be what the file means.
  LabeledRows take() {
    if (malformed_ > 0)
      warn(
          format("{}{}: malformed UTF-8, read as U+FFFD, in {} of {} texts, here first; DatasetOptions::encoding reads "
                 "other encodings",
                 rows_.source, first_malformed_, malformed_, rows_.rows.size()));
    warn_of_empty_texts();
    if (options_.label_kind == LabelKind::number) require_numbers();
    if (options_.label_kind == LabelKind::name) find_missing_numbers(), judge_labels();
    return std::move(rows_);
  }

 private:
  [[noreturn]] void fail_missing(index_t place) const {
    raise<FormatError>("{}{}: the label is missing", rows_.source, place);
  }

  /// Rows without a second text where others have one, and labeled ones without any text.
  void warn_of_empty_texts() {
    const auto say = [&](std::string_view what, auto is_such) {
      const auto all = std::ssize(rows_.rows), count = std::count_if(rows_.rows.begin(), rows_.rows.end(), is_such);
      if (count == 0 || count == all) return;
      const auto first = std::find_if(rows_.rows.begin(), rows_.rows.end(), is_such);
      warn(format("{}{}: {} in {} of {} examples, here first", rows_.source, first->place, what, count, all));
    };
    say("no second text", [](const LabeledRow& row) { return trim(row.pair).empty(); });
    say("an empty text", [](const LabeledRow& row) { return trim(row.text).empty() && !row.label.empty(); });
  }

  void require_numbers() const {
    for (const auto& row : rows_.rows)
      if (!row.label.empty() && !number_in(row.label))
        raise<FormatError>("{}{}: label '{}' given, a number of at most 1e30 expected", rows_.source, row.place,
                           row.label);
  }

  void repair(std::string& text, std::string& pair, std::string_view label, index_t place) {
    if (find_invalid_utf8(label) >= 0)
      raise<FormatError>("{}{}: malformed UTF-8 in the label '{}'; DatasetOptions::encoding reads other encodings",
                         rows_.source, place, repair_utf8(label));
    if (find_invalid_utf8(text) < 0 && find_invalid_utf8(pair) < 0) return;
    if (malformed_++ == 0) first_malformed_ = place;
    text = repair_utf8(text), pair = repair_utf8(pair);
  }

  /// Beside numbers alone, "None" and its like are no class.
  void find_missing_numbers() {
    index_t numbers = 0, missing = 0;
    for (const auto& row : rows_.rows)
      numbers += is_number(row.label), missing += row.label.empty() || is_missing_number(row.label);
    if (numbers == 0 || numbers + missing != std::ssize(rows_.rows)) return;
    for (auto& row : rows_.rows) {
      if (!is_missing_number(row.label)) continue;
      if (options_.labels_required) fail_missing(row.place);
      row.label.clear();
    }
  }

  /// A column of numbers of rows, or of texts, makes a class of every row.
  void judge_labels() {
    constexpr index_t many = 20;
    if (std::ssize(rows_.rows) < many || !options_.classes.empty()) return;
    std::unordered_set<std::string_view> classes;
    index_t labeled = 0, blanks = 0, successors = 0;
    for (std::size_t i = 0; i < rows_.rows.size(); ++i) {
      const std::string& label = rows_.rows[i].label;
      if (label.empty()) continue;
      ++labeled;
      classes.insert(label);
      blanks += std::count(label.begin(), label.end(), ' ');
      successors += i > 0 && is_number(label) && number_of(label) == number_of(rows_.rows[i - 1].label) + 1;
    }
    if (labeled < many || 10 * std::ssize(classes) <= 9 * labeled) return;
    const bool is_text = blanks >= 4 * labeled, is_counter = 10 * successors > 9 * labeled;
    const auto what = format(
        "{} by {}, {} of {} examples {} a class of their own{}; if that is not meant, DatasetOptions::label_column "
        "names the column of the labels, "
        "and DatasetOptions::header says whether the first row names columns",
        rows_.source, origin_.column, classes.size(), labeled, origin_.guessed ? "would have" : "have",
        is_counter ? ": it numbers the rows"
        : is_text  ? ": it holds texts"
                   : "");
    if (origin_.guessed && (is_text || is_counter)) raise<FormatError>("{}", what);
    warn(what);
  }

  const DatasetOptions& options_;
  LabeledRows rows_;
  LabelOrigin origin_;
  bool valid_;
  index_t malformed_ = 0, first_malformed_ = 0;
};

}  // namespace knnbert::inline v0_1::detail
