#pragma once
#include <unordered_map>

#include "knnbert/text/dataset_rows.hpp"
#include "knnbert/text/normalizer_sequence.hpp"

namespace knnbert::inline v0_1::detail {

/// A name without what nobody sees or types the same way: case, kinds and numbers of blanks, forms of characters.
inline std::string plain_form(const NormalizerSequence& form, const std::string& name) {
  std::string plain;
  const std::string folded = form.normalize(name);
  for (std::size_t at = unicode::space_after(folded, 0); at < folded.size();) {
    const auto next = unicode::space_after(folded, at);
    if (next > at && next < folded.size()) plain += ' ';
    if (next == at) plain += folded[at];
    at = std::max(at + 1, next);
  }
  return plain;
}

/// A line for each name that is most likely another spelling of a known name, or of one before it.
inline std::vector<std::string> spelling_doubts(const std::vector<std::string>& names,
                                                const std::vector<std::string>& known) {
  const NormalizerSequence form({{.kind = NormalizationStep::nfkc}, {.kind = NormalizationStep::lowercase}});
  std::unordered_map<std::string, std::string_view> seen;
  for (const auto& name : known) seen.emplace(plain_form(form, name), name);
  std::vector<std::string> doubts;
  for (const auto& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (const auto [other, is_new] = seen.emplace(plain_form(form, name), name); !is_new)
      doubts.push_back(
          format("classes '{}' and '{}' differ in case, blanks or forms of characters alone", other->second, name));
  }
  return doubts;
}

/// Warns of classes that are most likely spellings of one, and of sets that are most likely separated otherwise.
inline void warn_of_classes(std::string_view source, const std::vector<LabeledRow>& rows,
                            const std::vector<std::string>& classes, const DatasetOptions& options,
                            std::vector<std::string>& warnings) {
  if (options.label_kind == LabelKind::number) return;
  for (const auto& doubt : spelling_doubts(classes, {})) warnings.push_back(format("{} {}", source, doubt));
  if (options.label_kind != LabelKind::set) return;
  const auto having = [&](std::string_view separator) {
    return std::count_if(rows.begin(), rows.end(),
                         [&](const auto& r) { return r.label.find(separator) != r.label.npos; });
  };
  if (having(options.label_separator) > 0) return;
  for (const std::string_view other : {",", ";", "|"})
    if (const auto count = having(other); count > 0)
      return warnings.push_back(
          format("{} no label has '{}', {} of {} have '{}': each is one class; "
                 "DatasetOptions::label_separator names what separates them",
                 source, options.label_separator, count, rows.size(), other));
}

}  // namespace knnbert::inline v0_1::detail
