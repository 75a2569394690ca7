// Training that leaves the embedding and the first blocks of the encoder as they are.
#include "knnbert/testing/laws.hpp"
#include "knnbert/train/trainer.hpp"
#include "term/tiny_network.hpp"
#include "term/user_terms.hpp"
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

const std::vector<label_t> frozen_gold{0, 1, 2, 0, 1, 0, 0, 2, 1, 1};

TinyNetwork three_blocks() { return tiny_network({.pooling = Pooling::pooler, .projection_width = 11}, 1, 3); }

/// Lets a gradient enter at the first rows of every layer.
struct EveryLayer {
  static constexpr std::string_view name = "every_layer";
  template <class Context>
  TermValue add(Context& c) const {
    for (index_t l = 0; l <= c.pass.layers(); ++l) add_rows(first_of(c, l), c.entering.d_hidden(l, HiddenRows::first));
    return 0.0f;
  }
  template <class Context>
  static Matrix first_of(Context& c, index_t layer) {
    Matrix rows(c.pass.batch().size(), c.model.width());
    first_rows(c.pass.hidden(layer), c.pass.batch().offsets, rows);
    return rows;
  }
};

/// Steps with dropout, weight decay, a term that perturbs the embedding, and one that reaches into every layer.
struct FrozenRun {
  TinyNetwork network = three_blocks();
  ParameterBlock start = network.values();
  TrainingData data = tiny_examples(frozen_gold);
  Gradients first;
  double norm = 0;

  explicit FrozenRun(index_t frozen, int steps = 3) {
    const TrainerOptions options{.frozen_layers = frozen, .weight_decay = 0.1f, .clip_norm = 0};
    Stepper stepper(network, data, options, CrossEntropy{0.6f}, Smoothness<>{.epsilon = 0.1f, .noise = {0.01f}},
                    EveryLayer{});
    for (int i = 0; i < steps; ++i) {
      const StepClock clock{.step = static_cast<std::uint64_t>(i)};
      const auto& report = stepper.step(clock, first_examples(10), 1e-2f);
      if (i == 0) first = stepper.gradients(), norm = report.gradient_norm;
    }
  }

  /// Whether the steps changed a parameter.
  bool moved(index_t p) const {
    const Parameter& parameter = start.table()[p];
    return std::memcmp(start.slice(p), network.values().slice(p),
                       static_cast<std::size_t>(parameter.size) * sizeof(float)) != 0;
  }
};

/// Whether a parameter is of the embedding or of the first blocks.
bool lies_below(const std::string& name, index_t blocks) {
  if (name.starts_with("embeddings.")) return true;
  for (index_t b = 0; b < blocks; ++b)
    if (name.starts_with(format("encoder.layer.{}.", b))) return true;
  return false;
}

}  // namespace

TEST_CASE("frozen layers: what is frozen keeps its bits, the rest has the gradients of a whole pass") {
  const FrozenRun whole(0);
  const auto& table = whole.start.table();
  for (const index_t frozen : {1, 2, 3}) {
    FrozenRun run(frozen);
    double squares = 0;
    for (index_t p = 0; p < table.count(); ++p) {
      CAPTURE(frozen, table[p].name);
      if (lies_below(table[p].name, frozen)) {
        CHECK_FALSE(run.moved(p));
        continue;
      }
      const auto bytes = static_cast<std::size_t>(table[p].size) * sizeof(float);
      CHECK(std::memcmp(run.first.slice(p), whole.first.slice(p), bytes) == 0);
      for (index_t i = 0; i < table[p].size; ++i) squares += std::pow(static_cast<double>(run.first.slice(p)[i]), 2);
      if (!table[p].name.starts_with("projection.")) CHECK(run.moved(p));
    }
    CHECK(run.norm == approx(std::sqrt(squares)).epsilon(1e-6));
    CHECK(run.norm < whole.norm);
  }
}

TEST_CASE("frozen layers: gradients of what is frozen are not computed") {
  FrozenRun run(2, 1);
  const auto& table = run.start.table();
  for (index_t p = 0; p < table.count(); ++p) {
    if (!lies_below(table[p].name, 2)) continue;
    CAPTURE(table[p].name);
    CHECK(std::all_of(run.first.slice(p), run.first.slice(p) + table[p].size, [](float g) { return g == 0; }));
  }
  CHECK(run.first.inactive_ranges().empty());
  for (const Range range : run.first.ranges())
    CHECK((range.begin >= run.first.frozen_before() && range.end <= table.dense_size()));
}

TEST_CASE("frozen layers: a pass that is asked for rows goes all the way down") {
  const auto network = three_blocks();
  const auto data = tiny_examples(frozen_gold);
  Batch batch;
  Targets targets;
  data.assign(first_examples(4), {}, batch, targets);
  TinyNetwork::pass_type pass;
  network.forward(network.values(), batch, {}, pass);
  const Matrix d = random_matrix(4, 3, 3);
  Gradients all(network.values().shared_table()), some = all;
  some.freeze_before(network.encoder().layer_ends(all.table()).back());
  Matrix expected, got;
  network.backward(network.values(), pass, {.d_logits = d, .parameters = &all, .d_output = &expected});
  network.backward(network.values(), pass, {.d_logits = d, .parameters = &some, .d_output = &got});
  CHECK(knnbert::testing::largest_difference(expected, got) == 0);
  CHECK(some.step_rows().empty());
}

TEST_CASE("frozen layers: more than there are, or of an encoder that has none, are refused") {
  auto network = three_blocks();
  const auto data = tiny_examples(frozen_gold);
  try {
    Stepper(network, data, {.frozen_layers = 4}, CrossEntropy{});
    FAIL("no error");
  } catch (const OptionError& e) {
    CHECK(std::string(e.what()).find("TrainerOptions::frozen_layers: 4 given, at most 3 expected") !=
          std::string::npos);
  }
  CHECK_THROWS_AS((TrainerOptions{.frozen_layers = -1}.validate()), OptionError);
}
