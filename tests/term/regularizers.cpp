// Smoothness, proximal point and self-distillation: SMART's and self-distillation's terms.
#include "knnbert/term/distillation.hpp"
#include "knnbert/term/proximal.hpp"
#include "knnbert/term/smoothness.hpp"
#include "knnbert/testing/term_laws.hpp"
#include "term/tiny_network.hpp"
#include "term/user_terms.hpp"

using namespace knnbert_test;

namespace {

using LibrarySmoothness = knnbert::Smoothness;

const std::vector<label_t> regularizer_labels{0, 1, 2, 0, 1, 2};
const auto regularized_network = [] { return tiny_network(); };
const auto unchanged = [](ParameterBlock&, ParameterBlock&) {};

template <class... Terms>
testing::detail::TermRun run(const Terms&... terms) {
  return testing::detail::run_terms(regularized_network, tiny_examples(regularizer_labels), 0, unchanged, terms...);
}
template <class... Terms>
testing::BrokenLaws regularizer_laws(double tolerance, const Terms&... terms) {
  return testing::term_laws(regularized_network, tiny_examples(regularizer_labels), tolerance, terms...);
}

/// The values after a few steps.
template <class... Terms>
ParameterBlock regularized(bool dropout, const Terms&... terms) {
  auto network = tiny_network();
  const TrainingData data = tiny_examples(regularizer_labels);
  Stepper stepper(network, data, TrainerOptions{.dropout = dropout}, terms...);
  for (std::uint64_t step = 0; step < 4; ++step) stepper.step({.step = step, .steps = 4}, first_examples(6), 1e-2f);
  return network.values();
}

/// Value and gradients of one step that changes nothing.
template <class... Terms>
testing::detail::TermRun one_step(TinyNetwork network, bool dropout, const Terms&... terms) {
  const TrainingData data = tiny_examples(regularizer_labels);
  Stepper stepper(network, data, TrainerOptions{.clip_norm = 0, .dropout = dropout}, terms...);
  const double value = static_cast<float>(stepper.step({.steps = 1}, first_examples(6), 0).loss);
  return {value, stepper.gradients().block(), stepper.own_gradients().block()};
}

/// The library's noise, for the term of the tests that is compared with PyTorch.
struct SameNoise {
  float sigma;
  template <class Context>
  void operator()(const Context& c, View noise) const {
    const Batch& batch = c.pass.batch();
    for (index_t text = 0; text < batch.size(); ++text) {
      const Rng own = c.clock.rng(Stream::noise).fork(0).fork(static_cast<std::uint64_t>(c.first_example + text));
      const index_t begin = batch.offsets[as_size(text)];
      for (index_t t = begin; t < batch.offsets[as_size(text + 1)]; ++t)
        for (index_t k = 0; k < noise.cols(); ++k)
          noise(t, k) =
              sigma * static_cast<float>(own.normal(static_cast<std::uint64_t>((t - begin) * noise.cols() + k)));
    }
  }
};

/// A model that has values and nothing else.
struct Values {
  ParameterBlock block;
  const ParameterBlock& values() const { return block; }
  const Workers& workers() const {
    static const Workers alone;
    return alone;
  }
};

Values random_values(index_t size) {
  ParameterTable table;
  table.add_vector("v", size);
  Values values{ParameterBlock(std::make_shared<const ParameterTable>(std::move(table)))};
  fill_random(values.block, 1, 0.3);
  return values;
}

}  // namespace

TEST_CASE("smoothness is that of the term that is compared with PyTorch") {
  const SmoothnessOptions options{.weight = 2, .epsilon = 1e-2f, .sigma = 1e-2f, .eta = 5e-3f};
  const auto own = run(LibrarySmoothness(options));
  const auto other = run(knnbert_test::Smoothness<SameNoise>{2, 1e-2f, 5e-3f, {1e-2f}});
  CHECK(own.value > 0);
  CHECK(own.value == approx(other.value).epsilon(1e-6));
  CHECK(testing::detail::relative_difference(own.gradients, other.gradients) < 1e-5);  // 6e-6 was seen with AVX-512
}

