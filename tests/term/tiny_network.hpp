#pragma once
#include "kernel/values.hpp"
#include "knnbert/encoder/bert.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "nn/directional.hpp"

namespace knnbert_test {

using namespace knnbert;

struct TinyStack {
  using encoder_type = Bert;
  using head_type = MlpHead;
  using metric_type = Cosine;
};
using TinyNetwork = Network<TinyStack>;

/// A network of random values over tokens, without texts and files.
inline TinyNetwork tiny_network(const ClassifierOptions& options = {.projection_width = 11}, std::uint64_t seed = 1) {
  const BertConfig config{.vocab_size = 41, .hidden_size = 20, .num_hidden_layers = 1, .num_attention_heads = 2, .intermediate_size = 37, .max_position_embeddings = 16};
  TinyNetwork network(config, 3, options);
  fill_random(network.values(), seed, 0.3);
  return network;
}

/// Examples of the given classes, whose tokens lean towards their class.
inline TrainingData tiny_examples(const std::vector<label_t>& labels, std::uint64_t seed = 7) {
  Batch batch;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Rng rng = Rng(seed, Stream::sample).fork(i);
    const index_t length = 2 + rng.below(0, 8);
    for (index_t t = 0; t < length; ++t) {
      const auto draw = static_cast<std::uint64_t>(t + 1);
      batch.ids.push_back(static_cast<token_t>(t % 2 ? rng.below(draw, 40) : 10 * labels[i] + rng.below(draw, 10)));
    }
    batch.close_text();
  }
  return {batch, labels, 3};
}

inline std::vector<index_t> first_examples(index_t count) {
  std::vector<index_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), index_t{0});
  return all;
}

/// Everything that a term sees of one part of a step, by hand.
struct HandmadeStep {
  TinyNetwork& network;
  const TrainingData& data;
  StepClock clock;
  bool dropout = false;
  std::vector<index_t> examples;
  std::vector<label_t> labels = data.labels_of(examples);
  std::vector<Range> ranges{{0, network.values().size()}};
  Gradients gradients{network.values().shared_table()};

  using Start = StepStart<TinyNetwork, TrainingData>;
  using Context = StepContext<TinyNetwork, TrainingData>;

  Start start() { return {network, data, clock, dropout, examples, labels, ranges}; }

  struct Result {
    TermValue value;
    Matrix d_embedding, d_logits;
  };
  /// Runs a term on examples [first, first + count) of the step.
  template <class T>
  Result add(T& term, index_t first, index_t count, float idle_weight = 0) {
    const auto rng = dropout ? std::optional(clock.rng(Stream::dropout)) : std::nullopt;
    const std::span own(examples.data() + first, static_cast<std::size_t>(count));
    const auto own_labels = data.labels_of(own);
    Matrix embedding(count, network.width()), logits(count, network.classes());
    BertWorkspace workspace;
    network.encoder().encode(network.values(), data.tokens().select(own), {.dropout = rng, .first_example = first}, embedding, workspace, network.workers());
    network.logits_of(embedding, logits);
    Result result{std::nullopt, Matrix(count, network.width()), Matrix(count, network.classes())};
    result.d_embedding.fill(0);
    result.d_logits.fill(0);
    Context context{network, data, clock, rng, own, own_labels, first, std::ssize(examples), idle_weight, embedding, logits, result.d_embedding, result.d_logits, gradients};
    result.value = term.add(context);
    return result;
  }
  template <class T>
  Result add(T& term) { return add(term, 0, std::ssize(examples)); }
};

}  // namespace knnbert_test
