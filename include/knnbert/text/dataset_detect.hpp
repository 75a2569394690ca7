#pragma once
#include "knnbert/text/dataset_json.hpp"
#include "knnbert/text/dataset_lines.hpp"
#include "knnbert/text/dataset_tables.hpp"

namespace knnbert::detail {

inline bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// A file's extension in lower case without those of compression.
inline std::string data_extension(std::string_view name) {
  std::filesystem::path path{lower_ascii(std::string(name))};
  if (path.extension() == ".gz" || path.extension() == ".zip") path = path.stem();
  return path.extension().string();
}

inline std::string_view first_line(std::string_view text) {
  LineReader reader(text);
  while (reader.next())
    if (!trim(reader.line()).empty()) return reader.line();
  return {};
}

/// jsonl if the line is a whole object with a value that is no list, else clinc.
inline Format detect_json(std::string_view line) {
  if (!Json::accept(line)) return Format::clinc;
  const Json object = Json::parse(line);
  return std::any_of(object.begin(), object.end(), [](const Json& value) { return !value.is_array(); }) ? Format::jsonl
                                                                                                        : Format::clinc;
}

/// ag_news if the first row is an integer and two texts, else csv.
inline Format detect_csv(std::string_view text, std::string_view name) {
  DelimitedRow row;
  const bool news = CsvReader(text, name).next(row) && row.fields.size() == 3 && is_integer(row.fields[0]);
  return news ? Format::ag_news : Format::csv;
}

/// imdb if the first row is three integers and a text, else tsv.
inline Format detect_tsv(std::string_view text, std::string_view name) {
  DelimitedRow row;
  const bool imdb = TsvReader(text, name).next(row) && row.fields.size() == 4 &&
                    std::all_of(row.fields.begin(), row.fields.begin() + 3, is_integer) && !is_integer(row.fields[3]);
  return imdb ? Format::imdb : Format::tsv;
}

/// The format of a text from the file's name and the first line.  Errors: FormatError.
inline Format detect_format(std::string_view text, std::string_view name, const DatasetOptions& options) {
  const auto extension = data_extension(name);
  const auto line = first_line(text);
  const bool asked = !(options.text_column + options.label_column).empty() || options.header == Header::present;
  if (extension == ".jsonl" || extension == ".ndjson") return Format::jsonl;
  if (extension == ".json" || (extension != ".csv" && extension != ".tsv" && line.starts_with('{')))
    return detect_json(line);
  if (line.starts_with("__label__")) return Format::fasttext;
  if (extension == ".csv") return asked ? Format::csv : detect_csv(text, name);
  if (extension == ".tsv" || line.find('\t') != std::string_view::npos)
    return asked ? Format::tsv : detect_tsv(text, name);
  if (is_integer(line.substr(0, line.find(' ')))) return Format::label_text;
  if (DelimitedRow row; CsvReader(line, name).next(row) && row.fields.size() > 1 && is_header(row.fields, options))
    return Format::csv;
  if (!options.labels_required || line.empty()) return Format::tsv;
  raise<FormatError>("{}: neither name nor first line tell the format; set DatasetOptions::format", name);
}

/// The rows of a decoded text.  Errors: FormatError with file and line.
inline LabeledRows read_rows(std::string_view text, std::string_view name, const DatasetOptions& options) {
  RowCollector out(name, options);
  switch (options.format == Format::automatic ? detect_format(text, name, options) : options.format) {
    case Format::automatic:
    case Format::tsv: read_table(TsvReader(text, name), options, out); break;
    case Format::csv: read_csv(text, name, options, out); break;
    case Format::jsonl: read_jsonl(text, name, options, out); break;
    case Format::label_text: read_label_text(text, out); break;
    case Format::clinc:
      out.set_source(format("{}: {} entry ", name, options.split));
      read_clinc(text, name, options, out);
      break;
    case Format::fasttext: read_fasttext(text, options, out); break;
    case Format::ag_news: read_ag_news(text, name, out); break;
    case Format::imdb: read_imdb(text, name, out); break;
  }
  return out.take();
}

}  // namespace knnbert::detail
