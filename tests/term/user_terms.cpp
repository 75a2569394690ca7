// Terms that look inside a pass, written as a user would: against PyTorch, over processes, in parts, resumed.
#include "term/user_terms.hpp"

#include "distributed/thread_team.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/testing/memory_archive.hpp"
#include "knnbert/train/stepper.hpp"
#include "term/tiny_network.hpp"
#include "term/user_terms_reference.hpp"

using namespace knnbert_test;

namespace {

using TinyLayerwise = Layerwise<TinyNetwork::head_type>;

const std::vector<label_t> tiny_labels{0, 1, 2, 0, 1, 2, 2, 1};

/// A few steps of every process of a team; the values, and those that terms declared, behind them.
template <class MakeSource, class... Terms>
std::vector<std::pair<ParameterBlock, ParameterBlock>> trained_together(index_t size, const TrainerOptions& options,
                                                                        index_t examples, MakeSource&& source_of,
                                                                        Terms... terms) {
  std::vector<std::pair<ParameterBlock, ParameterBlock>> all(static_cast<std::size_t>(size));
  run_team(size, [&](ThreadCommunicator& c) {
    auto network = tiny_network();
    const TrainingData data = tiny_examples(tiny_labels);
    const auto source = source_of(data);
    Stepper stepper(network, source, options, terms...);
    if (size > 1) stepper.join(c);
    const auto chosen = first_examples(examples);
    for (std::uint64_t step = 0; step < 3; ++step)
      REQUIRE(stepper.step({.step = step, .steps = 3}, chosen, 1e-3f).finite);
    all[static_cast<std::size_t>(c.rank())] = {network.values(), stepper.own_values()};
  });
  return all;
}

double mean_difference(const ParameterBlock& a, const ParameterBlock& b) {
  double sum = 0;
  for (index_t i = 0; i < a.size(); ++i)
    sum += std::abs(static_cast<double>(std::as_const(a).data()[i]) - std::as_const(b).data()[i]);
  return a.size() ? sum / static_cast<double>(a.size()) : 0;
}

template <class MakeSource, class... Terms>
void check_team_over(MakeSource&& source_of, index_t examples, bool dropout, Terms... terms) {
  const TrainerOptions options{.head_learning_rate = 2e-3f, .dropout = dropout};
  const auto alone = trained_together(1, options, examples, source_of, terms...);
  for (const index_t size : {2, 3}) {
    CAPTURE(size, examples, dropout);
    for (const auto& [values, own] : trained_together(size, options, examples, source_of, terms...)) {
      CHECK(mean_difference(values, alone.front().first) < 1e-5);
      CHECK(mean_difference(own, alone.front().second) < 1e-5);
    }
  }
}

template <class... Terms>
void check_team(index_t examples, bool dropout, Terms... terms) {
  check_team_over([](const TrainingData& data) { return data; }, examples, dropout, terms...);
}
void check_masked_team() {
  for (const index_t examples : {8, 2})
    check_team_over(
        [](const TrainingData& data) { return MaskedTexts{.texts = data.tokens(), .mask = 40, .rate = 0.3}; }, examples,
        true, MaskedTokens{.mask = 40});
}

}  // namespace

TEST_CASE("user terms: values and gradients are those of PyTorch's autograd") {
  const auto place = folder_with(terms_dump);
  if (!place) return;
  TermsReference<Network<DefaultStack>>(*place).check_all();
}

TEST_CASE("user terms: processes give the result of one, also where one of them has no example") {
  const TrainerOptions options;
  for (const bool dropout : {false, true})
    for (const index_t examples : {8, 5, 1}) {  // 1: two of three processes have none
      check_team(examples, dropout, CrossEntropy{}, TinyLayerwise{});
      check_team(examples, dropout, CrossEntropy{}, Smoothness<>{.epsilon = 1e-2f, .noise = {1e-2f}});
    }
  check_masked_team();
  for (const index_t examples : {8, 5, 2})
    check_team(examples, true, CrossEntropy{.weight = 0.4f}, WordPerturbation<>{.change = {1e-2f}});
}

