#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/io/lines.hpp"

namespace knnbert::inline v0_1 {

/// A row of a delimited file.
struct DelimitedRow {
  index_t line = 0;  // of its first byte, from 1
  std::vector<std::string> fields;
};

namespace detail {

/// Refuses a number of columns that no honest file has; a hostile one would multiply its size in memory.
inline void require_room(const DelimitedRow& row, std::string_view name) {
  constexpr index_t most_columns = 65536;
  if (std::ssize(row.fields) == most_columns)
    raise<FormatError>("{}:{}: more than {} columns", name, row.line, most_columns);
}

}  // namespace detail

/// Rows of tab-separated text. Quotes have no meaning, a field cannot contain a tab (or another separator) or a line
/// break. Blank lines and byte-order marks at the start of lines are skipped. The text must outlive the reader.
class TsvReader {
 public:
  explicit TsvReader(std::string_view text, std::string_view name = "TSV", char separator = '\t')
      : lines_(text), name_(name), separator_(separator) {}

  /// False at the end.  Errors: FormatError.
  bool next(DelimitedRow& row) {
    std::string_view rest;
    do {
      if (!lines_.next()) return false;
      rest = without_mark(without_carriage_return(lines_.line()));
    } while (rest.empty());
    row.line = lines_.number();
    row.fields.clear();
    for (;;) {
      detail::require_room(row, name_);
      const auto tab = rest.find(separator_);
      row.fields.emplace_back(rest.substr(0, tab));
      if (tab == std::string_view::npos) return true;
      rest.remove_prefix(tab + 1);
    }
  }

 private:
  LineReader lines_;
  std::string name_;
  char separator_;
};

/// Rows of comma-separated text as of RFC 4180: a field in double quotes may contain commas, line breaks and, doubled,
/// quotes; blanks around such a field are no part of it. Lines end with LF or CRLF, blank lines and byte-order marks at
/// the start of rows are skipped, a quote inside an unquoted field is an ordinary character. The text must outlive the
/// reader.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text, std::string_view name = "CSV", char separator = ',')
      : text_(text), name_(name), separator_(separator) {}

  /// False at the end.  Errors: FormatError with the line.
  bool next(DelimitedRow& row) {
    do at_ = text_.size() - without_mark(text_.substr(at_)).size();
    while (at_ < text_.size() && skip_line_end());
    if (at_ == text_.size()) return false;
    row.line = line_;
    row.fields.clear();
    do {
      detail::require_room(row, name_);
      skip_blanks_to_quote();
      row.fields.push_back(peek() == '"' ? quoted_field() : plain_field());
    } while (skip_separator());
    return true;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\n'; }
  bool at_line_end() const {
    return peek() == '\n' || (peek() == '\r' && (at_ + 1 == text_.size() || text_[at_ + 1] == '\n'));
  }

  /// Steps over a line end, or over the end of the text.
  bool skip_line_end() {
    if (!at_line_end()) return false;
    at_ = std::min(text_.size(), at_ + (peek() == '\r' ? 2 : 1));
    ++line_;
    return true;
  }
  /// True behind a separator; false behind the line end that closes the row.
  bool skip_separator() {
    if (skip_line_end()) return false;
    if (peek() != separator_)
      raise<FormatError>("{}:{}: '{}' after a closing quote, a separator or the end of the line expected", name_, line_,
                         peek());
    ++at_;
    return true;
  }

  std::size_t behind_blanks(std::size_t at) const {
    while (at < text_.size() && text_[at] == ' ' && separator_ != ' ') ++at;
    return at;
  }
  /// Steps over blanks before a quote, if what it opens is a whole field.
  void skip_blanks_to_quote() {
    const auto quote = behind_blanks(at_);
    if (quote == at_ || quote == text_.size() || text_[quote] != '"') return;
    auto end = text_.find('"', quote + 1);
    while (end != text_.npos && text_.substr(end + 1).starts_with('"')) end = text_.find('"', end + 2);
    if (end == text_.npos) return;
    end = behind_blanks(end + 1);
    if (end == text_.size() || text_[end] == separator_ || text_[end] == '\n' || text_[end] == '\r') at_ = quote;
  }

  std::string plain_field() {
    const auto begin = at_;
    while (peek() != separator_ && !at_line_end()) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string quoted_field() {
    const auto first_line = line_;
    std::string field;
    for (++at_;; ++at_) {
      const auto quote = text_.find('"', at_);
      if (quote == std::string_view::npos)
        raise<FormatError>("{}:{}: a quoted field is never closed", name_, first_line);
      field += text_.substr(at_, quote - at_);
      line_ += std::count(text_.begin() + at_, text_.begin() + quote, '\n');
      at_ = quote + 1;
      if (peek() != '"') {
        at_ = behind_blanks(at_);
        return field;
      }
      field += '"';
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  index_t line_ = 1;
  std::string name_;
  char separator_;
};

}  // namespace knnbert::inline v0_1
