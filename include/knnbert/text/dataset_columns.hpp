#pragma once
#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>

#include "knnbert/text/dataset_options.hpp"

namespace knnbert::detail {

/// Positions of what an example needs among named columns; -1 if absent.
struct Columns {
  index_t text = -1, pair = -1, label = -1;
};

inline std::string lower_ascii(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
  return text;
}

/// Position of a name, -1 if absent.
inline index_t find_column(const std::vector<std::string>& columns, std::string_view name) {
  const auto found = std::find(columns.begin(), columns.end(), name);
  return found == columns.end() ? -1 : found - columns.begin();
}

/// Position of the first usual name that occurs, regardless of case.
inline index_t find_usual(const std::vector<std::string>& columns, std::initializer_list<std::string_view> usual) {
  std::vector<std::string> lower;
  for (const auto& column : columns) lower.push_back(lower_ascii(column));
  for (const auto name : usual)
    if (const auto at = find_column(lower, name); at >= 0) return at;
  return -1;
}

/// Columns under names that public data sets use.
inline Columns usual_columns(const std::vector<std::string>& names) {
  constexpr std::pair<std::string_view, std::string_view> pairs[] = {
      {"sentence1", "sentence2"}, {"#1 string", "#2 string"}, {"question1", "question2"}, {"question", "sentence"},
      {"premise", "hypothesis"},  {"text_a", "text_b"},       {"text1", "text2"},
  };
  Columns columns;
  columns.label = find_usual(names, {"label", "gold_label", "labels", "category", "intent", "class", "sentiment",
                                     "quality", "is_duplicate", "topic", "tag", "target"});
  for (const auto& [first, second] : pairs) {
    columns.text = find_usual(names, {first});
    columns.pair = find_usual(names, {second});
    if (columns.text >= 0 && columns.pair >= 0) return columns;
  }
  columns.pair = -1;
  columns.text = find_usual(names, {"sentence", "text", "review", "content", "question", "utterance", "query",
                                    "comment", "tweet", "message", "document", "title"});
  return columns;
}

/// The number that the text consists of, 0 if it is none.
inline index_t column_number(std::string_view digits) {
  index_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return end.ec == std::errc{} && end.ptr == digits.data() + digits.size() ? value : 0;
}

/// True if the first row of a file consists of names rather than of an example.
inline bool is_header(const std::vector<std::string>& row, const DatasetOptions& options) {
  for (const auto* asked : {&options.text_column, &options.pair_column, &options.label_column})
    if (!asked->empty() && column_number(*asked) == 0 && find_column(row, *asked) >= 0) return true;
  const auto usual = usual_columns(row);
  if (usual.text < 0) return false;
  if (usual.label >= 0) return true;
  const bool numbered = find_usual(row, {"index", "id", "idx"}) >= 0;
  return !options.labels_required && (numbered || std::ssize(row) == (usual.pair < 0 ? 1 : 2));
}

/// The columns that the options ask for, usual names where they do not ask. `names` is the header, or empty for
/// `count` columns without one.  Errors: FormatError with file and line.
class ColumnFinder {
 public:
  ColumnFinder(const std::vector<std::string>& names, index_t count, std::string_view place,
               const DatasetOptions& options)
      : names_(names), count_(count), place_(place), options_(options) {}

  Columns find() const {
    const Columns usual = names_.empty() ? default_positions() : usual_columns(names_);
    Columns columns;
    columns.text = options_.text_column.empty() ? usual.text : asked(options_.text_column);
    columns.label = options_.label_column.empty() ? usual.label : asked(options_.label_column);
    if (!options_.pair_column.empty())
      columns.pair = asked(options_.pair_column);
    else if (options_.text_column.empty())
      columns.pair = usual.pair;
    if (columns.text < 0) fail("text");
    if (columns.label < 0 && options_.labels_required) fail("label");
    return columns;
  }

 private:
  /// text | text, label | text, pair, label
  Columns default_positions() const {
    if (count_ == 1) return {0, -1, -1};
    if (count_ == 2) return {0, -1, 1};
    if (count_ == 3) return {0, 1, 2};
    return {};
  }

  index_t asked(const std::string& column) const {
    auto position = find_column(names_, column);
    if (position < 0) position = column_number(column) - 1;
    if (position < 0 || position >= count_)
      raise<FormatError>("{}: no column '{}' among {}", place_, column, listing());
    return position;
  }

  [[noreturn]] void fail(std::string_view role) const {
    raise<FormatError>("{}: no {} column known among {}; name it (DatasetOptions::{}_column)", place_, role, listing(),
                       role);
  }

  std::string listing() const {
    if (names_.empty()) return format("{} columns without header", count_);
    std::string list;
    for (const auto& name : names_) list += (list.empty() ? "'" : ", '") + name.substr(0, 40) + "'";
    return list.substr(0, 400);
  }

  const std::vector<std::string>& names_;
  index_t count_;
  std::string_view place_;
  const DatasetOptions& options_;
};

}  // namespace knnbert::detail
