#pragma once
#include "knnbert/text/dataset_json.hpp"
#include "knnbert/text/dataset_lines.hpp"
#include "knnbert/text/dataset_tables.hpp"

namespace knnbert::inline v0_1::detail {

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

/// Whether the first line of a text of unknown name begins an array of objects.
inline bool begins_array(std::string_view line) {
  return line == "[" || (line.starts_with('[') && trim(line.substr(1)).starts_with('{'));
}

/// Whether a text of unknown name begins with a header that separates its names by something else than tabs.
inline bool is_csv_with_header(std::string_view line, const DatasetOptions& options) {
  for (const char separator : {',', ';', '|'}) try {
      DelimitedRow row;
      if (CsvReader(line, "", separator).next(row) && row.fields.size() > 1 && is_known_header(row.fields, options))
        return true;
    } catch (const FormatError&) {  // not with this separator
    }
  return false;
}

/// The format of a text from the file's name and the first line; csv and tsv stand for all tables.  Errors:
/// FormatError.
inline Format detect_format(std::string_view text, std::string_view name, const DatasetOptions& options) {
  const auto extension = data_extension(name);
  const auto line = first_line(text);
  const bool is_table = extension == ".csv" || extension == ".tsv";
  if (extension == ".jsonl" || extension == ".ndjson") return Format::jsonl;
  if (const auto all = trim(line); extension == ".json" ? all.starts_with('[') : !is_table && begins_array(all))
    return Format::jsonl;
  if (extension == ".json" || (!is_table && line.starts_with('{'))) return detect_json(line);
  if (line.starts_with("__label__")) return Format::fasttext;
  if (extension == ".csv") return Format::csv;
  if (extension == ".tsv" || line.find('\t') != std::string_view::npos) return Format::tsv;
  if (is_integer(line.substr(0, line.find(' ')))) return Format::label_text;
  if (is_csv_with_header(line, options)) return Format::csv;
  if (!options.labels_required || line.empty()) return Format::tsv;
  raise<FormatError>("{}: neither name nor first line tell the format; set DatasetOptions::format", name);
}

/// Whether carriage returns alone end lines, as on old Macs: line feeds are then within quotes only.
inline bool has_old_line_ends(std::string_view text) {
  bool quoted = false, found = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == '\n' && (!quoted || (i > 0 && text[i - 1] == '\r'))) return false;
    found = found || text[i] == '\r';
  }
  return found && (!quoted || text.find('\n') == text.npos);
}

/// The rows of a decoded text.  Errors: FormatError with file and line.
inline LabeledRows read_rows(std::string_view text, std::string_view name, const DatasetOptions& options) {
  std::string lines;  // with line feeds in place of the carriage returns that ended lines on old Macs
  if (has_old_line_ends(text)) {
    lines = text;
    std::replace(lines.begin(), lines.end(), '\r', '\n');
    text = lines;
  }
  RowCollector out(text, name, options);
  const bool automatic = options.format == Format::automatic;
  const Format format = automatic ? detect_format(text, name, options) : options.format;
  if (format != Format::clinc && options.split != DatasetOptions().split)
    out.warn(knnbert::format("{}: no lists of CLINC, so that DatasetOptions::split does nothing", name));
  switch (format) {
    case Format::automatic:
    case Format::tsv:
    case Format::csv:
      read_table(text, name, format == Format::csv, automatic ? Format::automatic : format, options, out);
      break;
    case Format::ag_news: read_table(text, name, true, format, options, out); break;
    case Format::imdb: read_table(text, name, false, format, options, out); break;
    case Format::jsonl: read_jsonl(text, name, options, out); break;
    case Format::label_text:
      out.set_origin({"the words before the first blanks", automatic});
      read_label_text(text, out);
      break;
    case Format::clinc:
      out.set_source(knnbert::format("{}: {} entry ", name, options.split));
      read_clinc(text, name, options, out);
      break;
    case Format::fasttext: read_fasttext(text, options, out); break;
  }
  return out.take();
}

}  // namespace knnbert::inline v0_1::detail
