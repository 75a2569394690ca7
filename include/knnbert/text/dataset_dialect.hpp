#pragma once
#include "knnbert/io/delimited.hpp"
#include "knnbert/text/dataset_columns.hpp"
#include "knnbert/text/dataset_rows.hpp"

namespace knnbert::inline v0_1::detail {

/// How a table separates and quotes its fields.
struct Dialect {
  char separator;
  bool quoted;
};

/// Whether all of the first rows have the same number of columns, more than one.
inline bool separates(std::string_view text, char separator) {
  constexpr int enough = 200;
  DelimitedRow row;
  std::size_t columns = 0;
  try {
    CsvReader reader(text, "", separator);
    for (int i = 0; i < enough && reader.next(row); ++i) {
      if (i > 0 && row.fields.size() != columns) return false;
      columns = row.fields.size();
    }
  } catch (const FormatError&) { return false; }
  return columns > 1;
}

/// The separator of a CSV file: that under which the first row is a known header, else the first that gives all rows
/// the same number of columns. Excel writes semicolons where the comma is a decimal point.
inline char find_separator(std::string_view text, const DatasetOptions& options) {
  constexpr char candidates[] = {',', ';', '\t', '|'};
  constexpr std::string_view note = "sep=";  // for Excel
  if (text.starts_with(note) && text.size() > note.size() + 1 &&
      (text[note.size() + 1] == '\n' || text[note.size() + 1] == '\r'))
    return text[note.size()];
  for (const char candidate : candidates) try {
      DelimitedRow row;
      if (CsvReader(text, "", candidate).next(row) && row.fields.size() > 1 && is_known_header(row.fields, options))
        return candidate;
    } catch (const FormatError&) {  // another separator, or an error that will be found again
    }
  for (const char candidate : candidates)
    if (separates(text, candidate)) return candidate;
  return ',';
}

/// What the quotes of a tab-separated text look like.
struct QuoteEvidence {
  index_t quoted = 0;         // fields that begin with a quote, end with one and double those between
  index_t enclosed = 0;       // fields in quotes with others between, or after a backslash
  index_t lone = 0;           // other fields with quotes
  index_t commas = 0;         // quoted fields with a comma, which spreadsheets quote
  index_t bare_commas = 0;    // fields with a comma that are not quoted
  index_t doubled = 0;        // quoted fields with doubled quotes
  bool whole_columns = true;  // a column has quotes in all rows or in none
};

/// Of the lines as they are: fields that span lines or hold tabs are not seen.
inline QuoteEvidence examine_quotes(std::string_view text) {
  QuoteEvidence evidence;
  std::vector<bool> columns;
  DelimitedRow row;
  const auto is_quoted = [](std::string_view field) {
    return field.size() >= 2 && field.starts_with('"') && field.ends_with('"');
  };
  bool first = true;
  for (TsvReader reader(text); reader.next(row); first = false) {
    for (std::size_t c = 0; c < row.fields.size(); ++c) {
      const std::string& field = row.fields[c];
      const bool comma = field.find(',') != std::string::npos;
      bool proper = is_quoted(field), doubled = false;
      for (std::size_t i = 1; proper && i + 1 < field.size(); ++i)
        if (field[i] == '"') proper = doubled = i + 2 < field.size() && field[i + 1] == '"', ++i;
      if (proper) ++evidence.quoted, evidence.doubled += doubled, evidence.commas += comma;
      else if (is_quoted(field)) ++evidence.enclosed;
      else if (field.find('"') != std::string::npos) ++evidence.lone;
      if (!proper) evidence.bare_commas += comma;
      if (first) columns.push_back(proper);
      else if (c < columns.size() && columns[c] != proper) evidence.whole_columns = false;
    }
  }
  return evidence;
}

/// Whether every row has as many fields as the first; false also where the text breaks the format.
template <class Reader>
bool is_even(Reader reader) {
  DelimitedRow row;
  try {
    if (!reader.next(row)) return false;
    const auto columns = row.fields.size();
    while (reader.next(row))
      if (row.fields.size() != columns) return false;
  } catch (const FormatError&) { return false; }
  return true;
}

/// Whether quotes of a tab-separated text are to be taken off, as pandas and spreadsheets put them on: only where
/// nothing speaks against it, for in GLUE's files quotes are text. Doubtful cases leave a warning.
inline bool has_quoted_fields(std::string_view text, std::string_view name, RowCollector& out) {
  if (text.find('"') == std::string_view::npos) return false;
  if (!is_even(TsvReader(text))) return is_even(CsvReader(text, "", '\t'));  // only quotes make its lines rows
  const auto evidence = examine_quotes(text);
  const auto doubt = [&](index_t fields) {
    out.warn(format(
        "{}: the quotes around {} fields are kept as text; DatasetOptions::quotes (none or rfc4180) says what they are",
        name, fields));
    return false;
  };
  if (evidence.lone + evidence.enclosed > 0)
    return evidence.enclosed + evidence.quoted > 2 * evidence.lone && evidence.lone < 10
               ? doubt(evidence.enclosed + evidence.quoted)
               : false;
  if (evidence.doubled > 0 || evidence.whole_columns) return true;
  if (evidence.commas == evidence.quoted && evidence.bare_commas == 0) return true;
  return doubt(evidence.quoted);
}

inline Dialect find_dialect(std::string_view text, std::string_view name, bool csv, const DatasetOptions& options,
                            RowCollector& out) {
  const char separator = csv ? find_separator(text, options) : '\t';
  if (csv && separator != ',' && options.text_column.empty() && !text.starts_with("sep="))
    out.warn(
        format("{}: read with '{}' between columns, as its rows show; DatasetOptions::text_column and "
               "DatasetOptions::label_column say which is which if that is wrong",
               name, separator == '\t' ? std::string_view("\\t") : std::string_view(&separator, 1)));
  if (options.quotes != Quotes::automatic) return {separator, options.quotes == Quotes::rfc4180};
  return {separator, separator != '\t' || has_quoted_fields(text, name, out)};
}

}  // namespace knnbert::inline v0_1::detail
