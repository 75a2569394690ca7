#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knnbert/text/dataset_options.hpp"

namespace knnbert::inline v0_1 {

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
  static Dataset read(const std::filesystem::path& path, const DatasetOptions& options = {});

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
  std::string location(index_t i) const;

  /// Number of examples of each class.
  std::vector<index_t> class_counts() const;

  /// The chosen examples in the given order, with the same classes.
  [[nodiscard]] Dataset select(std::span<const index_t> examples) const;

  /// The same examples with labels as positions in another list of classes.  Errors: FormatError that names the file
  /// and line of an example whose class is not in the list; OptionError for repeated names. whose: who has that
  /// list, in messages: "the model's".
  [[nodiscard]] Dataset with_classes(std::vector<std::string> classes, std::string_view whose = {}) const;

  /// The same examples; class i is called names[i].  Errors: ShapeError; OptionError for repeated names.
  [[nodiscard]] Dataset renamed(std::vector<std::string> names) const;

  /// Two parts in the order of the file. The first has round(fraction * size()) examples and, within one example, that
  /// fraction of each class.  Errors: OptionError unless fraction is in [0, 1].
  std::pair<Dataset, Dataset> split(double fraction, std::uint64_t seed) const;

  /// per_class random examples of each class, all where there are fewer, in the order of the file.
  [[nodiscard]] Dataset few_shot(index_t per_class, std::uint64_t seed) const;

  /// The examples whose text and pair do not occur, byte for byte, in `other`.
  [[nodiscard]] Dataset drop_duplicates_of(const Dataset& other) const;

 private:
  void push_back(Example example, index_t place);

  std::string source_ = "example ";
  std::vector<std::string> warnings_;
  std::vector<std::string> texts_, pairs_, classes_;
  std::vector<label_t> labels_;
  std::vector<index_t> places_;
  bool has_pairs_ = false;
};

/// A line for each name that is most likely another spelling of a known name, or of one before it.
std::vector<std::string> doubtful_spellings(const std::vector<std::string>& names,
                                            const std::vector<std::string>& known = {});

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/dataset_impl.hpp"
#endif
