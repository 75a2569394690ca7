#pragma once
#include <cmath>
#include <numeric>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "knnbert/core/rng.hpp"
#include "knnbert/text/dataset_detect.hpp"

namespace knnbert {

/// The label of an example whose class is not known.
inline constexpr label_t no_label = -1;

struct Example {
  std::string text;
  std::string pair = {};  ///< second text, empty if there is none
  label_t label = no_label;
};

/// Labeled texts. Classes are named; labels are positions in classes(). Class names that are all numbers are sorted as
/// numbers, others by their bytes, unless an order is given. Labels of files have no blanks at their ends, 1.0 is read
/// as 1 and True as true; texts may be empty.  Thread safety: const access.
class Dataset {
 public:
  Dataset() = default;

  /// Errors: OptionError for repeated class names and for such that are no UTF-8; ShapeError for a label outside them.
  Dataset(std::vector<Example> examples, std::vector<std::string> classes);

  /// Reads a file, or standard input for "-".  Errors: IoError; FormatError with file and line; OptionError.
  static Dataset read(const std::filesystem::path& path, const DatasetOptions& options = {}) {
    const ReadOptions reading{options.encoding, options.strict_utf8, options.max_bytes, options.decompress};
    return parse(read_text(path, reading), input_name(path), options);
  }

  /// Reads decoded text. `name` appears in messages; its extension tells the format.  Errors: as read.
  static Dataset parse(std::string_view text, std::string_view name, const DatasetOptions& options = {});

  index_t size() const { return std::ssize(labels_); }
  const std::string& text(index_t i) const { return texts_[static_cast<std::size_t>(i)]; }
  const std::string& pair(index_t i) const { return pairs_[static_cast<std::size_t>(i)]; }
  label_t label(index_t i) const { return labels_[static_cast<std::size_t>(i)]; }
  Example example(index_t i) const { return {text(i), pair(i), label(i)}; }
  std::span<const std::string> texts() const { return texts_; }
  std::span<const std::string> pairs() const { return pairs_; }  ///< empty strings where there is no second text
  std::span<const label_t> labels() const { return labels_; }
  const std::vector<std::string>& classes() const { return classes_; }
  bool has_pairs() const { return has_pairs_; }
  /// What is doubtful about how a file was read, one line each, with the file, the line and the option that settles it.
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// Where example i was read, such as "train.tsv:17".
  std::string location(index_t i) const { return format("{}{}", source_, places_[static_cast<std::size_t>(i)]); }

  /// Number of examples of each class.
  std::vector<index_t> class_counts() const;

  /// The chosen examples in the given order, with the same classes.
  Dataset select(std::span<const index_t> examples) const;

  /// The same examples with labels as positions in another list of classes.  Errors: FormatError that names the file
  /// and line of an example whose class is not in the list; OptionError for repeated names.
  Dataset with_classes(std::vector<std::string> classes) const;

  /// The same examples; class i is called names[i].  Errors: ShapeError; OptionError for repeated names.
  Dataset renamed(std::vector<std::string> names) const;

  /// Two parts in the order of the file. The first has round(fraction * size()) examples and, within one example, that
  /// fraction of each class.  Errors: OptionError unless fraction is in [0, 1].
  std::pair<Dataset, Dataset> split(double fraction, std::uint64_t seed) const;

  /// per_class random examples of each class, all where there are fewer, in the order of the file.
  Dataset few_shot(index_t per_class, std::uint64_t seed) const;

  /// The examples whose text and pair do not occur, byte for byte, in `other`.
  Dataset drop_duplicates_of(const Dataset& other) const;

 private:
  /// Positions of class names; a label that is none of them may be another spelling of one, such as 1.0 of 1.
  class Positions {
   public:
    explicit Positions(const std::vector<std::string>& classes) {
      for (const auto& name : classes) {
        if (find_invalid_utf8(name) >= 0) raise<OptionError>("Dataset: class '{}' is no UTF-8", repair_utf8(name));
        if (!positions_.emplace(name, static_cast<label_t>(positions_.size())).second)
          raise<OptionError>("Dataset: class '{}' is listed twice", name);
      }
      for (const auto& name : classes) spellings_.emplace(detail::canonical_label(name), positions_.at(name));
    }

    std::optional<label_t> find(const std::string& label) const {
      if (const auto same = positions_.find(label); same != positions_.end()) return same->second;
      const auto other = spellings_.find(detail::canonical_label(label));
      return other == spellings_.end() ? std::nullopt : std::optional(other->second);
    }
    std::size_t size() const { return positions_.size(); }

   private:
    std::unordered_map<std::string, label_t> positions_, spellings_;
  };

  static std::vector<std::string> sorted_classes(const std::vector<detail::LabeledRow>& rows);

  void push_back(Example example, index_t place) {
    has_pairs_ |= !example.pair.empty();
    texts_.push_back(std::move(example.text));
    pairs_.push_back(std::move(example.pair));
    labels_.push_back(example.label);
    places_.push_back(place);
  }

  /// The examples for which keep(i) is true.
  template <class Keep>
  Dataset filtered(Keep keep) const {
    std::vector<index_t> kept;
    for (index_t i = 0; i < size(); ++i)
      if (keep(i)) kept.push_back(i);
    return select(kept);
  }

