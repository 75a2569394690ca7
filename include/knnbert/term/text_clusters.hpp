#pragma once
#include "knnbert/distributed/team.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/queue/k_means.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

/// A cluster for every training example, for labels of a clustered queue: cluster * classes + class, of the
/// data's classes. Without clusters labels stay as they are.
class TextClusters {
 public:
  /// K-means of the embeddings that the model gives now, normalized; processes divide the encoding.
  template <class Model, class Data>
  void find(const Model& model, const Data& data, index_t clusters, const Team& team) {
    constexpr index_t group = 256;
    const index_t most = std::numeric_limits<label_t>::max() / std::max<index_t>(1, data.classes());
    if (clusters > most) raise<OptionError>("TextClusters: {} clusters given, at most {} expected", clusters, most);
    Matrix rows(data.size(), model.width());
    const Range own = team.own_range(data.size());
    for (index_t first = own.begin; first < own.end; first += group) {
      const index_t count = std::min(group, own.end - first);
      model.embed(model.values(), data.tokens().slice(first, count), std::nullopt, View(rows).row_range(first, count));
    }
    gather_rows(team, rows);
    Cosine().prepare(rows);
    clusters_ = k_means(rows, clusters, Rng(model.seed(), Stream::clusters), model.workers()).of;
    classes_ = data.classes();
  }

  /// Class labels of examples become the queue's, and back.
  void encode(std::span<const index_t> examples, std::span<label_t> labels) const {
    if (clusters_.empty()) return;
    for (std::size_t i = 0; i < labels.size(); ++i)
      labels[i] = static_cast<label_t>(clusters_[as_size(examples[i])] * classes_ + labels[i]);
  }
  void decode(std::span<label_t> labels) const {
    if (clusters_.empty()) return;
    for (label_t& label : labels) label = static_cast<label_t>(label % classes_);
  }

  /// Errors: FormatError.
  template <class Archive>
  void archive(Archive& ar) {
    std::vector<std::int64_t> clusters(clusters_.begin(), clusters_.end()), classes{classes_};
    ar("clusters", clusters), ar("classes", classes);
    if (classes.size() != 1 || classes[0] < (clusters.empty() ? 0 : 1))
      raise<FormatError>("TextClusters::archive: damaged state");
    const std::int64_t most = std::numeric_limits<label_t>::max() / std::max<std::int64_t>(classes[0], 1);
    for (const auto c : clusters)
      if (c < 0 || c >= most) raise<FormatError>("TextClusters::archive: cluster {} stored, out of range", c);
    clusters_.assign(clusters.begin(), clusters.end());
    classes_ = classes[0];
  }

 private:
  std::vector<index_t> clusters_;  // of each example
  index_t classes_ = 0;
};

}  // namespace knnbert::inline v0_1
