#pragma once
#include "knnbert/text/dataset_dialect.hpp"
#include "knnbert/text/dataset_header.hpp"

namespace knnbert::inline v0_1::detail {

/// A TSV or CSV file in memory, and what its columns mean.
class Table {
 public:
  /// Errors: FormatError with the line, also for a row with another number of columns than the first.
  Table(std::string_view text, std::string_view name, bool csv, const DatasetOptions& options, RowCollector& out)
      : options_(options), out_(out), csv_(csv) {
    const Dialect dialect = find_dialect(text, name, csv, options, out);
    if (dialect.quoted) read(CsvReader(text, name, dialect.separator));
    else read(TsvReader(text, name, dialect.separator));
  }

  const std::vector<DelimitedRow>& rows() const { return rows_; }
  index_t columns() const { return rows_.empty() ? 0 : std::ssize(rows_.front().fields); }

  /// Hands over the examples.  Errors: FormatError with file and line.
  void add_examples() {
    if (rows_.empty()) return;
    const bool named = has_header();
    const auto where = format("{}{}", out_.source(), rows_.front().line);
    const auto names = named ? rows_.front().fields : std::vector<std::string>();
    const ColumnFinder finder(names, columns(), where, options_);
    add_columns(finder.find(named ? columns_under(names) : columns_without_names()), named);
  }

  /// The same with columns that a layout fixes; the text may be joined of two.
  void add_columns(const Columns& columns, bool named, index_t more_text = -1) {
    const bool asked = !options_.label_column.empty();
    out_.set_origin(
        {columns.label < 0 ? ""
         : named ? format("column '{}'", repair_utf8(rows_.front().fields[static_cast<std::size_t>(columns.label)]))
                 : format("column {}", columns.label + 1),
         !named && !asked});
    if (!named && options_.text_column.empty()) require_texts(columns.text);
    const auto take = [&](DelimitedRow& row, index_t column) {
      return column < 0 ? std::string() : row.fields[static_cast<std::size_t>(column)];
    };
    for (std::size_t i = named ? 1 : 0; i < rows_.size() && !out_.full(); ++i) {
      if (named && i > 0 && rows_[i].fields == rows_.front().fields) {
        out_.warn(format("{}{}: the names of the columns once more, skipped", out_.source(), rows_[i].line));
        continue;
      }
      auto text = take(rows_[i], columns.text);
      if (more_text >= 0) text += " " + take(rows_[i], more_text);
      out_.add(std::move(text), take(rows_[i], columns.pair), take(rows_[i], columns.label), rows_[i].line);
      rows_[i].fields.clear();
    }
  }

  /// Whether a layout's column of numbers begins with a name, unless the options say.
  bool has_names_over(index_t column) const {
    if (options_.header != Header::automatic) return options_.header == Header::present;
    return !rows_.empty() && !is_integer(trim(rows_.front().fields[static_cast<std::size_t>(column)]));
  }

 private:
  template <class Reader>
  void read(Reader reader) {
    constexpr index_t enough_to_judge = 1000;
    const index_t most =
        std::max(enough_to_judge, std::min(options_.limit, std::numeric_limits<index_t>::max() - 1) + 1);
    for (DelimitedRow row; std::ssize(rows_) < most && reader.next(row);) {
      if (rows_.empty() && row.fields.front() == "sep=") continue;
      const bool blank =
          std::all_of(row.fields.begin(), row.fields.end(), [](const auto& field) { return trim(field).empty(); });
      if (blank && (row.fields.size() > 1 || columns() > 1)) continue;
      if (!rows_.empty() && std::ssize(row.fields) != columns())
        raise<FormatError>("{}{}: {} columns given, {} expected", out_.source(), row.line, row.fields.size(),
                           columns());
      rows_.push_back(std::move(row));
    }
  }

  bool asks() const { return !(options_.text_column + options_.pair_column + options_.label_column).empty(); }
  const std::vector<std::string>& first() const { return rows_.front().fields; }

