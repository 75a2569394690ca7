// Contrastive adversarial training, supervised contrast and the average of the values.
#include "distributed/thread_team.hpp"
#include "encoder/reference.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/term/contrastive_adversarial.hpp"
#include "knnbert/term/supervised_contrast.hpp"
#include "knnbert/term/value_average.hpp"
#include "knnbert/testing/term_laws.hpp"
#include "term/tiny_network.hpp"
#include "term/user_terms.hpp"

using namespace knnbert_test;

namespace {

const std::vector<label_t> adversarial_labels{0, 1, 2, 0, 1, 2};
const auto adversarial_network = [] { return tiny_network(); };

template <class... Terms>
testing::BrokenLaws adversarial_laws(double tolerance, const Terms&... terms) {
  return testing::term_laws(adversarial_network, tiny_examples(adversarial_labels), tolerance, terms...);
}

/// Parameters of the term's head and how the term of the tests calls them.
constexpr std::pair<const char*, const char*> names[] = {{"cat.dense.weight", "words.first.weight"},
                                                         {"cat.dense.bias", "words.first.bias"},
                                                         {"cat.out_proj.weight", "words.second.weight"},
                                                         {"cat.out_proj.bias", "words.second.bias"}};

Matrix parameter(const ParameterBlock& block, const char* name) {
  const index_t p = block.table().find(name);
  Matrix m(block.table()[p].rows, block.table()[p].cols);
  block.read(p, m);
  return m;
}

/// Three steps of every process of a team over the given examples: values, and those that terms declared.
template <class... Terms>
std::vector<std::pair<ParameterBlock, ParameterBlock>> together(index_t size, index_t examples, Terms... terms) {
  std::vector<std::pair<ParameterBlock, ParameterBlock>> all(as_size(size));
  run_team(size, [&](ThreadCommunicator& c) {
    auto network = tiny_network();
    const TrainingData data = tiny_examples(adversarial_labels);
    Stepper stepper(network, data, TrainerOptions{}, terms...);
    if (size > 1) stepper.join(c);
    for (std::uint64_t step = 0; step < 3; ++step)
      REQUIRE(stepper.step({.step = step, .steps = 3}, first_examples(examples), 1e-3f).finite);
    all[as_size(c.rank())] = {network.values(), stepper.own_values()};
  });
  return all;
}

double average_difference(const ParameterBlock& a, const ParameterBlock& b) {
  double sum = 0;
  for (index_t i = 0; i < a.size(); ++i) sum += std::abs(static_cast<double>(a.data()[i]) - b.data()[i]);
  return a.size() ? sum / static_cast<double>(a.size()) : 0;
}

template <class... Terms>
void check_adversarial_team(index_t examples, Terms... terms) {
  const auto alone = together(1, examples, terms...);
  for (const index_t size : {2, 3})
    for (const auto& [values, own] : together(size, examples, terms...)) {
      CAPTURE(size, examples);
      CHECK(average_difference(values, alone.front().first) < 1e-5);
      CHECK(average_difference(own, alone.front().second) < 1e-5);
    }
}

}  // namespace

TEST_CASE("contrastive adversarial training is the term that is compared with PyTorch") {
  const auto unchanged = [](ParameterBlock&, ParameterBlock&) {};
  const TrainingData data = tiny_examples(adversarial_labels);
  const auto other =
      testing::detail::run_terms(adversarial_network, data, 0, unchanged,
                                 WordPerturbation<>{.lambda = 0.3f, .temperature = 0.2f, .change = {1e-2f}});
  ParameterBlock given;
  {
    auto network = adversarial_network();
    Stepper stepper(network, data, TrainerOptions{}, WordPerturbation<>{});
    given = stepper.own_values();
  }
  const auto same_head = [&](ParameterBlock&, ParameterBlock& own) {
    for (const auto& [here, there] : names) own.write(own.table().find(here), parameter(given, there));
  };
  const auto own = testing::detail::run_terms(
      adversarial_network, data, 0, same_head,
      ContrastiveAdversarial({.lambda = 0.3f, .epsilon = 1e-2f, .temperature = 0.2f, .projection = 20}));
  CHECK(own.value > 0);
  CHECK(own.value == approx(other.value).epsilon(1e-5));
  CHECK(testing::detail::relative_difference(own.gradients, other.gradients) < 1e-4);
  for (const auto& [here, there] : names) {
    const Matrix a = parameter(own.own_gradients, here), b = parameter(other.own_gradients, there);
    CHECK(max_difference(a, b) < 1e-4f);
  }
}

