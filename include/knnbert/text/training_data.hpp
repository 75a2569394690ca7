#pragma once
#include <span>
#include <vector>

#include "knnbert/text/targets.hpp"

namespace knnbert::inline v0_1 {

/// Tokenized examples with their labels and, for each class, its examples: built once a run, read by every step.
class TrainingData {
 public:
  TrainingData() = default;
  /// values: what the outputs of a model should be for each class, [classes, C], if its loss asks for values.
  /// Errors: ShapeError unless there is a label in [0, classes) for every text.
  TrainingData(Batch tokens, std::vector<label_t> labels, index_t classes, Matrix values = {})
      : tokens_(std::move(tokens)), labels_(std::move(labels)), by_class_(static_cast<std::size_t>(classes)),
        values_(std::move(values)) {
    tokens_.require_whole("TrainingData");
    if (values_.rows() > 0 && values_.rows() != classes)
      raise<ShapeError>("TrainingData: values of {} classes given, {} expected", values_.rows(), classes);
    if (tokens_.size() != std::ssize(labels_))
      raise<ShapeError>("TrainingData: {} texts but {} labels", tokens_.size(), labels_.size());
    for (index_t i = 0; i < size(); ++i) {
      if (label(i) < 0 || label(i) >= classes)
        raise<ShapeError>("TrainingData: example {} has label {}, 0 to {} expected", i, label(i), classes - 1);
      by_class_[static_cast<std::size_t>(label(i))].push_back(i);
    }
  }

  index_t size() const { return std::ssize(labels_); }
  index_t classes() const { return std::ssize(by_class_); }
  const Batch& tokens() const { return tokens_; }
  label_t label(index_t example) const { return labels_[static_cast<std::size_t>(example)]; }
  std::span<const label_t> labels() const { return labels_; }
  std::span<const index_t> of_class(label_t label) const { return by_class_[static_cast<std::size_t>(label)]; }

  std::vector<label_t> labels_of(std::span<const index_t> examples) const {
    std::vector<label_t> found;
    labels_of(examples, found);
    return found;
  }
  /// The same, replacing what `found` held.
  void labels_of(std::span<const index_t> examples, std::vector<label_t>& found) const {
    found.clear();
    for (const index_t example : examples) found.push_back(label(example));
  }

  /// The texts and classes of some examples: the data source of classifiers.
  void assign(std::span<const index_t> examples, const StepClock&, Batch& batch, Targets& targets) const {
    batch.assign(tokens_, examples);
    labels_of(examples, targets.classes);
    targets.values.resize(values_.rows() == 0 ? 0 : std::ssize(examples), values_.cols());
    for (index_t i = 0; i < targets.values.rows(); ++i) {
      const auto row = std::as_const(values_).row(label(examples[static_cast<std::size_t>(i)]));
      std::copy(row.begin(), row.end(), targets.values.row(i).begin());
    }
  }

 private:
  Batch tokens_;
  std::vector<label_t> labels_;
  std::vector<std::vector<index_t>> by_class_;
  Matrix values_;
};

/// Draws the positives of queries from their class. A replacement needs the same two members.
struct SameClassSampler {
  bool exclude_self = false;  ///< leave the query itself out where its class has another example

  /// The order in which a queue is first filled.
  std::vector<index_t> order(const TrainingData& data, const Rng& rng) const { return rng.permutation(data.size()); }

  /// Appends `count` examples of the class of examples[query]: without replacement while the class suffices, the rest
  /// drawn again. pool: scratch.
  void draw(const TrainingData& data, std::span<const index_t> examples, index_t query, index_t count, const Rng& rng,
            std::vector<index_t>& pool, std::vector<index_t>& chosen) const {
    const index_t example = examples[static_cast<std::size_t>(query)];
    const auto all = data.of_class(data.label(example));
    pool.assign(all.begin(), all.end());
    if (exclude_self && pool.size() > 1) std::erase(pool, example);
    const auto below = [&](index_t i, index_t bound) { return rng.below(static_cast<std::uint64_t>(i), bound); };
    const index_t distinct = std::min(count, std::ssize(pool));
    for (index_t i = 0; i < distinct; ++i) {
      std::swap(pool[static_cast<std::size_t>(i)], pool[static_cast<std::size_t>(i + below(i, std::ssize(pool) - i))]);
      chosen.push_back(pool[static_cast<std::size_t>(i)]);
    }
    for (index_t i = distinct; i < count; ++i)
      chosen.push_back(pool[static_cast<std::size_t>(below(i, std::ssize(pool)))]);
  }
};

}  // namespace knnbert::inline v0_1