  bool has_header() {
    if (options_.header != Header::automatic) return options_.header == Header::present;
    if (is_known_header(first(), options_)) return true;
    if (columns() == 1) return false;
    const Columns likely = likely_columns();
    const bool usual = csv_ && !asks();  // CSV has a header unless the rows show that it has none
    const auto where = format("{}{}", out_.source(), rows_.front().line);
    switch (judge_first_row(rows_, likely.text, likely.label)) {
      case FirstRow::names: return true;
      case FirstRow::example: return false;
      case FirstRow::open: return usual;
      case FirstRow::doubtful_names:
        doubted_ = !usual;
        if (!usual)
          out_.warn(format(
              "{}: read as names of columns, not as an example; DatasetOptions::header absent reads it as one", where));
        return true;
      case FirstRow::doubtful_example:
        if (!usual)
          out_.warn(
              format("{}: read as an example, though its label occurs only here; DatasetOptions::header present reads "
                     "it as names of columns",
                     where));
        return usual;
    }
    return false;
  }

  /// Where text and label would be if the first row were a header, as far as that can be said.
  Columns likely_columns() const {
    Columns likely = named_columns(first());
    if (const auto evident = evident_columns(rows_, 1); likely.text < 0 || likely.label < 0) {
      if (likely.text < 0 && likely.label != evident.text) likely.text = evident.text;
      if (likely.label < 0 && likely.text != evident.label) likely.label = evident.label;
    }
    if (likely.text < 0 && likely.label < 0 && columns() <= 3) likely = {0, -1, columns() - 1};
    if (!options_.text_column.empty()) likely.text = find_asked({}, columns(), options_.text_column);
    if (!options_.label_column.empty()) likely.label = find_asked({}, columns(), options_.label_column);
    return likely;
  }

  Columns columns_under(const std::vector<std::string>& names) {
    Columns columns = named_columns(names);
    if (const auto other = other_text(names, columns, options_); !other.empty())
      out_.warn(format("{}{}: column {}", out_.source(), rows_.front().line, other));
    if (asks() || (columns.text >= 0 && columns.label >= 0) || !options_.labels_required) return columns;
    const Columns evident = evident_columns(rows_, 1);
    if (evident.text < 0 || (columns.text >= 0 && columns.text != evident.text) ||
        (columns.label >= 0 && columns.label != evident.label))
      return columns;
    const auto name = [&](index_t column) { return repair_utf8(names[static_cast<std::size_t>(column)]); };
    if (doubted_) return evident;  // it was said already that these are no sure names
    out_.warn(
        format("{}{}: by what they hold, column '{}' is read as text and '{}' as label; DatasetOptions::text_column "
               "and DatasetOptions::label_column name others",
               out_.source(), rows_.front().line, name(evident.text), name(evident.label)));
    return evident;
  }

  /// text | text, label or label, text | text, pair, label. In CSV only where two columns show which is which, or on
  /// demand.
  Columns columns_without_names() {
    const bool on_demand = !csv_ || options_.header == Header::absent;
    if (columns() == 2) return two_columns(on_demand);
    if (columns() == 1) return {0, -1, -1};
    if (columns() == 3 && on_demand) return {0, 1, 2};
    return {};
  }

  Columns two_columns(bool on_demand) {
    if (columns() == 2 && !asks()) {
      const auto a = examine(rows_, 0, 0), b = examine(rows_, 0, 1);
      if (labels_texts(b, a)) return {0, -1, 1};
      if (labels_texts(a, b)) return {1, -1, 0};
      if (on_demand && !options_.classes.empty()) return {0, -1, 1};
      if (on_demand && words_beside_sentences(a, b)) {
        out_.warn(format(
            "{}{}: column 1 is read as the label, column 2 as the text; DatasetOptions::label_column says otherwise",
            out_.source(), rows_.front().line));
        return {1, -1, 0};
      }
    }
    return on_demand ? Columns{0, -1, 1} : Columns{};
  }