TEST_CASE("contrastive adversarial training smooths the labels of both readings") {
  const TrainingData data = tiny_examples(adversarial_labels);
  const auto of = [&](float smoothing, bool perturbed) {
    auto network = adversarial_network();
    const ContrastiveAdversarialOptions o{.epsilon = 1e-6f, .projection = 7, .label_smoothing = smoothing};
    Stepper stepper(network, data, TrainerOptions{.dropout = false}, CrossEntropy{.label_smoothing = smoothing},
                    ContrastiveAdversarial(o));
    const auto& report = stepper.step({.steps = 1}, first_examples(6), 0);
    if (!perturbed) return static_cast<double>(static_cast<float>(*report.terms[0].second));
    for (const auto& [name, value] : report.measures)
      if (name == "perturbed_cross_entropy") return value;
    return -1.0;
  };
  CHECK(of(0, true) == approx(of(0, false)).epsilon(1e-3));
  CHECK(of(0.5f, true) == approx(of(0.5f, false)).epsilon(1e-3));
  CHECK(of(0.5f, true) != approx(of(0, true)).epsilon(1e-2));
}

TEST_CASE("contrastive adversarial training keeps the laws of terms, with either step") {
  for (const WordStep step : {WordStep::sign, WordStep::l2}) {
    const ContrastiveAdversarialOptions o{.epsilon = 1e-3f, .temperature = 0.5f, .projection = 7, .step = step};
    CHECK(adversarial_laws(0.1, CrossEntropy{.weight = o.cross_entropy()}, ContrastiveAdversarial(o)) ==
          testing::BrokenLaws{});
  }
}

TEST_CASE("contrastive adversarial training: a larger step loses more, without gradient there is no term") {
  const TrainingData data = tiny_examples(adversarial_labels);
  const auto numbers = [&](const ContrastiveAdversarialOptions& o, std::string_view which) {
    auto network = adversarial_network();
    Stepper stepper(network, data, TrainerOptions{.dropout = false}, ContrastiveAdversarial(o));
    const auto& report = stepper.step({.steps = 1}, first_examples(6), 0);
    for (const auto& [name, value] : report.measures)
      if (name == which) return value;
    return -1.0;
  };
  const double plain = numbers({.epsilon = 1e-6f}, "perturbed_cross_entropy"),
               near = numbers({.epsilon = 1e-2f}, "perturbed_cross_entropy"),
               far = numbers({.epsilon = 5e-2f}, "perturbed_cross_entropy"),
               direction = numbers({.epsilon = 1e-2f, .step = WordStep::l2}, "perturbed_cross_entropy");
  CHECK(near > plain + 1e-3);
  CHECK(far > near);
  CHECK(direction > plain);
  CHECK(direction < near);
  auto network = adversarial_network();
  network.values().write(network.head().output().weight, Matrix(3, 20));  // zeros: no gradient reaches the words
  Stepper stepper(network, data, TrainerOptions{.dropout = false}, CrossEntropy{}, ContrastiveAdversarial{});
  const auto& report = stepper.step({.steps = 1}, first_examples(6), 0);
  CHECK_FALSE(report.terms[1].second.has_value());
  CHECK(report.measures.back().first == "cat_dropped");
}

TEST_CASE("contrastive adversarial training: one example has no others, and what cannot be meant is refused") {
  const TrainingData data = tiny_examples(adversarial_labels);
  auto network = adversarial_network();
  Stepper stepper(network, data, TrainerOptions{}, ContrastiveAdversarial{});
  CHECK(stepper.step({.steps = 1}, first_examples(1), 1e-3f).finite);
  const auto refused = [&](const ContrastiveAdversarialOptions& o, const TrainerOptions& t = {}) {
    auto other = adversarial_network();
    CHECK_THROWS_AS((Stepper(other, data, t, ContrastiveAdversarial(o))), OptionError);
  };
  refused({.lambda = 1});
  refused({.epsilon = 0});
  refused({.temperature = -1});
  refused({.projection = 0});
  refused({}, {.part_size = 2});
}

