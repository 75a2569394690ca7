#pragma once
#include "knnbert/io/delimited.hpp"
#include "knnbert/text/dataset_columns.hpp"
#include "knnbert/text/dataset_rows.hpp"

namespace knnbert::detail {

/// Adds the example of a row.
inline void add_fields(const DelimitedRow& row, const Columns& columns, index_t expected, RowCollector& out) {
  if (std::ssize(row.fields) != expected)
    raise<FormatError>("{}{}: {} columns given, {} expected", out.source(), row.line, row.fields.size(), expected);
  const auto field = [&](index_t column) {
    return column < 0 ? std::string() : row.fields[static_cast<std::size_t>(column)];
  };
  out.add(field(columns.text), field(columns.pair), field(columns.label), row.line);
}

/// TSV or CSV, with or without header.
template <class Reader>
void read_table(Reader reader, const DatasetOptions& options, RowCollector& out) {
  DelimitedRow row;
  if (!reader.next(row)) return;
  const bool named =
      options.header == Header::present || (options.header == Header::automatic && is_header(row.fields, options));
  const auto names = named ? row.fields : std::vector<std::string>();
  const auto count = std::ssize(row.fields);
  const auto columns = ColumnFinder(names, count, format("{}{}", out.source(), row.line), options).find();
  if (named && !reader.next(row)) return;
  do {
    if (out.full()) return;
    add_fields(row, columns, count, out);
  } while (reader.next(row));
}

/// CSV without header is read only on demand: nothing in it tells which column is what.
inline void read_csv(std::string_view text, std::string_view name, const DatasetOptions& options, RowCollector& out) {
  DatasetOptions csv = options;
  if (csv.header == Header::automatic && column_number(options.text_column) <= 0) csv.header = Header::present;
  read_table(CsvReader(text, name), csv, out);
}

inline void read_ag_news(std::string_view text, std::string_view name, RowCollector& out) {
  DelimitedRow row;
  for (CsvReader reader(text, name); !out.full() && reader.next(row);) {
    if (row.fields.size() != 3)
      raise<FormatError>("{}{}: {} columns given, class, title, description expected", out.source(), row.line,
                         row.fields.size());
    out.add(row.fields[1] + " " + row.fields[2], {}, row.fields[0], row.line);
  }
}

inline void read_imdb(std::string_view text, std::string_view name, RowCollector& out) {
  DelimitedRow row;
  for (TsvReader reader(text, name); !out.full() && reader.next(row);) add_fields(row, {3, -1, 0}, 4, out);
}

}  // namespace knnbert::detail