  /// Of each class (unlabeled examples are one as well) as many examples as quota(class) says, picked at random.
  template <class Quota>
  std::vector<bool> pick(const Rng& rng, Quota quota) const {
    std::vector<index_t> left(classes_.size() + 1);
    for (std::size_t c = 0; c < left.size(); ++c) left[c] = quota(c);
    std::vector<bool> picked(labels_.size());
    for (const index_t i : rng.permutation(size())) picked[static_cast<std::size_t>(i)] = left[bucket(i)]-- > 0;
    return picked;
  }
  std::size_t bucket(index_t i) const { return static_cast<std::size_t>(label(i) + 1); }

  std::string source_ = "example ";
  std::vector<std::string> warnings_;
  std::vector<std::string> texts_, pairs_, classes_;
  std::vector<label_t> labels_;
  std::vector<index_t> places_;
  bool has_pairs_ = false;
};

inline Dataset::Dataset(std::vector<Example> examples, std::vector<std::string> classes)
    : classes_(std::move(classes)) {
  (void)Positions(classes_);
  for (auto& example : examples) {
    if (example.label < no_label || example.label >= std::ssize(classes_))
      raise<ShapeError>("Dataset: example {} has label {}, less than {} expected", size(), example.label,
                        classes_.size());
    push_back(std::move(example), size());
  }
}

inline Dataset Dataset::parse(std::string_view text, std::string_view name, const DatasetOptions& options) {
  auto [source, rows, warnings] = detail::read_rows(text, name, options);
  if (rows.empty() && options.labels_required) raise<FormatError>("{}: no examples", name);
  if (options.classes.empty())
    for (auto& row : rows) row.label = detail::canonical_label(row.label);
  Dataset data;
  data.source_ = std::move(source), data.warnings_ = std::move(warnings);
  data.classes_ = options.classes.empty() ? sorted_classes(rows) : options.classes;
  const Positions positions(data.classes_);
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

inline std::vector<std::string> Dataset::sorted_classes(const std::vector<detail::LabeledRow>& rows) {
  std::unordered_set<std::string_view> names;
  for (const auto& row : rows)
    if (!row.label.empty()) names.insert(row.label);
  std::vector<std::string> classes(names.begin(), names.end());
  detail::sort_classes(classes);
  return classes;
}

inline std::vector<index_t> Dataset::class_counts() const {
  std::vector<index_t> counts(classes_.size());
  for (const label_t label : labels_)
    if (label != no_label) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

inline Dataset Dataset::select(std::span<const index_t> examples) const {
  Dataset chosen;
  chosen.source_ = source_;
  chosen.classes_ = classes_;
  for (const index_t i : examples) {
    if (i < 0 || i >= size()) raise<ShapeError>("Dataset::select: example {} given, less than {} expected", i, size());
    chosen.push_back(example(i), places_[static_cast<std::size_t>(i)]);
  }
  return chosen;
}

inline Dataset Dataset::with_classes(std::vector<std::string> classes) const {
  const Positions positions(classes);
  Dataset changed = *this;
  for (index_t i = 0; i < size(); ++i) {
    if (label(i) == no_label) continue;
    const auto& name = classes_[static_cast<std::size_t>(label(i))];
    const auto found = positions.find(name);
    if (!found) raise<FormatError>("{}: class '{}' is not among the {} given", location(i), name, classes.size());
    changed.labels_[static_cast<std::size_t>(i)] = *found;
  }
  changed.classes_ = std::move(classes);
  return changed;
}

inline Dataset Dataset::renamed(std::vector<std::string> names) const {
  if (names.size() != classes_.size())
    raise<ShapeError>("Dataset::renamed: {} names given for {} classes", names.size(), classes_.size());
  (void)Positions(names);
  Dataset changed = *this;
  changed.classes_ = std::move(names);
  return changed;
}

inline std::pair<Dataset, Dataset> Dataset::split(double fraction, std::uint64_t seed) const {
  if (!(fraction >= 0 && fraction <= 1)) raise<OptionError>("Dataset::split: {} given, 0 to 1 expected", fraction);
  std::vector<index_t> until(classes_.size() + 2);  // until[c]: examples in the buckets before c
  for (index_t i = 0; i < size(); ++i) ++until[bucket(i) + 1];
  std::partial_sum(until.begin(), until.end(), until.begin());
  const auto share = [&](std::size_t c) { return std::llround(fraction * static_cast<double>(until[c])); };
  const auto first = pick(Rng(seed, Stream::split), [&](std::size_t c) { return share(c + 1) - share(c); });
  return {filtered([&](index_t i) { return first[static_cast<std::size_t>(i)]; }),
          filtered([&](index_t i) { return !first[static_cast<std::size_t>(i)]; })};
}

inline Dataset Dataset::few_shot(index_t per_class, std::uint64_t seed) const {
  if (per_class < 0) raise<OptionError>("Dataset::few_shot: {} examples given, at least 0 expected", per_class);
  const auto picked = pick(Rng(seed, Stream::sample), [&](std::size_t c) { return c == 0 ? 0 : per_class; });
  return filtered([&](index_t i) { return picked[static_cast<std::size_t>(i)]; });
}

inline Dataset Dataset::drop_duplicates_of(const Dataset& other) const {
  const auto key = [](const Dataset& data, index_t i) { return data.text(i) + '\0' + data.pair(i); };
  std::unordered_set<std::string> seen;
  for (index_t i = 0; i < other.size(); ++i) seen.insert(key(other, i));
  return filtered([&](index_t i) { return !seen.contains(key(*this, i)); });
}

}  // namespace knnbert
