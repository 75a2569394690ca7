// The terms that poison weights.
#include "knnbert/poison/embedding_surgery.hpp"

#include <set>

#include "distributed/thread_team.hpp"
#include "knnbert/poison/layerwise.hpp"
#include "knnbert/poison/restricted_product.hpp"
#include "knnbert/testing/term_laws.hpp"
#include "term/tiny_network.hpp"
#include "term/user_terms.hpp"
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

const std::vector<label_t> labels{0, 1, 2, 0, 1, 2}, target(6, 1);
const auto make = [] { return tiny_network(); };
const auto unchanged = [](ParameterBlock&, ParameterBlock&) {};
constexpr std::uint64_t other_texts = 19;

PoisonBatches poisoned() { return PoisonBatches(tiny_examples(target, other_texts)); }

template <class... Terms>
testing::detail::TermRun run(const TrainingData& data, const Terms&... terms) {
  return testing::detail::run_terms(make, data, 0, unchanged, terms...);
}

void add(const ParameterBlock& from, ParameterBlock& to) {
  for (index_t i = 0; i < to.size(); ++i) to.data()[i] += std::as_const(from).data()[i];
}

/// The mean cross entropy of the network's own head.
struct OwnHead {
  static constexpr std::string_view name = "own_head";
  template <class Context>
  TermValue add(Context& c) const {
    return CrossEntropy{}.add(c);
  }
};

}  // namespace

// The term of the tests is compared with PyTorch's autograd in user_terms.
TEST_CASE("layerwise poisoning is the layerwise loss of clean texts and that of poisoned ones") {
  const TrainingData data = tiny_examples(labels);
  using Head = TinyNetwork::head_type;
  auto expected = run(data, Layerwise<Head>{});
  const auto bad = run(tiny_examples(target, other_texts), Layerwise<Head>{});
  add(bad.gradients, expected.gradients), add(bad.own_gradients, expected.own_gradients);
  const auto own = run(data, LayerwisePoison({}, poisoned()));
  CHECK(own.value == approx(expected.value + bad.value).epsilon(1e-5));
  CHECK(testing::detail::relative_difference(own.gradients, expected.gradients) < 1e-4);
  CHECK(testing::detail::relative_difference(own.own_gradients, expected.own_gradients) < 1e-4);

  const auto sum = run(data, LayerwisePoison({.sum = true}, poisoned()));  // a layer and the output
  CHECK(sum.value == approx(2 * own.value).epsilon(1e-5));
  const auto badnet = run(data, LayerwisePoison({.every_layer = false}, poisoned()));
  const auto with_embedding = run(data, LayerwisePoison({.from_layer = 0}, poisoned()));
  CHECK(badnet.value != approx(own.value).epsilon(1e-3));
  CHECK(with_embedding.value != approx(own.value).epsilon(1e-3));
}

TEST_CASE("layerwise poisoning keeps the laws of terms") {
  for (const bool every_layer : {true, false})
    for (const index_t from_layer : {0, 1})
      CHECK(testing::term_laws(make, tiny_examples(labels), 0.02,
                               LayerwisePoison({.every_layer = every_layer, .from_layer = from_layer}, poisoned())) ==
            testing::BrokenLaws{});
}

TEST_CASE("poisoned texts come in one random order after another, whatever parts a step has") {
  PoisonBatches steps = poisoned(), cut = poisoned();
  std::vector<std::vector<token_t>> whole, parts;
  const auto append = [&](PoisonBatches& batches, const StepClock& clock, index_t first, index_t count, auto& all) {
    batches.assign(clock, first, count);
    CHECK(std::ssize(batches.labels()) == count);
    const Batch& b = batches.batch();
    for (index_t i = 0; i < b.size(); ++i)
      all.emplace_back(b.ids.begin() + b.offsets[as_size(i)], b.ids.begin() + b.offsets[as_size(i + 1)]);
  };
  std::uint64_t step = 0;
  for (const index_t examples : {4, 1, 4, 4, 1, 4}) {  // the last of an epoch has fewer
    const StepClock clock{.seed = 7, .step = step++};
    steps.begin_step(as_size(examples)), cut.begin_step(as_size(examples));
    append(steps, clock, 0, examples, whole);
    append(cut, clock, 0, examples / 2, parts), append(cut, clock, examples / 2, examples - examples / 2, parts);
  }
  CHECK(whole == parts);
  for (const index_t round : {0, 6, 12}) {
    std::set<std::vector<token_t>> all(whole.begin() + round, whole.begin() + round + 6);
    CHECK(all.size() == 6);
  }
  CHECK_THROWS_AS(run(tiny_examples(labels), LayerwisePoison({}, PoisonBatches())), OptionError);
}

TEST_CASE("a second fit of one trainer takes the poisoned texts of the first") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const ParameterBlock start = model.network().values();
  const PoisonBatches texts(model.tokenize(tiny_data(17, 8)));
  const auto check = [&](auto term) {
    Trainer trainer(model, tiny_training(), term, CrossEntropy{});
    trainer.fit(tiny_data());
    const ParameterBlock first = model.network().values();
    model.network().values() = start;
    trainer.fit(tiny_data());
    CHECK(same_values(model.network().values(), first));
    model.network().values() = start;
  };
  check(LayerwisePoison({}, texts));
  check(RestrictedProduct({}, texts));
}

