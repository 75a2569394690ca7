#pragma once
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "knnbert/config.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/text/dataset.hpp"
#include "knnbert/text/dataset_classes.hpp"
#include "knnbert/text/dataset_detect.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Positions of class names; a label that is none of them may be another spelling of one, such as 1.0 of 1.
class ClassPositions {
 public:
  explicit ClassPositions(const std::vector<std::string>& classes) {
    for (const auto& name : classes) {
      if (find_invalid_utf8(name) >= 0) raise<OptionError>("Dataset: class '{}' is no UTF-8", repair_utf8(name));
      if (!positions_.emplace(name, static_cast<label_t>(positions_.size())).second)
        raise<OptionError>("Dataset: class '{}' is listed twice", name);
    }
    for (const auto& name : classes) spellings_.emplace(canonical_label(name), positions_.at(name));
  }

  std::optional<label_t> find(const std::string& label) const {
    if (const auto same = positions_.find(label); same != positions_.end()) return same->second;
    const auto other = spellings_.find(canonical_label(label));
    return other == spellings_.end() ? std::nullopt : std::optional(other->second);
  }
  std::size_t size() const { return positions_.size(); }

 private:
  std::unordered_map<std::string, label_t> positions_, spellings_;
};

inline std::vector<std::string> sorted_classes(const std::vector<LabeledRow>& rows) {
  std::unordered_set<std::string_view> names;
  for (const auto& row : rows)
    if (!row.label.empty()) names.insert(row.label);
  std::vector<std::string> classes(names.begin(), names.end());
  sort_classes(classes);
  return classes;
}

/// The examples for which keep(i) is true.
template <class Keep>
Dataset filtered(const Dataset& data, Keep keep) {
  std::vector<index_t> kept;
  for (index_t i = 0; i < data.size(); ++i)
    if (keep(i)) kept.push_back(i);
  return data.select(kept);
}

inline std::size_t label_bucket(const Dataset& data, index_t i) { return static_cast<std::size_t>(data.label(i) + 1); }

/// Of each class (unlabeled examples are one as well) as many examples as quota(class) says, picked at random.
template <class Quota>
std::vector<bool> pick_examples(const Dataset& data, const Rng& rng, Quota quota) {
  std::vector<index_t> left(data.classes().size() + 1);
  for (std::size_t c = 0; c < left.size(); ++c) left[c] = quota(c);
  std::vector<bool> picked(data.labels().size());
  for (const index_t i : rng.permutation(data.size()))
    picked[static_cast<std::size_t>(i)] = left[label_bucket(data, i)]-- > 0;
  return picked;
}

}  // namespace detail

KNNBERT_INLINE Dataset::Dataset(std::vector<Example> examples, std::vector<std::string> classes)
    : classes_(std::move(classes)) {
  (void)detail::ClassPositions(classes_);
  for (auto& example : examples) {
    if (example.label < no_label || example.label >= std::ssize(classes_))
      raise<ShapeError>("Dataset: example {} has label {}, less than {} expected", size(), example.label,
                        classes_.size());
    push_back(std::move(example), size());
  }
}

KNNBERT_INLINE Dataset Dataset::read(const std::filesystem::path& path, const DatasetOptions& options) {
  const ReadOptions reading{options.encoding, options.strict_utf8, options.max_bytes, options.decompress};
  return parse(read_text(path, reading), input_name(path), options);
}

KNNBERT_INLINE Dataset Dataset::parse(std::string_view text, std::string_view name, const DatasetOptions& options) {
  auto [source, rows, warnings] = detail::read_rows(text, name, options);
  if (rows.empty() && options.labels_required) raise<FormatError>("{}: no examples", name);
  if (options.classes.empty())
    for (auto& row : rows)
      if (!row.label.empty()) row.label = canonical_label(row.label, options.label_kind, options.label_separator);
  Dataset data;
  data.source_ = std::move(source), data.warnings_ = std::move(warnings);
  data.classes_ = options.classes.empty() ? detail::sorted_classes(rows) : options.classes;
  if (options.classes.empty()) detail::warn_of_classes(data.source_, rows, data.classes_, options, data.warnings_);
  const detail::ClassPositions positions(data.classes_);
  for (auto& row : rows) {
    const auto found = positions.find(row.label);
    if (!found && !row.label.empty())
      raise<FormatError>("{}{}: class '{}' is not among the {} given", data.source_, row.place, row.label,
                         positions.size());
    const label_t label = row.label.empty() ? no_label : *found;
    data.push_back({std::move(row.text), std::move(row.pair), label}, row.place);
  }
  return data;
}

