#pragma once
#include "knnbert/text/dataset_columns.hpp"
#include "knnbert/text/dataset_evidence.hpp"

namespace knnbert::inline v0_1::detail {

/// What the first row of a table is. doubtful_names: probably a header; doubtful_example: probably none, yet its label
/// is alone among labels that repeat; open: nothing tells.
enum class FirstRow { names, doubtful_names, open, doubtful_example, example };

/// Judges the first row by what the others hold and by what its fields look like. Either column may be -1.
inline FirstRow judge_first_row(const std::vector<DelimitedRow>& rows, index_t text, index_t label) {
  const auto& first = rows.front().fields;
  if (!looks_like_names(first)) return FirstRow::example;
  const auto field = [&](const DelimitedRow& row, index_t column) {
    return column < 0 ? std::string_view() : trim(row.fields[static_cast<std::size_t>(column)]);
  };
  const auto own = field(rows.front(), label);
  if (label >= 0 && own.empty()) return FirstRow::example;
  const auto own_text = field(rows.front(), text);
  const auto own_stem = numbered_stem(own);
  for (std::size_t i = 1; i < rows.size(); ++i) {  // a name of a column is not among what it names
    if (label >= 0 && field(rows[i], label) == own) return FirstRow::example;
    if (!own_stem.empty() && numbered_stem(field(rows[i], label)) == own_stem) return FirstRow::example;
    if (text >= 0 && !own_text.empty() && field(rows[i], text) == own_text) return FirstRow::example;
  }
  if (names_columns(own_text, own)) return FirstRow::names;
  if (label < 0) return FirstRow::open;
  const auto labels = examine(rows, 1, label);
  if (labels.rows >= 2 && labels.is_numbers() && !is_number(own)) return FirstRow::names;
  if (!labels.repeats()) return FirstRow::open;
  if (labels.once > 0 || text < 0) return FirstRow::doubtful_example;
  const auto words = [](const ColumnEvidence& e) {
    return static_cast<double>(e.blanks + e.rows) / static_cast<double>(e.rows);
  };
  const auto own_words = static_cast<double>(1 + std::count(own_text.begin(), own_text.end(), ' '));
  const auto texts = examine(rows, 1, text);
  const bool shorter =
      own_words <= 3 && (2 * own_words <= words(texts) || 3 * std::ssize(own_text) * texts.rows <= texts.bytes);
  return shorter ? FirstRow::doubtful_names : FirstRow::doubtful_example;
}

}  // namespace knnbert::inline v0_1::detail