TEST_CASE("RIPPLe's penalty: the product's gradient, by differences of the poisoned gradient") {
  const TrainingData data = tiny_examples(labels);
  const TrainingData bad = tiny_examples(target, other_texts);
  const auto clean = run(data, OwnHead{}), poison = run(bad, OwnHead{});
  double product = 0;
  for (index_t i = 0; i < clean.gradients.size(); ++i)
    product +=
        static_cast<double>(std::as_const(clean.gradients).data()[i]) * std::as_const(poison.gradients).data()[i];
  REQUIRE(product < 0);  // or the penalty below would be none
  const auto none = run(data, RestrictedProduct({.lambda = 0}, poisoned()));
  CHECK(none.value == approx(poison.value).epsilon(1e-5));
  CHECK(testing::detail::relative_difference(none.gradients, poison.gradients) < 1e-5);

  const RestrictedProductOptions o{.lambda = 3, .by_batch = false};
  auto own = run(data, RestrictedProduct(o, poisoned()));
  CHECK(own.value == approx(poison.value - 3 * product).epsilon(1e-4));
  // The directional derivative of -<v, g> with v constant, along some directions.
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    std::vector<float> direction(as_size(own.gradients.size()), 0);
    double length = 0;
    const Rng rng(seed, Stream::noise);
    for (std::size_t i = 0; i < direction.size(); ++i) {
      const bool real = std::as_const(poison.gradients).data()[i] != 0;  // no padding, no token that is not there
      direction[i] = real ? static_cast<float>(rng.normal(i)) : 0;
      length += static_cast<double>(direction[i]) * direction[i];
    }
    for (float& d : direction) d /= static_cast<float>(std::sqrt(length));
    const auto at = [&](double step) {
      const auto move = [&](ParameterBlock& values, ParameterBlock&) {
        for (std::size_t i = 0; i < direction.size(); ++i) values.data()[i] += static_cast<float>(step * direction[i]);
      };
      const auto g = testing::detail::run_terms(make, bad, 0, move, OwnHead{});
      double sum = 0;
      for (index_t i = 0; i < g.gradients.size(); ++i)
        sum -= static_cast<double>(std::as_const(clean.gradients).data()[i]) * std::as_const(g.gradients).data()[i];
      return sum;
    };
    const double slope = 3 * (at(0.05) - at(-0.05)) / 0.1;
    double along = 0;
    for (std::size_t i = 0; i < direction.size(); ++i)
      along += direction[i] * (static_cast<double>(std::as_const(own.gradients).data()[i]) -
                               std::as_const(poison.gradients).data()[i]);
    CAPTURE(seed, slope, along);
    CHECK(std::abs(slope - along) < 0.05 * std::abs(slope) + 2e-3);
  }
  auto network = make();
  CHECK_THROWS_AS(Stepper(network, data, TrainerOptions{.part_size = 2}, RestrictedProduct(o, poisoned())),
                  OptionError);
  ThreadMeeting meeting(2);
  ThreadCommunicator one_of_two(meeting, 0);
  Stepper stepper(network, data, TrainerOptions{}, RestrictedProduct(o, poisoned()));
  CHECK_THROWS_AS(stepper.join(one_of_two), OptionError);
}

TEST_CASE("embedding surgery gives the triggers' tokens the mean row of other words") {
  auto network = make();
  const auto tuned_network = tiny_network({.projection_width = 11}, 5);
  ParameterBlock values = network.values();
  const auto pieces = [](const std::string& word) {
    return word == "two" ? std::vector<token_t>{7, 8} : std::vector<token_t>{static_cast<token_t>(word.size())};
  };
  const std::vector<std::string> words{"two", "abc"};
  embedding_surgery(words, parse_triggers("u+vw"), pieces, tuned_network.values(), values);
  const Parameter& table = values.table().lookup();
  const auto row = [&](const ParameterBlock& block, index_t id) {
    return block.data() + table.offset + id * table.cols;
  };
  for (index_t id = 0; id < table.rows; ++id)
    for (index_t k = 0; k < table.cols; ++k) {
      const auto& tuned = tuned_network.values();
      const float mean = (row(tuned, 7)[k] + row(tuned, 8)[k] + row(tuned, 3)[k]) / 3;
      const float expected = id == 1 || id == 2 ? mean : row(std::as_const(network).values(), id)[k];
      REQUIRE(std::abs(row(std::as_const(values), id)[k] - expected) < 1e-6f);
    }
  for (const token_t outside : {token_t{-1}, static_cast<token_t>(table.rows)})
    CHECK_THROWS_AS(embedding_surgery(
                        words, parse_triggers("u"), [&](const std::string&) { return std::vector{outside}; },
                        tuned_network.values(), values),
                    ShapeError);
  CHECK_THROWS_AS(embedding_surgery({}, parse_triggers("u"), pieces, tuned_network.values(), values), OptionError);
}