TEST_CASE("smoothness keeps the laws of terms") {
  const SmoothnessOptions options{.epsilon = 1e-2f, .sigma = 1e-2f, .eta = 1};
  CHECK(regularizer_laws(0.1, CrossEntropy{}, LibrarySmoothness(options)) == testing::BrokenLaws{});
  SmoothnessOptions token = options;
  token.scope = PerturbationScope::token, token.ascent_steps = 2;
  CHECK(regularizer_laws(0.1, CrossEntropy{}, LibrarySmoothness(token)) == testing::BrokenLaws{});
  CHECK(regularizer_laws(0.1, CrossEntropy{}, BasicSmoothness<SquaredErrorLoss>(options)) == testing::BrokenLaws{});
}

TEST_CASE("smoothness: an ascent finds worse places than noise, in either scale") {
  const auto value = [](const SmoothnessOptions& o) { return run(LibrarySmoothness(o)).value; };
  SmoothnessOptions o{.epsilon = 1e-2f, .sigma = 1e-3f, .eta = 1e-2f, .ascent_steps = 0};
  const double noise = value(o);
  o.ascent_steps = 1;
  const double one = value(o);
  o.ascent_steps = 3;
  const double three = value(o);
  CHECK(noise > 0);
  CHECK(one > 2 * noise);
  CHECK(three >= 0.99 * one);
  o.scale = PerturbationScale::rescaled;
  CHECK(value(o) > 10 * three);  // a perturbation of about 1
  CHECK(value({}) < 1e-6);       // the paper's radius
}

TEST_CASE("smoothness: a weight of 0 is no term, and masks are shared unless others are asked for") {
  CHECK(testing::detail::same_bits(regularized(true, CrossEntropy{}, LibrarySmoothness({.weight = 0})),
                                   regularized(true, CrossEntropy{})));
  const auto value = [](TermDropout dropout) {
    auto network = tiny_network();
    const TrainingData data = tiny_examples(regularizer_labels);
    Stepper stepper(network, data, TrainerOptions{}, LibrarySmoothness({.dropout = dropout}));
    return static_cast<double>(static_cast<float>(stepper.step({.steps = 1}, first_examples(6), 0).loss));
  };
  CHECK(value(TermDropout::shared) < 1e-6);
  CHECK(value(TermDropout::fresh) > 1e-4);
  CHECK(value(TermDropout::off) < 1e-6);
}

TEST_CASE("smoothness without masks is that of a training without dropout, beside a clean pass with them") {
  const SmoothnessOptions options{.epsilon = 1e-2f, .sigma = 1e-2f, .eta = 1, .dropout = TermDropout::off};
  const auto off = one_step(tiny_network(), true, LibrarySmoothness(options)),
             none = one_step(tiny_network(), false, LibrarySmoothness(options));
  CHECK(off.value > 0);
  CHECK(off.value == approx(none.value).epsilon(1e-6));
  CHECK(testing::detail::relative_difference(off.gradients, none.gradients) < 1e-5);
}

TEST_CASE("smoothness and the proximal point of one column compare numbers") {
  const SmoothnessOptions options{.epsilon = 1e-2f, .sigma = 1e-2f, .eta = 1};
  const auto number = [&](const auto& term) { return one_step(tiny_network({}, 1, 1, 1), false, term); };
  const auto own = number(LibrarySmoothness(options)), squared = number(BasicSmoothness<SquaredErrorLoss>(options));
  CHECK(own.value > 0);
  CHECK(own.value == squared.value);
  CHECK(testing::detail::same_bits(own.gradients, squared.gradients));
  CHECK(number(Proximal{}).value == number(BasicProximal<SquaredErrorLoss>{}).value);
}

TEST_CASE("smoothness refuses what cannot be meant") {
  const auto network = tiny_network();
  const TrainingData data = tiny_examples(regularizer_labels);
  const auto prepare = [&](const SmoothnessOptions& o) { LibrarySmoothness(o).prepare(network, data); };
  CHECK_THROWS_AS(prepare({.weight = -1}), OptionError);
  CHECK_THROWS_AS(prepare({.epsilon = 0}), OptionError);
  CHECK_THROWS_AS(prepare({.sigma = 0}), OptionError);
  CHECK_THROWS_AS(prepare({.eta = std::numeric_limits<float>::infinity()}), OptionError);
  CHECK_THROWS_AS(prepare({.ascent_steps = -1}), OptionError);
  CHECK_NOTHROW(prepare({}));
}

