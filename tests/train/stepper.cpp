// One training step by hand: gradients, parts, terms that come and go, steps that must not count.
#include "knnbert/train/stepper.hpp"

#include "term/tiny_network.hpp"

using namespace knnbert_test;

namespace {

const std::vector<label_t> gold{0, 1, 2, 0, 1, 0, 0, 2, 1, 1};

bool same_bits(const ParameterBlock& a, const ParameterBlock& b) {
  return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

/// A contrast with a queue that stays as it is, so that the loss is a function of the parameters.
QueueContrastive fixed_contrast() {
  return QueueContrastive({.weight = 0.4f,
                           .momentum = 1,
                           .capacity = 20,
                           .positives = 0,
                           .warm_up = false,
                           .contrast = {.temperature = 0.3f, .most_similar = 4, .least_similar = 1}});
}
template <class Term>
void fill_queue(Term& term) {
  Matrix keys = random_matrix(12, 11, 5);
  Cosine().prepare(keys);
  term.queue().push(keys, std::vector<label_t>{0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 0, 2});
}

/// Adds a gradient that is not finite in chosen steps.
struct Poison {
  static constexpr std::string_view name = "poison";
  std::vector<std::uint64_t> steps;
  bool in_loss = false;
  std::shared_ptr<std::vector<std::string>> log = std::make_shared<std::vector<std::string>>();

  template <class Start>
  void begin_step(Start&) {
    log->push_back("begin");
  }
  template <class Context>
  TermValue add(Context& context) {
    log->push_back("add");
    if (std::find(steps.begin(), steps.end(), context.clock.step) == steps.end()) return 0.0f;
    if (in_loss) return std::numeric_limits<float>::quiet_NaN();
    context.d_logits(0, 0) = std::numeric_limits<float>::infinity();
    return 0.0f;
  }
  template <class Model>
  void after_update(const Model&, std::span<const Range>) {
    log->push_back("after");
  }
};

}  // namespace

TEST_CASE("step: the gradient of the joint loss by central differences, every parameter, with dropout") {
  for (const Pooling pooling : {Pooling::mean, Pooling::pooler}) {
    auto network = tiny_network({.pooling = pooling, .projection_width = 11, .threads = 2});
    const auto data = tiny_examples(gold);
    const auto all = first_examples(10);
    const TrainerOptions options{.clip_norm = 0};
    const auto loss = [&] {
      Stepper stepper(network, data, options, CrossEntropy{0.6f, 0.1f}, fixed_contrast());
      fill_queue(stepper.term<QueueContrastive>());
      return static_cast<double>(stepper.step({}, all, 0).loss);
    };
    Stepper stepper(network, data, options, CrossEntropy{0.6f, 0.1f}, fixed_contrast());
    fill_queue(stepper.term<QueueContrastive>());
    const auto report = stepper.step({}, all, 0);
    CHECK(report.examples == 10);
    CHECK(report.tokens == data.tokens().tokens());
    CHECK(report.terms.size() == 2);
    CHECK(report.terms[0].first == "cross_entropy");
    CHECK(*report.terms[0].second + *report.terms[1].second == approx(report.loss));
    const Gradients gradients = stepper.gradients();
    index_t moved = 0;
    for (index_t p = 0; p < network.values().table().count(); ++p) {
      const auto s = slopes_of_parameter(network.values(), gradients, p, 0.03, loss);
      CAPTURE(network.values().table()[p].name, s.numeric, s.analytic, s.size);
      CHECK(std::abs(s.numeric - s.analytic) < 2e-3 * s.size + 2e-5);
      moved += s.size > 1e-4;
    }
    CHECK(moved >= network.values().table().count() - (pooling == Pooling::mean ? 4 : 2));
  }
}

TEST_CASE("step: parts have the loss, gradient and result of the whole, with dropout") {
  const auto data = tiny_examples(gold);
  const auto all = first_examples(10);
  const auto run = [&](index_t part_size) {
    auto network = tiny_network();
    const TrainerOptions options{.part_size = part_size, .clip_norm = 0};
    Stepper stepper(network, data, options, CrossEntropy{0.6f}, fixed_contrast());
    fill_queue(stepper.term<QueueContrastive>());
    const auto report = stepper.step({}, all, 0);
    return std::pair(report, stepper.gradients());
  };
  const auto [whole, expected] = run(0);
  for (const index_t size : {1, 3, 4, 9, 10, 100}) {
    const auto [report, gradients] = run(size);
    CAPTURE(size);
    CHECK(report.loss == approx(whole.loss).epsilon(1e-6));
    CHECK(report.gradient_norm == approx(whole.gradient_norm).epsilon(1e-5));
    CHECK(report.tokens == whole.tokens);
    const auto& table = expected.table();
    for (index_t p = 0; p < table.count(); ++p) {
      double worst = 0, most = 0;
      for (index_t i = table[p].offset; i < table[p].offset + table[p].size; ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(expected.data()[i]) - gradients.data()[i]));
        most = std::max(most, std::abs(static_cast<double>(expected.data()[i])));
      }
      CAPTURE(table[p].name, worst, most);
      // The gradient of a key bias is rounding noise: a softmax does not see a shift.
      CHECK(worst <= 1e-5 * std::max(most, 1e-3));
    }
  }
}

