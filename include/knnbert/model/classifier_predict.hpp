#pragma once
#include "knnbert/model/classifier.hpp"

/// From texts to predictions: what Classifier declares.
namespace knnbert::inline v0_1 {

template <class Stack>
std::shared_ptr<const std::vector<std::string>> Classifier<Stack>::outputs(const ClassNames::List& names) const {
  if (single_label()) return names;
  const auto table = table_.of(names, task_);
  return {table, &table->outputs()};
}

template <class Stack>
Batch Classifier<Stack>::tokenize(std::span<const std::string> texts, std::span<const std::string> pairs) const {
  if (!pairs.empty() && pairs.size() != texts.size())
    raise<ShapeError>("Classifier::tokenize: {} texts but {} second texts", texts.size(), pairs.size());
  Batch batch;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (pairs.empty() || pairs[i].empty()) tokenizer_.append(texts[i], batch, options().max_length);
    else tokenizer_.append(texts[i], pairs[i], batch, options().max_length);
  }
  if (batch.size() != std::ssize(texts))
    raise<ShapeError>("Classifier::tokenize: {} texts given, but the tokenizer closed {}", texts.size(), batch.size());
  return batch;
}

template <class Stack>
TrainingData Classifier<Stack>::tokenize(const Dataset& data) const {
  Batch tokens = tokenize(data.texts(), data.pairs());
  std::vector<label_t> labels(data.labels().begin(), data.labels().end());
  if (const auto names = classes(); single_label() && !std::ranges::equal(data.classes(), *names)) {
    const Dataset named = data.with_classes(*names, "the model's");
    labels.assign(named.labels().begin(), named.labels().end());
  }
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
Matrix Classifier<Stack>::embed_own_range(const Batch& texts, const Team& team, ProgressListener* listener) const {
  texts.require_whole("Classifier::embed");
  const Range own = team.own_range(texts.size());
  const Batch own_texts = texts.slice(own.begin, own.end - own.begin);
  Matrix embedding(own_texts.size(), network_.width());
  const index_t done = embed_groups(own_texts, listener, embedding);
  if (team.any(done < own_texts.size()))
    raise<CancelledError>("Classifier::embed: stopped after {} of {} texts", done, own_texts.size());
  team.together("Classifier::embed", [&] { require_finite_embeddings("Classifier::embed", embedding); });
  return embedding;
}

template <class Stack>
Matrix Classifier<Stack>::embed(const Batch& texts, const Team& team, ProgressListener* listener) const {
  const Matrix own = embed_own_range(texts, team, listener);
  Matrix all(texts.size(), network_.width());
  copy(own, View(all).row_range(team.own_range(texts.size()).begin, own.rows()));
  gather_rows(team, all);
  return all;
}

template <class Stack>
Matrix Classifier<Stack>::features(const Batch& texts, const Team& team, ProgressListener* listener) const {
  const Matrix embedding = embed_own_range(texts, team, listener);
  Matrix features(texts.size(), network_.feature_width());
  network_.features_of(embedding, View(features).row_range(team.own_range(texts.size()).begin, embedding.rows()));
  gather_rows(team, features);
  return features;
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
  if constexpr (requires { store.search_prepared(features, neighbors_, AcceptAll{}, network_.workers()); })
    return store.search_prepared(features, neighbors_, AcceptAll{}, network_.workers());
  else if constexpr (requires { store.search(features, neighbors_, AcceptAll{}, network_.workers()); })
    return store.search(features, neighbors_, AcceptAll{}, network_.workers());
  else return store.search(features, neighbors_);
}

template <class Stack>
template <class Store>
void Classifier<Stack>::decide(const Store& store, const ClassNames::List& names, ConstView embedding, index_t first,
                               Answers& out) const {
  const index_t count = embedding.rows();
  const View logits = View(out.logits).row_range(first, count), features = View(out.features).row_range(first, count);
  network_.logits_of(embedding, logits);
  network_.features_of(embedding, features);
  const auto neighbors = nearest(store, features);
  if (neighbors.size() != count)
    raise<ShapeError>("Classifier::predict: {} lists of neighbors for {} texts given by the datastore",
                      neighbors.size(), count);
  const auto table = single_label() ? nullptr : table_.of(names, task_);
  std::vector<float> votes(table ? names->size() : 0);
  const auto weights = vote_weights(store, std::ssize(*names));
  for (index_t i = 0; i < count; ++i) {
    const auto head = out.distributions.head.row(first + i), knn = out.distributions.knn.row(first + i);
    std::fill(head.begin(), head.end(), 0.0f);
    answer(ConstView(logits).row(i), head);
    out.neighbors.append(neighbors[i]);
    if (neighbors[i].empty() && head_trained_) {  // without a vote the head decides alone
      std::copy(head.begin(), head.end(), knn.begin());
      if (single_label()) std::fill_n(knn.begin(), network_.classes(), 1 / static_cast<float>(network_.classes()));
    } else {
      voting_(neighbors[i], table ? std::span(votes) : knn);
      if (table) table->map(votes, knn);
      if (!weights.empty()) detail::reweigh(weights, knn);
      if (!all_finite(knn))
        raise<NonFiniteError>("Classifier::predict: the vote for text {} of {} is not finite", first + i + 1,
                              out.logits.rows());
    }
  }
  out.reweighed |= !weights.empty();
}

template <class Stack>
template <class Store>
Answers Classifier<Stack>::decide_all(const Store& store, const ClassNames::List& names, const Batch& texts,
                                      ProgressListener* listener) const {
  const index_t n = texts.size(), classes = std::ssize(*outputs(names));
  Answers out{Matrix(n, network_.classes()),
              Matrix(n, network_.feature_width()),
              {},
              {Matrix(n, classes), Matrix(n, classes), Matrix(n, classes)}};
  const Matrix embedding = embed(texts, listener);
  for (index_t first = 0; first < n; first += texts_per_group)
    decide(store, names, ConstView(embedding).row_range(first, std::min(texts_per_group, n - first)), first, out);
  combine(out.distributions);
  return out;
}

template <class Stack>
Answers Classifier<Stack>::answers(const Batch& texts, ProgressListener* listener) const {
  require_current("Classifier::answers");
  const auto store = store_view();
  return decide_all(*store, classes(), texts, listener);
}

template <class Stack>
template <class Store>
Prediction Classifier<Stack>::describe(const Store& store, const Answers& all, index_t row,
                                       const ClassNames::List& classes) const {
  const auto& names = *classes;
  const auto list = [&](const Matrix& m) { return std::vector<float>(m.row(row).begin(), m.row(row).end()); };
  Prediction p;
  p.knn = list(all.distributions.knn), p.head = list(all.distributions.head);
  p.combined = list(all.distributions.combined);
  p.classes = outputs(classes);
  p.label = static_cast<label_t>(std::max_element(p.combined.begin(), p.combined.end()) - p.combined.begin());
  p.class_name = (*p.classes)[static_cast<std::size_t>(p.label)];
  if (task_.task == Task::regression) p.value = p.combined.front();
  for (std::size_t c = 0; c < p.combined.size() && task_.task == Task::multi_label; ++c)
    if (p.combined[c] >= task_.threshold(c)) p.labels.push_back(static_cast<label_t>(c));
  p.certificate = certificate(all, row);
  p.probability = p.combined[static_cast<std::size_t>(p.label)];
  for (const Neighbor& n : all.neighbors[row]) {
    p.neighbors.push_back({.id = n.id,
                           .label = n.label,
                           .class_name = names[static_cast<std::size_t>(n.label)],
                           .similarity = n.score,
                           .text = std::string(store.text(n.id))});
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
  if (texts.empty() && pairs.empty()) return predictions;
  const Answers all = decide_all(*store, names, tokenize(texts, pairs), listener);
  for (index_t i = 0; i < std::ssize(texts); ++i) predictions.push_back(describe(*store, all, i, names));
  if (const auto rule = decision_.rule(store->size())) {
    const auto scores = scope_scores(rule->score, *store, all);
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (rule->rejects(scores[i])) predictions[i].rejection = Rejection{rule->score, scores[i], rule->threshold};
  }
  return predictions;
}

template <class Stack>
std::vector<Prediction> Classifier<Stack>::predict(std::span<const std::string_view> texts) const {
  return predict(std::span<const std::string>(std::vector<std::string>(texts.begin(), texts.end())));
}

template <class Stack>
std::vector<Prediction> Classifier<Stack>::predict(std::initializer_list<std::string_view> texts,
                                                   std::initializer_list<std::string_view> pairs) const {
  const std::vector<std::string> first(texts.begin(), texts.end()), second(pairs.begin(), pairs.end());
  return predict(std::span<const std::string>(first), second);
}

template <class Stack>
Prediction Classifier<Stack>::predict(std::string_view text, std::string_view pair) const {
  const std::string first(text), second(pair);
  return std::move(predict({&first, 1}, {&second, 1}).front());
}

}  // namespace knnbert::inline v0_1