TEST_CASE("supervised contrast: the loss of normalized embeddings, absent where no class comes twice") {
  auto network = adversarial_network();
  const TrainingData data = tiny_examples(adversarial_labels);
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = {0, 3, 5, 1}};
  SupervisedContrast term({.weight = 0.5f, .temperature = 0.4f});
  auto start = step.start();
  term.begin_step(start);
  CHECK(start.idle_weight == 0);
  const auto result = step.add(term);
  Batch batch;
  Targets targets;
  data.assign(step.examples, {}, batch, targets);
  Matrix z(4, 20), d(4, 20);
  network.embed(network.values(), batch, std::nullopt, z);
  Cosine().prepare(z);
  CHECK(static_cast<float>(*result.value) == approx(0.5f * InBatchContrast{0.4f}(z, targets.classes, d)).epsilon(1e-5));

  HandmadeStep different{.network = network, .data = data, .clock = {}, .examples = {0, 1, 2}};
  auto other = different.start();
  term.begin_step(other);
  CHECK(other.idle_weight == 0.5f);
  CHECK_FALSE(different.add(term).value.has_value());
}

TEST_CASE("supervised contrast keeps the laws of terms, the released loss too") {
  CHECK(adversarial_laws(0.05, CrossEntropy{.weight = 0.5f},
                         SupervisedContrast({.weight = 0.5f, .temperature = 0.5f})) == testing::BrokenLaws{});
  CHECK(adversarial_laws(0.05, CrossEntropy{.weight = 0.5f},
                         SupervisedContrast({.weight = 0.5f, .temperature = 2, .released = true})) ==
        testing::BrokenLaws{});
  for (const bool released : {false, true})  // the losses of the other's input
    CHECK(adversarial_laws(
              0.05, CrossEntropy{.weight = 0.5f},
              SupervisedContrast({.weight = 0.5f, .temperature = 2, .released = released, .logits = !released})) ==
          testing::BrokenLaws{});
}

TEST_CASE("the average of the values is their mean, and is what is evaluated") {
  auto network = adversarial_network();
  const TrainingData data = tiny_examples(adversarial_labels);
  Stepper stepper(network, data, TrainerOptions{}, CrossEntropy{}, ValueAverage(0.25));
  CHECK(stepper.values_to_evaluate() == nullptr);
  std::vector<double> sum(as_size(network.values().size()), 0.0);
  for (std::uint64_t step = 0; step < 8; ++step) {
    stepper.step({.step = step, .steps = 8}, first_examples(6), 1e-2f);
    if (step < 2) continue;  // a quarter of the run
    double worst = 0;
    for (index_t i = 0; i < network.values().size(); ++i) {
      sum[as_size(i)] += std::as_const(network).values().data()[i];
      worst = std::max(
          worst, std::abs(sum[as_size(i)] / static_cast<double>(step - 1) - stepper.values_to_evaluate()->data()[i]));
    }
    CHECK(worst < 1e-6);
  }
  CHECK(adversarial_laws(0.02, CrossEntropy{}, ValueAverage{}) == testing::BrokenLaws{});
  auto other = adversarial_network();
  CHECK_THROWS_AS((Stepper(other, data, TrainerOptions{}, CrossEntropy{}, ValueAverage(1))), OptionError);
}

TEST_CASE("terms that compare examples: processes give the result of one, also where one of them has none") {
  for (const index_t examples : {6, 5, 2}) {
    check_adversarial_team(examples, CrossEntropy{.weight = 0.4f},
                           ContrastiveAdversarial({.epsilon = 1e-2f, .projection = 9}));
    check_adversarial_team(examples, CrossEntropy{.weight = 0.4f}, SupervisedContrast({.weight = 0.6f}));
    check_adversarial_team(examples, CrossEntropy{}, ValueAverage{});
  }
}