/// Absent from some steps.
struct Silent {
  static constexpr std::string_view name = "silent";
  std::shared_ptr<int> updates = std::make_shared<int>(0);

  template <class Context>
  TermValue add(Context& context) {
    return context.clock.step == 1 ? TermValue() : TermValue(0.0f);
  }
  template <class Model>
  void after_update(const Model&, std::span<const Range>) {
    ++*updates;
  }
};

TEST_CASE("step: without any term nothing moves, and no term hears of an update") {
  const auto data = tiny_examples(gold);
  auto network = tiny_network();
  Silent silent;
  Stepper stepper(network, data, {}, silent);
  for (std::uint64_t s = 0; s < 3; ++s) stepper.step({.step = s, .steps = 3}, first_examples(4), 1e-3f);
  CHECK(*silent.updates == 2);
}

TEST_CASE("step: a loss or gradient that is not finite changes nothing but the report") {
  const auto data = tiny_examples(gold);
  const auto all = first_examples(10);
  for (const bool in_loss : {false, true}) {
    auto network = tiny_network(), other = tiny_network();
    Stepper stepper(network, data, {}, CrossEntropy{}, Poison{.steps = {2}, .in_loss = in_loss});
    Stepper clean(other, data, {}, CrossEntropy{});
    for (std::uint64_t s = 0; s < 5; ++s) {
      const ParameterBlock before = network.values();
      const auto report = stepper.step({.step = s}, all, 1e-3f);
      CHECK(report.finite == (s != 2));
      CHECK(same_bits(before, network.values()) == (s == 2));
      if (s != 2) clean.step({.step = s}, all, 1e-3f);
    }
    CHECK(same_bits(network.values(), other.values()));
  }
}

TEST_CASE("step: terms hear of the beginning, of every part and of updates that happened") {
  const auto data = tiny_examples(gold);
  auto network = tiny_network();
  const Poison recorder{.steps = {1}};
  Stepper stepper(network, data, {.part_size = 4}, CrossEntropy{}, recorder);
  stepper.step({.step = 0}, first_examples(10), 1e-3f);
  CHECK(*recorder.log == std::vector<std::string>{"begin", "add", "add", "add", "after"});
  recorder.log->clear();
  stepper.step({.step = 1}, first_examples(4), 1e-3f);
  CHECK(*recorder.log == std::vector<std::string>{"begin", "add"});
}

