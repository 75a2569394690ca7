#pragma once
#include <unordered_map>

#include "knnbert/io/delimited.hpp"
#include "knnbert/text/dataset_names.hpp"

namespace knnbert::inline v0_1::detail {

/// What the values of a column look like.
struct ColumnEvidence {
  index_t rows = 0, empty = 0, distinct = 0, once = 0;  // once: values that occur a single time
  index_t bytes = 0, blanks = 0;                        // blanks: between words
  index_t numbers = 0, successors = 0;                  // successors: numbers that are one more than the one before
  index_t one_word = 0, three_words = 0;                // values of one word, and of at least three

  bool is_empty() const { return 10 * empty > 9 * rows; }
  bool is_numbers() const { return empty < rows && numbers + empty == rows; }
  bool is_counter() const { return rows >= 2 && is_numbers() && successors == rows - 1; }
  /// Few values that come again and again, none of them long.
  bool repeats() const {
    return rows >= 4 && empty == 0 && distinct >= 2 && 2 * distinct <= rows && bytes <= 40 * rows;
  }
};

/// Of the rows from `first` on.
inline ColumnEvidence examine(const std::vector<DelimitedRow>& rows, std::size_t first, index_t column) {
  ColumnEvidence evidence;
  std::unordered_map<std::string_view, index_t> counts;
  double before = 0;
  for (std::size_t i = first; i < rows.size(); ++i) {
    const auto value = trim(rows[i].fields[static_cast<std::size_t>(column)]);
    const auto blanks = std::count(value.begin(), value.end(), ' ');
    ++evidence.rows, ++counts[value];
    evidence.empty += value.empty();
    evidence.bytes += std::ssize(value), evidence.blanks += blanks;
    evidence.one_word += !value.empty() && blanks == 0, evidence.three_words += blanks >= 2;
    if (!is_number(value)) continue;
    evidence.successors += i > first && evidence.numbers > 0 && number_of(value) == before + 1;
    ++evidence.numbers, before = number_of(value);
  }
  evidence.distinct = std::ssize(counts);
  for (const auto& [value, count] : counts) evidence.once += count == 1;
  return evidence;
}

/// Whether the rows from `first` on show that column a holds labels of texts in column b.
inline bool labels_texts(const ColumnEvidence& a, const ColumnEvidence& b) {
  if (b.is_numbers()) return false;
  return a.repeats() && (!b.repeats() || (2 * a.distinct <= b.distinct && a.bytes < b.bytes)) &&
         2 * a.bytes <= 3 * b.bytes;
}

/// The same where there are too few rows to repeat anything: single short words beside what are all sentences.
inline bool words_beside_sentences(const ColumnEvidence& a, const ColumnEvidence& b) {
  return a.rows > 0 && a.one_word == a.rows && b.three_words == b.rows && 3 * a.bytes <= 2 * b.bytes;
}

/// Text and label among columns of unknown names, if one of each is plain to see in the rows from `first` on: numbers
/// of rows and empty columns are neither.
inline Columns evident_columns(const std::vector<DelimitedRow>& rows, std::size_t first) {
  std::vector<ColumnEvidence> columns;
  std::vector<index_t> left;
  for (index_t c = 0; c < std::ssize(rows.front().fields); ++c) {
    columns.push_back(examine(rows, first, c));
    if (!columns.back().is_empty() && !columns.back().is_counter()) left.push_back(c);
  }
  if (left.size() != 2) return {};
  for (const auto& [text, label] : {std::pair(left[0], left[1]), std::pair(left[1], left[0])})
    if (labels_texts(columns[static_cast<std::size_t>(label)], columns[static_cast<std::size_t>(text)]))
      return {text, -1, label};
  return {};
}

}  // namespace knnbert::inline v0_1::detail