TEST_CASE("the proximal point compares with an exponential average of the values before") {
  auto network = tiny_network();
  const TrainingData data = tiny_examples(regularizer_labels);
  Stepper stepper(network, data, TrainerOptions{.dropout = false}, CrossEntropy{},
                  Proximal({.weight = 3, .early_momentum = 0.5f, .momentum = 0.9f, .early_share = 0.5}));
  const ParameterBlock& average = stepper.term<Proximal>().average();
  ParameterBlock expected = network.values();
  for (std::uint64_t step = 0; step < 4; ++step) {
    const auto& report = stepper.step({.step = step, .steps = 4}, first_examples(6), 1e-2f);
    REQUIRE(report.terms.size() == 2);
    const float value = static_cast<float>(*report.terms[1].second);
    if (step == 0) CHECK(value == 0);
    else CHECK(value > 1e-4f);
    const float rate = step < 2 ? 0.5f : 0.1f;
    float* e = expected.data();
    double worst = 0;
    for (index_t i = 0; i < expected.size(); ++i) {
      e[i] += rate * (std::as_const(network).values().data()[i] - e[i]);
      worst = std::max(worst, std::abs(static_cast<double>(e[i]) - average.data()[i]));
    }
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("the proximal point and a teacher add the gradient of their divergence from a constant") {
  auto network = tiny_network(), earlier = tiny_network({.projection_width = 11}, 5);
  const TrainingData data = tiny_examples(regularizer_labels);
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = {0, 3, 5, 1}};
  TinyNetwork::pass_type own, other;
  Batch batch;
  Targets targets;
  data.assign(step.examples, {}, batch, targets);
  network.forward(network.values(), batch, {}, own);
  network.forward(earlier.values(), batch, {}, other);
  Matrix d(4, 3);
  const auto check = [&](auto& term, const auto& divergence, float weight) {
    auto start = step.start();
    term.begin_step(start);
    const auto result = step.add(term);
    CHECK(static_cast<float>(*result.value) ==
          approx(weight * divergence(own.logits(), other.logits(), d)).epsilon(1e-5));
    for (index_t r = 0; r < 4; ++r)
      for (index_t c = 0; c < 3; ++c) CHECK(result.d_logits(r, c) == approx(weight * d(r, c)).margin(1e-6));
  };
  Proximal proximal({.weight = 0.5f});
  proximal.prepare(earlier, data);
  check(proximal, SymmetricKl{}, 0.5f);
  for (const TeacherKind kind : {TeacherKind::window, TeacherKind::vote, TeacherKind::average}) {
    SelfDistillation teacher({.weight = 2, .teacher = kind, .window = 2});
    teacher.prepare(earlier, data);
    teacher.before_update(earlier, step.gradients);
    check(teacher, SquaredErrorLoss{}, 2);
  }
}

TEST_CASE("a window's teacher is the mean of the last values, over a thousand updates") {
  auto model = random_values(50);
  const Gradients none(model.block.shared_table());
  for (const index_t window : {1, 2, 3, 5, 16}) {
    SelfDistillation term({.window = window});
    term.prepare(model, 0);
    CHECK(term.teacher_values() == nullptr);  // nobody teaches the first step
    std::vector<std::vector<float>> all;
    double worst = 0;
    for (index_t update = 0; update < 1100; ++update) {
      fill_random(model.block, static_cast<std::uint64_t>(100 + update), 0.3);
      const float* now = std::as_const(model).block.data();
      all.emplace_back(now, now + 50);
      term.before_update(model, none);
      const index_t count = std::min<index_t>(window, std::ssize(all));
      for (std::size_t i = 0; i < 50; ++i) {
        double mean = 0;
        for (index_t j = 0; j < count; ++j) mean += all[all.size() - 1 - as_size(j)][i];
        worst = std::max(worst, std::abs(mean / static_cast<double>(count) - term.teacher_values()->data()[i]));
      }
    }
    CAPTURE(window);
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("values that an update left as they were are recorded again") {
  auto model = random_values(50);
  const Gradients none(model.block.shared_table());
  const std::vector<Range> ranges{{0, 50}};
  const ParameterBlock first = model.block;
  SelfDistillation term({.window = 3});
  term.prepare(model, 0);
  term.before_update(model, none);
  term.after_update(model, ranges);  // at a rate of 0
  term.before_update(model, none);
  term.after_update(model, ranges);
  fill_random(model.block, 2, 0.3);
  term.before_update(model, none);
  for (index_t i = 0; i < 50; ++i)
    CHECK(term.teacher_values()->data()[i] ==
          approx((2 * first.data()[i] + std::as_const(model).block.data()[i]) / 3).margin(1e-7));
}

TEST_CASE("values that a skipped step left as they were are recorded once") {
  auto model = random_values(50);
  const Gradients none(model.block.shared_table());
  const ParameterBlock first = model.block;
  SelfDistillation term({.window = 2});
  term.prepare(model, 0);
  term.before_update(model, none);
  fill_random(model.block, 2, 0.3);
  for (int repeated = 0; repeated < 3; ++repeated) term.before_update(model, none);
  for (index_t i = 0; i < 50; ++i)
    CHECK(term.teacher_values()->data()[i] ==
          approx((first.data()[i] + std::as_const(model).block.data()[i]) / 2).margin(1e-7));
}

TEST_CASE("an averaged teacher follows at a rate that falls") {
  auto model = random_values(50);
  SelfDistillation term({.teacher = TeacherKind::average});
  term.prepare(model, 0);
  std::vector<double> expected(model.block.data(), model.block.data() + 50);
  const std::vector<Range> ranges{{0, 50}};
  for (index_t update = 0; update < 30; ++update) {
    fill_random(model.block, static_cast<std::uint64_t>(100 + update), 0.3);
    term.after_update(model, ranges);
    const double d = std::min(0.995, (1.0 + static_cast<double>(update)) / (10.0 + static_cast<double>(update)));
    double worst = 0;
    for (std::size_t i = 0; i < 50; ++i) {
      expected[i] -= (1 - d) * (expected[i] - std::as_const(model).block.data()[i]);
      worst = std::max(worst, std::abs(expected[i] - term.teacher_values()->data()[i]));
    }
    CHECK(worst < 1e-5);
  }
}

TEST_CASE("proximal point and self-distillation keep the laws of terms, and without weight they are none") {
  for (const TeacherKind kind : {TeacherKind::window, TeacherKind::vote, TeacherKind::average})
    CHECK(regularizer_laws(0.1, CrossEntropy{}, SelfDistillation({.teacher = kind, .window = 2})) ==
          testing::BrokenLaws{});
  CHECK(regularizer_laws(0.1, CrossEntropy{}, Proximal{}) == testing::BrokenLaws{});
  CHECK(regularizer_laws(0.1, CrossEntropy{}, LibrarySmoothness({.epsilon = 1e-2f, .sigma = 1e-2f, .eta = 1}),
                         Proximal{}, SelfDistillation{}) == testing::BrokenLaws{});
  const auto plain = regularized(true, CrossEntropy{});
  CHECK(testing::detail::same_bits(regularized(true, CrossEntropy{}, SelfDistillation({.weight = 0})), plain));
  CHECK(testing::detail::same_bits(regularized(true, CrossEntropy{}, Proximal({.weight = 0})), plain));
  CHECK_FALSE(testing::detail::same_bits(regularized(true, CrossEntropy{}, SelfDistillation{}), plain));
  CHECK_FALSE(testing::detail::same_bits(regularized(true, CrossEntropy{}, Proximal{}), plain));
}

TEST_CASE("self-distillation refuses what cannot be meant") {
  auto model = random_values(3);
  CHECK_THROWS_AS(SelfDistillation({.window = 0}).prepare(model, 0), OptionError);
  CHECK_THROWS_AS(SelfDistillation({.weight = -1}).prepare(model, 0), OptionError);
  CHECK_THROWS_AS(SelfDistillation({.teacher = TeacherKind::vote, .evaluate_teacher = true}).prepare(model, 0),
                  OptionError);
  SelfDistillation evaluated({.evaluate_teacher = true});
  evaluated.prepare(model, 0);
  CHECK(evaluated.values_to_evaluate() == nullptr);
  evaluated.before_update(model, Gradients(model.block.shared_table()));
  CHECK(evaluated.values_to_evaluate() == evaluated.teacher_values());
}