TEST_CASE("step: without a valid anchor the cross entropy has the whole weight") {
  const auto data = tiny_examples(gold);
  auto network = tiny_network(), other = tiny_network();
  Stepper joint(network, data, {}, CrossEntropy{0.6f}, fixed_contrast());
  Stepper alone(other, data, {}, CrossEntropy{1});
  const std::vector<index_t> one_class{0, 3, 5, 6};
  const auto a = joint.step({}, one_class, 1e-3f), b = alone.step({}, one_class, 1e-3f);
  CHECK(a.loss == approx(b.loss).epsilon(1e-6));
  CHECK_FALSE(a.terms[1].second.has_value());
  CHECK(a.gradient_norm == approx(b.gradient_norm).epsilon(1e-6));
}

TEST_CASE("step: weights decay in rows that no text has used, and the key encoder follows there too") {
  const auto data = tiny_examples(gold);
  auto network = tiny_network();
  auto o = static_cast<QueueContrastiveOptions>(fixed_contrast());
  o.momentum = 0.5f;
  Stepper stepper(network, data, {.weight_decay = 0.5f}, CrossEntropy{0.6f}, QueueContrastive(o));
  fill_queue(stepper.term<QueueContrastive>());
  std::vector<double> expected(network.values().data(), network.values().data() + network.values().size());
  const std::vector<index_t> few{0, 1};
  for (std::uint64_t s = 0; s < 4; ++s) {
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += 0.5 * (network.values().data()[i] - expected[i]);
    stepper.step({.step = s}, few, 0.1f);
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(stepper.term<QueueContrastive>().key_values().data()[i] - expected[i]));
    CAPTURE(s);
    CHECK(worst < 1e-5);
  }
}

TEST_CASE("step: heads may learn at a rate of their own") {
  const auto data = tiny_examples(gold);
  auto network = tiny_network();
  const ParameterBlock before = network.values();
  Stepper stepper(network, data, {.learning_rate = 1e-5f, .head_learning_rate = 1e-2f}, CrossEntropy{});
  stepper.step({}, first_examples(10), 1e-5f);
  const auto& table = before.table();
  for (index_t p = 0; p < table.count(); ++p) {
    double most = 0;
    for (index_t i = table[p].offset; i < table[p].offset + table[p].size; ++i)
      most = std::max(most, std::abs(static_cast<double>(network.values().data()[i]) - before.data()[i]));
    CAPTURE(table[p].name);
    // The first step of Adam moves by the rate, whatever the gradient.
    if (table[p].name.starts_with("classifier.")) CHECK(most == approx(1e-2).epsilon(0.01));
    else CHECK(most < 1.2e-5);
  }
}

TEST_CASE("step: the norm is reported before clipping") {
  const auto data = tiny_examples(gold);
  const auto norm_of = [](const Gradients& g) {
    double sum = 0;
    for (index_t i = 0; i < g.table().size(); ++i) sum += static_cast<double>(g.data()[i]) * g.data()[i];
    return std::sqrt(sum);
  };
  auto network = tiny_network(), other = tiny_network();
  const ParameterBlock before = network.values();
  const auto largest_move = [&](const ParameterBlock& values) {
    float most = 0;
    for (index_t i = 0; i < values.size(); ++i) most = std::max(most, std::abs(values.data()[i] - before.data()[i]));
    return most;
  };
  constexpr float rate = 1e-3f;
  // The first step of Adam moves by the rate, unless the gradient is small beside its epsilon, 1e-8.
  Stepper free(network, data, {.clip_norm = 0}, CrossEntropy{}),
      clipped(other, data, {.clip_norm = 1e-9f}, CrossEntropy{});
  const auto a = free.step({}, first_examples(10), rate), b = clipped.step({}, first_examples(10), rate);
  CHECK(a.gradient_norm == approx(norm_of(free.gradients())).epsilon(1e-6));
  CHECK(a.gradient_norm > 0.02);
  CHECK(b.gradient_norm == a.gradient_norm);
  CHECK(largest_move(network.values()) == approx(rate).epsilon(1e-2));
  CHECK(largest_move(other.values()) < 0.11f * rate);
}
