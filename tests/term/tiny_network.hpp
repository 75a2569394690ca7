#pragma once
#include "kernel/values.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "nn/directional.hpp"

namespace knnbert_test {

using namespace knnbert;

using TinyNetwork = Network<DefaultStack>;

/// A network of random values over tokens, without texts and files.
inline TinyNetwork tiny_network(const ClassifierOptions& options = {.projection_width = 11}, std::uint64_t seed = 1,
                                index_t layers = 1, index_t classes = 3) {
  const BertConfig config{.vocab_size = 41,
                          .hidden_size = 20,
                          .num_hidden_layers = layers,
                          .num_attention_heads = 2,
                          .intermediate_size = 37,
                          .max_position_embeddings = 16};
  TinyNetwork network(config, classes, options);
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

  Start start() {
    return {.model = network,
            .data = data,
            .clock = clock,
            .dropout = dropout,
            .examples = examples,
            .labels = labels,
            .ranges = ranges};
  }

  struct Result {
    TermValue value;
    Matrix d_embedding, d_logits;
  };
  /// Runs a term on examples [first, first + count) of the step.
  template <class T>
  Result add(T& term, index_t first, index_t count, float idle_weight = 0) {
    const std::span own(examples.data() + first, static_cast<std::size_t>(count));
    Batch batch;
    Targets targets;
    data.assign(own, clock, batch, targets);
    TinyNetwork::pass_type pass;
    network.forward(network.values(), batch, {.dropout = masks(), .first_example = first}, pass);
    StepGradients<TinyNetwork> entering;
    entering.start(network, batch.size(), batch.tokens(), pass.layers());
    const ParameterBlock no_values(std::make_shared<const ParameterTable>());
    Gradients no_gradients(no_values.shared_table());
    Context context{.model = network,
                    .data = data,
                    .clock = clock,
                    .dropout = masks(),
                    .examples = own,
                    .targets = targets,
                    .first_example = first,
                    .step_examples = std::ssize(examples),
                    .idle_weight = idle_weight,
                    .pass = pass,
                    .entering = entering,
                    .gradients = gradients,
                    .own_values = no_values,
                    .own_gradients = no_gradients};
    const TermValue value = term.add(context);
    return {value, std::move(entering.d_embedding), std::move(entering.d_logits)};
  }
  std::optional<Rng> masks() const { return dropout ? std::optional(clock.rng(Stream::dropout)) : std::nullopt; }
  template <class T>
  Result add(T& term) {
    return add(term, 0, std::ssize(examples));
  }
};

}  // namespace knnbert_test
