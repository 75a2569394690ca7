#pragma once
#include "knnbert/text/dataset_names.hpp"

namespace knnbert::inline v0_1::detail {

/// The number that the text consists of, 0 if it is none.
inline index_t column_number(std::string_view digits) {
  index_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return end.ec == std::errc{} && end.ptr == digits.data() + digits.size() ? value : 0;
}

/// Finds a column as a user names it: exactly, else regardless of case and blanks, else by its number from 1; -1 if
/// there is none, -2 if there are several.
inline index_t find_asked(const std::vector<std::string>& names, index_t count, const std::string& asked) {
  for (const bool exact : {true, false}) {
    index_t found = -1;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (exact ? names[i] == asked : plain_name(names[i]) == plain_name(asked))
        found = found == -1 ? static_cast<index_t>(i) : -2;
    if (found != -1) return found;
  }
  const index_t number = column_number(asked);
  return number >= 1 && number <= count ? number - 1 : -1;
}

/// Whether the first row has a column that the options name, or usual names for all that is needed.
inline bool is_known_header(const std::vector<std::string>& row, const DatasetOptions& options) {
  for (const auto* asked : {&options.text_column, &options.pair_column, &options.label_column})
    if (!asked->empty() && column_number(*asked) == 0 && find_asked(row, std::ssize(row), *asked) != -1) return true;
  const auto usual = usual_columns(row);
  if (usual.text < 0) return false;
  if (usual.label >= 0) return true;
  const bool numbered = find_usual(row, {"index", "id", "idx"}) >= 0;
  return !options.labels_required && (numbered || std::ssize(row) == (usual.pair < 0 ? 1 : 2));
}

/// What to warn of where another column could be the text by its name and the options name none; empty if there is
/// none.
inline std::string other_text(const std::vector<std::string>& names, const Columns& columns,
                              const DatasetOptions& options) {
  const bool asks = !(options.text_column + options.pair_column + options.label_column).empty();
  if (asks || columns.text < 0 || columns.pair >= 0) return {};
  const auto name = [&](index_t i) { return repair_utf8(names[static_cast<std::size_t>(i)]); };
  for (index_t i = 0; i < std::ssize(names); ++i) {
    const auto words = words_of(names[static_cast<std::size_t>(i)]);  // "label_text" spells a label
    if (i != columns.text && role_of(names[static_cast<std::size_t>(i)]) == Role::text &&
        std::none_of(words.begin(), words.end(), [](const auto& word) { return role_of(word) == Role::label; }))
      return format("'{}' is read as text, '{}' is not; DatasetOptions::text_column names another", name(columns.text),
                    name(i));
  }
  return {};
}

/// The columns that the options ask for, and others where they do not ask. `names` is the header, or empty for `count`
/// columns without one.  Errors: FormatError with file and line; OptionError where one column is to be two things.
class ColumnFinder {
 public:
  ColumnFinder(const std::vector<std::string>& names, index_t count, std::string_view where,
               const DatasetOptions& options)
      : names_(names), count_(count), where_(where), options_(options) {}

  /// `known`: the columns where nothing is asked.
  Columns find(const Columns& known) const {
    Columns columns;
    columns.text = options_.text_column.empty() ? known.text : asked(options_.text_column);
    columns.label = options_.label_column.empty() ? known.label : asked(options_.label_column);
    if (!options_.pair_column.empty()) columns.pair = asked(options_.pair_column);
    else if (options_.text_column.empty() && columns.label != known.pair) columns.pair = known.pair;
    make_different(columns);
    require_different(columns);
    require_once(columns);
    if (columns.text < 0) fail("text");
    if (columns.label < 0 && options_.labels_required) fail("label");
    return columns;
  }

  [[noreturn]] void fail(std::string_view role) const {
    if (names_.empty() && count_ > 1)
      raise<FormatError>(
          "{}: no {} column known among {}; name them (DatasetOptions::text_column, "
          "DatasetOptions::label_column), or say whether this row is a header (DatasetOptions::header)",
          where_, role, listing());
    raise<FormatError>("{}: no {} column known among {}; name it (DatasetOptions::{}_column)", where_, role, listing(),
                       role);
  }

 private:
  index_t asked(const std::string& column) const {
    const auto position = find_asked(names_, count_, column);
    if (position == -2)
      raise<FormatError>("{}: several columns '{}' among {}; give its number", where_, column, listing());
    if (position < 0) raise<FormatError>("{}: no column '{}' among {}", where_, column, listing());
    return position;
  }

  /// What was asked for is not the other one as well: of two columns, the other is.
  void make_different(Columns& columns) const {
    if (columns.text != columns.label || columns.text < 0) return;
    const index_t other = count_ == 2 ? 1 - columns.text : -1;
    if (options_.text_column.empty()) columns.text = other;
    else if (options_.label_column.empty()) columns.label = other;
  }

  /// One column cannot be two things.
  void require_different(const Columns& columns) const {
    const auto check = [&](index_t a, index_t b, std::string_view role, std::string_view other) {
      if (a >= 0 && a == b)
        raise<OptionError>(
            "{}: DatasetOptions::{}_column: the column of DatasetOptions::{}_column given, another one expected",
            where_, role, other);
    };
    check(columns.label, columns.text, "label", "text"), check(columns.label, columns.pair, "label", "pair");
    check(columns.pair, columns.text, "pair", "text");
  }

  /// A name that occurs twice does not tell which column is meant.
  void require_once(const Columns& columns) const {
    const auto check = [&](index_t column, const std::string& asked) {
      if (column < 0 || names_.empty() || !asked.empty()) return;
      const auto& name = names_[static_cast<std::size_t>(column)];
      if (std::count(names_.begin(), names_.end(), name) > 1)
        raise<FormatError>("{}: several columns '{}' among {}; give its number", where_, name, listing());
    };
    check(columns.text, options_.text_column), check(columns.label, options_.label_column);
  }

  std::string listing() const {
    if (names_.empty()) return format("{} column{} without header", count_, count_ == 1 ? "" : "s");
    std::string list;
    for (const auto& name : names_)
      list += (list.empty() ? "'" : ", '") + repair_utf8(first_characters(name, 40)) + "'";
    return std::string(first_characters(list, 400));
  }

  const std::vector<std::string>& names_;
  index_t count_;
  std::string_view where_;
  const DatasetOptions& options_;
};

}  // namespace knnbert::inline v0_1::detail
