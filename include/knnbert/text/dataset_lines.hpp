#pragma once
#include "knnbert/text/dataset_rows.hpp"

namespace knnbert::inline v0_1::detail {

inline void read_label_text(std::string_view text, RowCollector& out) {
  for (LineReader reader(text); !out.full() && reader.next();) {
    const auto line = without_carriage_return(reader.line());
    if (trim(line).empty()) continue;
    const auto blank = std::min(line.find_first_of(" \t"), line.size());
    const auto rest = line.substr(std::min(blank + 1, line.size()));
    out.add(std::string(rest), {}, line.substr(0, blank), reader.number());
  }
}

/// Labels stand in front of the text, several of them where they are sets.
inline void read_fasttext(std::string_view text, const DatasetOptions& options, RowCollector& out) {
  constexpr std::string_view prefix = "__label__";
  const bool sets = options.label_kind == LabelKind::set;
  for (LineReader reader(text); !out.full() && reader.next();) {
    auto line = trim(reader.line());
    if (line.empty()) continue;
    std::string label;
    index_t count = 0;
    for (; line.starts_with(prefix) && (sets || count == 0); ++count) {
      const auto end = std::min(line.find_first_of(" \t"), line.size());
      const auto name = line.substr(prefix.size(), end - prefix.size());
      if (sets && name.find(options.label_separator) != name.npos)
        raise<FormatError>("{}{}: '{}' given, a name without the separator '{}' expected", out.source(),
                           reader.number(), name, options.label_separator);
      if (count > 0) label += options.label_separator;
      label += name;
      line = trim(line.substr(end));
    }
    if (count == 0 && options.labels_required)
      raise<FormatError>("{}{}: {}name expected at the start of the line", out.source(), reader.number(), prefix);
    if (line.starts_with(prefix))
      raise<FormatError>("{}{}: several labels given, one expected unless labels are sets (multi-label)", out.source(),
                         reader.number());
    out.add(std::string(line), {}, label, reader.number());
  }
}

}  // namespace knnbert::inline v0_1::detail