TEST_CASE("user terms: parts of a step add up to the whole, and are refused where a term compares examples") {
  const auto run = [](index_t part_size) {
    auto network = tiny_network();
    const TrainingData data = tiny_examples(tiny_labels);
    Stepper stepper(network, data, TrainerOptions{.part_size = part_size}, CrossEntropy{}, TinyLayerwise{});
    const auto loss = static_cast<float>(stepper.step({}, first_examples(8), 0).loss);
    return std::tuple(loss, stepper.gradients().block(), stepper.own_gradients().block());
  };
  const auto [loss, gradients, own] = run(0);
  CHECK(loss > 0);
  for (const index_t part : {1, 3, 8}) {
    const auto [part_loss, part_gradients, part_own] = run(part);
    CHECK(part_loss == approx(loss).epsilon(1e-5));
    CHECK(mean_difference(part_gradients, gradients) < 1e-6);
    CHECK(mean_difference(part_own, own) < 1e-6);
  }
  auto network = tiny_network();
  const TrainingData data = tiny_examples(tiny_labels);
  const auto message = message_of<OptionError>(
      [&] { Stepper stepper(network, data, TrainerOptions{.part_size = 3}, WordPerturbation<>{}); });
  CHECK(contains(message, "part_size 3 given, 0 expected: a term compares the examples of a step"));
}

TEST_CASE("parameters that terms declare: clipped by one norm with the model's, at the heads' rate, archived") {
  auto network = tiny_network();
  const TrainingData data = tiny_examples(tiny_labels);
  const TrainerOptions options{
      .learning_rate = 1e-3f, .head_learning_rate = 5e-3f, .clip_norm = 1e-3f, .dropout = false};
  Stepper stepper(network, data, options, CrossEntropy{}, TinyLayerwise{});
  REQUIRE(stepper.own_values().table().find("layerwise.out_proj.weight") >= 0);
  const ParameterBlock before = stepper.own_values(), model_before = network.values();
  const double norm = stepper.step({}, first_examples(8), 1e-3f).gradient_norm;
  double squares = 0, own_squares = 0;
  const auto square = [](const Gradients& g, double& sum) {
    for (index_t i = 0; i < g.table().size(); ++i) sum += static_cast<double>(g.data()[i]) * g.data()[i];
  };
  square(stepper.gradients(), squares), square(stepper.own_gradients(), own_squares);
  CHECK(own_squares > 0);
  CHECK(norm == approx(std::sqrt(squares + own_squares)).epsilon(1e-6));
  const auto largest_move = [](const ParameterBlock& a, const ParameterBlock& b) {
    float most = 0;
    for (index_t i = 0; i < a.size(); ++i)
      most = std::max(most, std::abs(std::as_const(a).data()[i] - std::as_const(b).data()[i]));
    return most;
  };
  CHECK(largest_move(stepper.own_values(), before) == approx(5e-3).epsilon(1e-2));  // Adam's first step is the rate

  testing::MemoryArchive saved;
  stepper.archive(saved);
  stepper.step({.step = 1}, first_examples(8), 1e-3f);
  const ParameterBlock expected = stepper.own_values();
  auto other_network = tiny_network();
  Stepper other(other_network, data, options, CrossEntropy{}, TinyLayerwise{});
  saved.rewind();
  other.archive(saved);
  other.step({.step = 1}, first_examples(8), 1e-3f);
  CHECK(largest_move(other.own_values(), expected) == 0);
  CHECK(largest_move(other_network.values(), network.values()) == 0);
}

TEST_CASE("masked tokens: a data source of masked texts trains the encoder and a tied decoder") {
  auto network = tiny_network();
  const TrainingData data = tiny_examples(tiny_labels);
  const MaskedTexts source{.texts = data.tokens(), .mask = 40, .rate = 0.3};
  Stepper stepper(network, source, TrainerOptions{}, MaskedTokens{.mask = 40});
  const auto at = [&](std::uint64_t step, float rate) {
    return static_cast<float>(stepper.step({.step = step}, first_examples(8), rate).loss);
  };
  const float before = at(0, 0);
  for (std::uint64_t step = 0; step < 60; ++step) at(step, 5e-3f);
  CHECK(at(0, 0) < 0.6f * before);
  CHECK(stepper.own_values().table().find("masked.bias") == 0);
}