  /// Columns without names are not what they are taken for where the texts are numbers.
  void require_texts(index_t column) const {
    if (std::ssize(rows_) < 2 || !examine(rows_, 0, column).is_numbers()) return;
    raise<FormatError>(
        "{}{}: {} columns without header, and the first text would be the number '{}'; name the columns "
        "(DatasetOptions::text_column, DatasetOptions::label_column)",
        out_.source(), rows_.front().line, columns(), rows_.front().fields[static_cast<std::size_t>(column)]);
  }

  const DatasetOptions& options_;
  RowCollector& out_;
  bool csv_, doubted_ = false;
  std::vector<DelimitedRow> rows_;
};

inline bool all_integers(const Table& table, index_t column) {
  return std::all_of(table.rows().begin(), table.rows().end(), [&](const DelimitedRow& row) {
    return is_integer(trim(row.fields[static_cast<std::size_t>(column)]));
  });
}

/// Whether a table is class, title, description: few small numbers and two texts. Numbers of rows are none of that.
inline bool is_ag_news(const Table& table) {
  constexpr double most_classes = 20;
  if (table.columns() != 3 || !all_integers(table, 0)) return false;
  const auto number = examine(table.rows(), 0, 0), title = examine(table.rows(), 0, 1),
             description = examine(table.rows(), 0, 2);
  const bool small = std::all_of(table.rows().begin(), table.rows().end(), [&](const DelimitedRow& row) {
    const double c = number_of(trim(row.fields[0]));
    return c >= 0 && c <= most_classes;
  });
  if (!small || description.repeats() || words_beside_sentences(description, title)) return false;
  return !number.is_counter() || (description.three_words == description.rows && description.bytes > title.bytes);
}

/// Whether a table is label, id, rating, text.
inline bool is_imdb(const Table& table) {
  if (table.columns() != 4) return false;
  for (const index_t column : {0, 1, 2})
    if (!all_integers(table, column)) return false;
  return !all_integers(table, 3) && (table.rows().size() < 3 || !examine(table.rows(), 0, 0).is_counter());
}

/// Whether a table is that of CoLA: source, 0 or 1, a star or nothing, sentence.
inline bool is_cola(const Table& table) {
  return table.columns() == 4 && !table.rows().empty() &&
         std::all_of(table.rows().begin(), table.rows().end(), [](const DelimitedRow& row) {
           const auto label = trim(row.fields[1]), mark = trim(row.fields[2]);
           return (label == "0" || label == "1") && (mark.empty() || mark == "*") && !is_number(trim(row.fields[3]));
         });
}

inline void require_columns(const Table& table, index_t count, std::string_view expected, std::string_view source) {
  if (!table.rows().empty() && table.columns() != count)
    raise<FormatError>("{}{}: {} columns given, {} expected", source, table.rows().front().line, table.columns(),
                       expected);
}

/// A table of the given format, or for `automatic` of the layouts that have no header.
inline void read_table(std::string_view text, std::string_view name, bool csv, Format format,
                       const DatasetOptions& options, RowCollector& out) {
  Table table(text, name, csv, options, out);
  const bool open = format == Format::automatic && options.header == Header::automatic &&
                    (options.text_column + options.pair_column + options.label_column).empty();
  if (format == Format::ag_news || (open && csv && is_ag_news(table))) {
    require_columns(table, 3, "class, title, description", out.source());
    table.add_columns({1, -1, 0}, table.has_names_over(0), 2);
  } else if (format == Format::imdb || (open && !csv && is_imdb(table))) {
    require_columns(table, 4, "label, id, rating, text", out.source());
    table.add_columns({3, -1, 0}, table.has_names_over(0));
  } else if (open && !csv && is_cola(table)) {
    table.add_columns({3, -1, 1}, false);
  } else {
    table.add_examples();
  }
}

}  // namespace knnbert::inline v0_1::detail
