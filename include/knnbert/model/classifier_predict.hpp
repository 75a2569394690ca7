#pragma once
#include "knnbert/loss/binary_cross_entropy.hpp"
#include "knnbert/model/classifier.hpp"

/// From texts to predictions: what Classifier declares.
namespace knnbert::inline v0_1 {

template <class Stack>
Batch Classifier<Stack>::tokenize(std::span<const std::string> texts, std::span<const std::string> pairs) const {
  if (!pairs.empty() && pairs.size() != texts.size())
    raise<ShapeError>("Classifier::tokenize: {} texts but {} second texts", texts.size(), pairs.size());
  Batch batch;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (pairs.empty() || pairs[i].empty()) tokenizer_.append(texts[i], batch, options().max_length);
    else tokenizer_.append(texts[i], pairs[i], batch, options().max_length);
  }
  return batch;
}

template <class Stack>
TrainingData Classifier<Stack>::tokenize(const Dataset& data) const {
  Batch tokens = tokenize(data.texts(), data.pairs());
  std::vector<label_t> labels(data.labels().begin(), data.labels().end());
  if (single_label()) return {std::move(tokens), std::move(labels), network_.classes()};
  Matrix values = TargetTable(task_.task, task_.separator, task_.outputs, data.classes()).rows();
  if (task_.task == Task::regression)
    for (index_t t = 0; t < values.rows(); ++t) values(t, 0) = (values(t, 0) - task_.mean) / task_.scale;
  return {std::move(tokens), std::move(labels), std::ssize(data.classes()), std::move(values)};
}

template <class Stack>
index_t Classifier<Stack>::embed_groups(const Batch& texts, ProgressListener* listener, View embeddings) const {
  std::vector<index_t> group;
  for (index_t first = 0; first < texts.size(); first += std::ssize(group)) {
    if (listener && listener->stop_requested()) return first;
    group.clear();
    for (index_t i = first; i < std::min(texts.size(), first + texts_per_group); ++i) group.push_back(i);
    network_.embed(network_.values(), texts.select(group), std::nullopt,
                   embeddings.row_range(first, std::ssize(group)));
    if (listener) listener->progress(first + std::ssize(group), texts.size());
  }
  return texts.size();
}

template <class Stack>
Matrix Classifier<Stack>::embed(const Batch& texts, ProgressListener* listener) const {
  Matrix all(texts.size(), network_.width());
  if (const index_t done = embed_groups(texts, listener, all); done < texts.size())
    raise<CancelledError>("Classifier::embed: stopped after {} of {} texts", done, texts.size());
  require_finite_embeddings("Classifier::embed", all);
  return all;
}

template <class Stack>
Matrix Classifier<Stack>::features(const Batch& texts, const Team& team, ProgressListener* listener) const {
  const Range own = team.share(texts.size());
  const Batch own_texts = texts.slice(own.begin, own.end - own.begin);
  Matrix embedding(own_texts.size(), network_.width());
  const index_t done = embed_groups(own_texts, listener, embedding);
  if (team.any(done < own_texts.size()))
    raise<CancelledError>("Classifier::features: stopped after {} of {} texts", done, own_texts.size());
  require_finite_embeddings("Classifier::embed", embedding);
  Matrix features(texts.size(), network_.feature_width());
  network_.features_of(embedding, View(features).row_range(own.begin, embedding.rows()));
  gather_rows(team, features);
  return features;
}

/// A class that was added after training is unknown to the head: there the head follows the neighbors, and what it says
/// of the others is scaled to the rest. Without such classes this is the fusion alone. A head that was never trained
/// says nothing.
template <class Stack>
void Classifier<Stack>::combine(std::span<const float> head, std::span<const float> knn,
                                std::span<float> combined) const {
  if (!head_trained_) return fusion_(knn, knn, combined);
  const auto known = static_cast<std::size_t>(network_.classes());
  double unknown = 0;
  for (std::size_t c = known; c < knn.size() && single_label(); ++c) unknown += knn[c];
  std::vector<float> extended(head.begin(), head.end());
  for (std::size_t c = 0; c < known; ++c) extended[c] *= static_cast<float>(1 - unknown);
  for (std::size_t c = known; c < knn.size(); ++c) extended[c] = knn[c];
  fusion_(extended, knn, combined);
}

template <class Stack>
void Classifier<Stack>::answer(std::span<const float> logits, std::span<float> out) const {
  if (single_label()) return softmax(logits, out);
  for (std::size_t c = 0; c < logits.size(); ++c)
    out[c] = task_.task == Task::regression ? task_.mean + task_.scale * logits[c] : sigmoid(logits[c]);
}

template <class Stack>
Matrix Classifier<Stack>::head_distributions(const Batch& texts) const {
  const Matrix embedding = embed(texts);
  Matrix all(texts.size(), network_.classes());
  network_.logits_of(embedding, all);
  for (index_t i = 0; i < all.rows(); ++i) answer(std::as_const(all).row(i), all.row(i));
  return all;
}

