#include "knnbert/distributed/gradient_reducer.hpp"
#include "distributed/thread_team.hpp"
#include "term/tiny_network.hpp"

using namespace knnbert_test;

namespace {

const BertConfig three_layers{.vocab_size = 41,
                              .hidden_size = 20,
                              .num_hidden_layers = 3,
                              .num_attention_heads = 2,
                              .intermediate_size = 37,
                              .max_position_embeddings = 16};

/// How often a backward pass said how far it is, and where.
struct Places : GradientListener {
  std::vector<index_t> offsets;
  void settled(index_t offset) override { offsets.push_back(offset); }
};

/// Adds the gradient of the sum of all embeddings of some examples.
void run_backward(const TinyNetwork& network, const TrainingData& data, std::span<const index_t> examples,
                  Gradients& gradients) {
  BertWorkspace workspace;
  BertTape tape;
  network.encoder().forward(network.values(), data.tokens().select(examples), {}, tape, workspace, network.workers());
  Matrix d(std::ssize(examples), network.width());
  d.fill(1);
  network.encoder().backward(network.values(), tape, {.d_embedding = d, .parameters = &gradients}, workspace,
                             network.workers());
}

std::vector<label_t> labels_of_three(index_t count) {
  std::vector<label_t> labels;
  for (index_t i = 0; i < count; ++i) labels.push_back(static_cast<label_t>(i % 3));
  return labels;
}

}  // namespace

TEST_CASE("reducer: a backward pass settles its layers from the last to the first, and touches nothing behind") {
  TinyNetwork network(three_layers, 3, {.projection_width = 11});
  fill_random(network.values(), 1, 0.3);
  const auto data = tiny_examples(labels_of_three(6));
  Gradients gradients(network.values().shared_table());
  Places places;
  gradients.set_listener(&places);
  run_backward(network, data, first_examples(6), gradients);
  REQUIRE(places.offsets.size() == 3);
  CHECK(places.offsets[0] > places.offsets[1]);
  CHECK(places.offsets[1] > places.offsets[2]);
  CHECK(places.offsets[2] > 0);
  CHECK(places.offsets[0] < gradients.table().dense_size());
}

TEST_CASE("reducer: gradients of parts sum to those of the whole, pieces leave while the pass runs") {
  TinyNetwork network(three_layers, 3, {.projection_width = 11});
  fill_random(network.values(), 1, 0.3);
  const auto data = tiny_examples(labels_of_three(10));
  const auto all = first_examples(10);
  Gradients whole(network.values().shared_table());
  run_backward(network, data, all, whole);
  for (const index_t size : {2, 3, 4}) {
    CAPTURE(size);
    std::vector<double> worst(static_cast<std::size_t>(size));
    std::vector<std::vector<index_t>> rows(worst.size());
    std::vector<index_t> early(worst.size());
    run_team(size, [&](ThreadCommunicator& c) {
      const auto rank = static_cast<std::size_t>(c.rank());
      TinyNetwork own(three_layers, 3, {.projection_width = 11});
      fill_random(own.values(), 1, 0.3);
      Gradients gradients(own.values().shared_table());
      GradientReducer reducer(gradients, c, 1000);
      for (int step = 0; step < 3; ++step) {
        gradients.clear();
        reducer.start();
        gradients.set_listener(&reducer);
        const Range range = Team(c).own_range(10);
        run_backward(own, data,
                     std::span(all).subspan(static_cast<std::size_t>(range.begin),
                                            static_cast<std::size_t>(range.end - range.begin)),
                     gradients);
        gradients.set_listener(nullptr);
        early[rank] = c.started();
        reducer.finish();
      }
      for (index_t i = 0; i < gradients.table().size(); ++i)
        worst[rank] = std::max(worst[rank], std::abs(static_cast<double>(gradients.data()[i]) - whole.data()[i]));
      rows[rank] = gradients.active_rows();
    });
    for (std::size_t rank = 0; rank < worst.size(); ++rank) {
      CHECK(worst[rank] < 1e-4);
      CHECK(rows[rank] == whole.active_rows());
      CHECK(early[rank] > 5);
    }
  }
}

TEST_CASE("reducer: sums of a step that failed half-way are given up before the gradients are gone") {
  run_team(2, [&](ThreadCommunicator& c) {
    TinyNetwork network(three_layers, 3, {.projection_width = 11});
    fill_random(network.values(), 1, 0.3);
    Gradients gradients(network.values().shared_table());
    const auto begin = [&](GradientReducer& reducer) {
      reducer.start();
      gradients.set_listener(&reducer);
      run_backward(network, tiny_examples(labels_of_three(4)), first_examples(4), gradients);
      gradients.set_listener(nullptr);
    };
    {
      GradientReducer reducer(gradients, c, 1000);
      begin(reducer);
      reducer.finish();
    }
    require_in_team(!c.abandoned(), "sums of a whole step given up");
    {
      GradientReducer reducer(gradients, c, 1000);
      begin(reducer);
      require_in_team(c.started() > 0, "nothing started");
    }
    require_in_team(c.abandoned() && c.started() == 0, "sums of half a step not given up");
  });
}