KNNBERT_INLINE std::vector<std::string> doubtful_spellings(const std::vector<std::string>& names,
                                                           const std::vector<std::string>& known) {
  return detail::spelling_doubts(names, known);
}

KNNBERT_INLINE void Dataset::push_back(Example example, index_t place) {
  has_pairs_ |= !example.pair.empty();
  texts_.push_back(std::move(example.text));
  pairs_.push_back(std::move(example.pair));
  labels_.push_back(example.label);
  places_.push_back(place);
}

KNNBERT_INLINE std::string Dataset::location(index_t i) const {
  return format("{}{}", source_, places_[static_cast<std::size_t>(i)]);
}

KNNBERT_INLINE std::vector<index_t> Dataset::class_counts() const {
  std::vector<index_t> counts(classes_.size());
  for (const label_t label : labels_)
    if (label != no_label) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

KNNBERT_INLINE Dataset Dataset::select(std::span<const index_t> examples) const {
  Dataset chosen;
  chosen.source_ = source_;
  chosen.classes_ = classes_;
  for (const index_t i : examples) {
    if (i < 0 || i >= size()) raise<ShapeError>("Dataset::select: example {} given, less than {} expected", i, size());
    chosen.push_back(example(i), places_[static_cast<std::size_t>(i)]);
  }
  return chosen;
}

KNNBERT_INLINE Dataset Dataset::with_classes(std::vector<std::string> classes, std::string_view whose) const {
  const detail::ClassPositions positions(classes);
  Dataset changed = *this;
  for (index_t i = 0; i < size(); ++i) {
    if (label(i) == no_label) continue;
    const auto& name = classes_[static_cast<std::size_t>(label(i))];
    const auto found = positions.find(name);
    if (!found)
      raise<FormatError>(
          "{}: class '{}' is not among {}", location(i), name,
          whose.empty() ? format("the {} given", classes.size()) : format("{} {}", whose, classes.size()));
    changed.labels_[static_cast<std::size_t>(i)] = *found;
  }
  changed.classes_ = std::move(classes);
  return changed;
}

KNNBERT_INLINE Dataset Dataset::renamed(std::vector<std::string> names) const {
  if (names.size() != classes_.size())
    raise<ShapeError>("Dataset::renamed: {} names given for {} classes", names.size(), classes_.size());
  (void)detail::ClassPositions(names);
  Dataset changed = *this;
  changed.classes_ = std::move(names);
  return changed;
}

KNNBERT_INLINE std::pair<Dataset, Dataset> Dataset::split(double fraction, std::uint64_t seed) const {
  if (!(fraction >= 0 && fraction <= 1)) raise<OptionError>("Dataset::split: {} given, 0 to 1 expected", fraction);
  std::vector<index_t> until(classes_.size() + 2);  // until[c]: examples in the buckets before c
  for (index_t i = 0; i < size(); ++i) ++until[detail::label_bucket(*this, i) + 1];
  std::partial_sum(until.begin(), until.end(), until.begin());
  const auto wanted = [&](std::size_t c) { return std::llround(fraction * static_cast<double>(until[c])); };
  const Rng rng(seed, Stream::split);
  const auto first = detail::pick_examples(*this, rng, [&](std::size_t c) { return wanted(c + 1) - wanted(c); });
  return {detail::filtered(*this, [&](index_t i) { return first[static_cast<std::size_t>(i)]; }),
          detail::filtered(*this, [&](index_t i) { return !first[static_cast<std::size_t>(i)]; })};
}

KNNBERT_INLINE Dataset Dataset::few_shot(index_t per_class, std::uint64_t seed) const {
  if (per_class < 0) raise<OptionError>("Dataset::few_shot: {} examples given, at least 0 expected", per_class);
  const Rng rng(seed, Stream::sample);
  const auto picked = detail::pick_examples(*this, rng, [&](std::size_t c) { return c == 0 ? 0 : per_class; });
  return detail::filtered(*this, [&](index_t i) { return picked[static_cast<std::size_t>(i)]; });
}

KNNBERT_INLINE Dataset Dataset::drop_duplicates_of(const Dataset& other) const {
  const auto key = [](const Dataset& data, index_t i) {
    return std::to_string(data.text(i).size()) + ':' + data.text(i) + data.pair(i);
  };
  std::unordered_set<std::string> seen;
  for (index_t i = 0; i < other.size(); ++i) seen.insert(key(other, i));
  return detail::filtered(*this, [&](index_t i) { return !seen.contains(key(*this, i)); });
}

}  // namespace knnbert::inline v0_1