template <class Stack>
template <class Store>
NeighborLists Classifier<Stack>::nearest(const Store& store, ConstView features) const {
  if constexpr (requires { store.search(features, neighbors_, AcceptAll{}, network_.workers()); })
    return store.search(features, neighbors_, AcceptAll{}, network_.workers());
  else return store.search(features, neighbors_);
}

template <class Stack>
template <class Store>
NeighborLists Classifier<Stack>::decide(const Store& store, const ClassNames::List& names, ConstView embedding,
                                        index_t first, Distributions& out) const {
  Matrix logits(embedding.rows(), network_.classes()), features(embedding.rows(), network_.feature_width());
  network_.logits_of(embedding, logits);
  network_.features_of(embedding, features);
  auto neighbors = nearest(store, features);
  const auto table = single_label() ? nullptr : table_.of(names, task_);
  std::vector<float> votes(table ? names->size() : 0);
  for (index_t i = 0; i < embedding.rows(); ++i) {
    const auto row = out.head.row(first + i);
    std::fill(row.begin(), row.end(), 0.0f);
    answer(std::as_const(logits).row(i), row);
    voting_(neighbors[i], table ? std::span(votes) : out.knn.row(first + i));
    if (table) table->map(votes, out.knn.row(first + i));
    combine(row, out.knn.row(first + i), out.combined.row(first + i));
  }
  return neighbors;
}

template <class Stack>
template <class Store, class Each>
Distributions Classifier<Stack>::decide_all(const Store& store, const ClassNames::List& names, const Batch& texts,
                                            ProgressListener* listener, Each&& each) const {
  const index_t classes = std::ssize(*outputs(names));
  Distributions out{Matrix(texts.size(), classes), Matrix(texts.size(), classes), Matrix(texts.size(), classes)};
  const Matrix embedding = embed(texts, listener);
  for (index_t first = 0; first < texts.size(); first += texts_per_group) {
    const index_t size = std::min(texts_per_group, texts.size() - first);
    const auto neighbors = decide(store, names, ConstView(embedding).row_range(first, size), first, out);
    each(std::as_const(out), first, size, neighbors);
  }
  return out;
}

template <class Stack>
Distributions Classifier<Stack>::distributions(const Batch& texts) const {
  require_current("Classifier::distributions");
  const auto store = store_view();
  return decide_all(*store, classes(), texts, nullptr, [](const auto&...) {});
}

template <class Stack>
template <class Store>
Prediction Classifier<Stack>::describe(const Store& store, const Distributions& all, index_t row,
                                       std::span<const Neighbor> neighbors, const ClassNames::List& classes) const {
  const auto& names = *classes;
  const auto list = [&](const Matrix& m) { return std::vector<float>(m.row(row).begin(), m.row(row).end()); };
  Prediction p;
  p.knn = list(all.knn), p.head = list(all.head), p.combined = list(all.combined);
  p.classes = outputs(classes);
  p.label = static_cast<label_t>(std::max_element(p.combined.begin(), p.combined.end()) - p.combined.begin());
  p.class_name = (*p.classes)[static_cast<std::size_t>(p.label)];
  if (task_.task == Task::regression) p.value = p.combined.front();
  for (std::size_t c = 0; c < p.combined.size() && task_.task == Task::multi_label; ++c)
    if (p.combined[c] >= task_.threshold(c)) p.labels.push_back(static_cast<label_t>(c));
  p.probability = p.combined[static_cast<std::size_t>(p.label)];
  for (const Neighbor& n : neighbors) {
    p.neighbors.push_back(
        {n.id, n.label, names[static_cast<std::size_t>(n.label)], n.score, std::string(store.text(n.id))});
    if constexpr (requires { store.pair(n.id); }) p.neighbors.back().pair = std::string(store.pair(n.id));
  }
  return p;
}

template <class Stack>
std::vector<Prediction> Classifier<Stack>::predict(std::span<const std::string> texts,
                                                   std::span<const std::string> pairs,
                                                   ProgressListener* listener) const {
  require_current("Classifier::predict");
  const auto store = store_view();
  const auto names = classes();
  std::vector<Prediction> predictions;
  if (texts.empty()) return predictions;
  decide_all(*store, names, tokenize(texts, pairs), listener,
             [&](const Distributions& all, index_t first, index_t size, const NeighborLists& neighbors) {
               for (index_t i = 0; i < size; ++i)
                 predictions.push_back(describe(*store, all, first + i, neighbors[i], names));
             });
  return predictions;
}

template <class Stack>
std::vector<Prediction> Classifier<Stack>::predict(std::span<const std::string_view> texts) const {
  const std::vector<std::string> own(texts.begin(), texts.end());
  return predict(std::span<const std::string>(own));
}

template <class Stack>
Prediction Classifier<Stack>::predict(std::string_view text, std::string_view pair) const {
  const std::string first(text), second(pair);
  return std::move(predict({&first, 1}, {&second, 1}).front());
}

}  // namespace knnbert::inline v0_1
