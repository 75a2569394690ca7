#include "catch.hpp"
#include "knnbert/optimizer/adamw.hpp"
#include "knnbert/optimizer/clip.hpp"
#include "knnbert/optimizer/schedule.hpp"
#include "knnbert/optimizer/sgd.hpp"
#include "knnbert/testing/optimizer_laws.hpp"
#include "knnbert/testing/schedule_laws.hpp"

using namespace knnbert;
using knnbert::testing::SmallModel;
using knnbert_test::approx;

namespace {

/// Adam in double, straight from the paper.
struct PlainAdam {
  double x, m = 0, v = 0;
  int t = 0;
  void step(double g, double rate, double decay) {
    ++t;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    x -= rate * decay * x;
    x -= rate * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
  }
};

/// Gradient descent, with no more than the concept asks for.
struct WithoutState {
  void step(ParameterBlock& values, Gradients& gradients, float rate, const Workers&,
            std::span<const float> multipliers) {
    const auto& all = values.table().all();
    for (std::size_t p = 0; p < all.size(); ++p)
      for (index_t i = all[p].offset; i < all[p].offset + all[p].size; ++i)
        values.data()[i] -= rate * (multipliers.empty() ? 1.0f : multipliers[p]) * std::as_const(gradients).data()[i];
  }
};

struct ForgetsState : Sgd {
  ForgetsState() : Sgd({.momentum = 0.9f}) {}
  template <class Archive>
  void archive(Archive&) {}
};

}  // namespace

TEST_CASE("optimizers keep their laws", "[optimizer]") {
  CHECK(testing::optimizer_laws<AdamW>() == testing::BrokenLaws{});
  CHECK(testing::optimizer_laws(AdamW({.weight_decay = 0.1f})) == testing::BrokenLaws{});
  CHECK(testing::optimizer_laws<Sgd>() == testing::BrokenLaws{});
  CHECK(testing::optimizer_laws(Sgd({.momentum = 0.9f})) == testing::BrokenLaws{});
  CHECK(testing::optimizer_laws<WithoutState>() == testing::BrokenLaws{});
  CHECK_FALSE(testing::optimizer_laws<ForgetsState>().empty());
}

namespace {

struct NegativeSchedule {
  explicit NegativeSchedule(const ScheduleOptions& o) : total(o.total) {}
  double operator()(index_t update) const { return static_cast<double>(total / 2 - update); }
  index_t total;
};

}  // namespace

TEST_CASE("schedules keep their laws", "[optimizer]") {
  CHECK(testing::schedule_laws<SelectedSchedule>() == testing::BrokenLaws{});
  CHECK_FALSE(testing::schedule_laws<NegativeSchedule>().empty());
}

TEST_CASE("AdamW follows the paper, with decay where parameters decay", "[optimizer]") {
  const float decay = GENERATE(0.0f, 0.3f);
  SmallModel model;
  AdamW optimizer({.weight_decay = decay});
  const auto& table = *model.table;
  std::vector<PlainAdam> plain;
  for (index_t i = 0; i < table.size(); ++i) plain.push_back({model.values.data()[i]});
  const std::vector<index_t> rows{1, 8};
  for (std::uint64_t step = 0; step < 6; ++step) {
    model.draw_gradients(step, rows);
    const float rate =
        0.05f * static_cast<float>(step);  // 0 at first, as in a warm-up: moments move, parameters do not
    for (index_t p = 0; p < table.count(); ++p)
      for (index_t i = table[p].offset; i < table[p].offset + table[p].size; ++i)
        plain[static_cast<std::size_t>(i)].step(model.gradients.data()[i], rate, table[p].decays ? decay : 0);
    optimizer.step(model.values, model.gradients, rate);
  }
  CHECK_FALSE(table[1].decays);
  double worst = 0;
  for (index_t p = 0; p < table.count(); ++p)
    for (index_t i = table[p].offset; i < table[p].offset + table[p].size; ++i)
      worst = std::max(worst, std::abs(model.values.data()[i] - plain[static_cast<std::size_t>(i)].x));
  CHECK(worst < 2e-6);
}

TEST_CASE("AdamW::clipped_step is clip_global_norm and a step, to the bit", "[optimizer]") {
  const double limit = GENERATE(0.0, 0.5, 1e6);
  SmallModel apart, together;
  AdamW one({.weight_decay = 0.1f}), two({.weight_decay = 0.1f});
  for (std::uint64_t step = 0; step < 3; ++step) {
    apart.draw_gradients(step, std::vector<index_t>{2, 5});
    together.draw_gradients(step, std::vector<index_t>{2, 5});
    const double norm = clip_global_norm(apart.gradients, limit);
    one.step(apart.values, apart.gradients, 0.01f);
    CHECK(two.clipped_step(together.values, together.gradients, limit, 0.01f, Workers(3)) == norm);
  }
  CHECK(testing::same_bits(apart.all(), together.all()));
  const SmallModel before = together;
  two.clipped_step(together.values, together.gradients, limit, 0.01f, Workers(), {}, false);
  together.gradients.data()[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(std::isfinite(two.clipped_step(together.values, together.gradients, limit, 0.01f)));
  CHECK(testing::same_bits(together.all(), before.all()));
  CHECK(two.updates() == 3);
}

TEST_CASE("untouched rows of the lookup table: skipped without decay, decayed exactly with it", "[optimizer]") {
  const float decay = GENERATE(0.0f, 0.3f);
  SmallModel sparse, dense;
  AdamW one({.weight_decay = decay}), two({.weight_decay = decay});
  for (std::uint64_t step = 0; step < 4; ++step) {
    const std::vector<index_t> rows{static_cast<index_t>(step), 6};
    sparse.draw_gradients(step, rows);
    dense.draw_gradients(step, rows);
    for (index_t row = 0; row < 9; ++row) dense.gradients.touch(row);
    one.step(sparse.values, sparse.gradients, 0.01f);
    two.step(dense.values, dense.gradients, 0.01f);
  }
  CHECK(testing::same_bits(sparse.all(), dense.all()));
  const SmallModel start;
  CHECK((start.values.slice(2)[8 * 11] == sparse.values.slice(2)[8 * 11]) == (decay == 0));
}

TEST_CASE("multipliers scale the rate of single parameters", "[optimizer]") {
  SmallModel scaled, faster;
  AdamW one, two;
  const std::vector<index_t> rows{0};
  scaled.draw_gradients(1, rows);
  faster.draw_gradients(1, rows);
  one.step(scaled.values, scaled.gradients, 0.01f, Workers(), std::vector<float>{1, 10, 1});
  two.step(faster.values, faster.gradients, 0.1f);
  for (index_t i = 0; i < 70; ++i) CHECK(scaled.values.slice(1)[i] == approx(faster.values.slice(1)[i]));
  CHECK(scaled.values.slice(0)[0] != faster.values.slice(0)[0]);
  CHECK_THROWS_AS(one.step(scaled.values, scaled.gradients, 0.1f, Workers(), std::vector<float>{1}), ShapeError);
}

TEST_CASE("optimizers refuse bad options, blocks and archives", "[optimizer]") {
  CHECK_THROWS_AS(AdamW({.beta1 = 1}), OptionError);
  CHECK_THROWS_AS(AdamW({.epsilon = 0}), OptionError);
  CHECK_THROWS_AS(AdamW({.weight_decay = -1}), OptionError);
  CHECK_THROWS_AS(Sgd({.momentum = 1}), OptionError);
  SmallModel model;
  auto table = std::make_shared<ParameterTable>();
  table->add_vector("x", 3);
  ParameterBlock other{std::shared_ptr<const ParameterTable>(table)};
  AdamW adam;
  CHECK_THROWS_AS(adam.step(other, model.gradients, 0.1f), ShapeError);
  CHECK(adam.updates() == 0);
  adam.step(model.values, model.gradients, 0.1f);
  Gradients small{std::shared_ptr<const ParameterTable>(table)};
  CHECK_THROWS_AS(adam.step(other, small, 0.1f), ShapeError);  // its state belongs to the larger model
  testing::MemoryArchive archive;
  adam.archive(archive);
  archive.floats("second_moment").pop_back();
  archive.rewind();
  CHECK_THROWS_AS(adam.archive(archive), FormatError);
  CHECK(adam.updates() == 1);
}

TEST_CASE("clipping scales to the norm and reports it", "[optimizer]") {
  SmallModel model, same;
  const std::vector<index_t> rows{3, 4};
  model.draw_gradients(2, rows);
  same.draw_gradients(2, rows);
  double exact = 0;
  for (index_t i = 0; i < model.table->size(); ++i)
    exact += static_cast<double>(model.gradients.data()[i]) * model.gradients.data()[i];
  const double norm = clip_global_norm(model.gradients, 1.0);
  CHECK(norm == approx(std::sqrt(exact)).epsilon(1e-6));
  CHECK(clip_global_norm(same.gradients, 1.0, Workers(3)) == norm);
  CHECK(testing::same_bits({model.gradients.data(), 1, model.table->size()},
                           {same.gradients.data(), 1, model.table->size()}));
  CHECK(clip_global_norm(model.gradients, 0) == approx(1).epsilon(1e-5));  // 0: only measured
  const float kept = model.gradients.data()[0];
  CHECK(clip_global_norm(model.gradients, 5.0) == approx(1).epsilon(1e-5));
  CHECK(model.gradients.data()[0] == kept);
}

TEST_CASE("clipping: zero, huge and non-finite gradients", "[optimizer]") {
  SmallModel model;
  CHECK(clip_global_norm(model.gradients, 1.0) == 0);
  float* g = model.gradients.data();
  g[3] = 3e30f, g[100] = 4e30f;  // squares overflow a float, the norm does not
  CHECK(clip_global_norm(model.gradients, 1.0) == approx(5e30));
  CHECK(g[3] == approx(0.6));
  g[5] = std::numeric_limits<float>::infinity();
  CHECK_FALSE(std::isfinite(clip_global_norm(model.gradients, 1.0)));
  CHECK(g[3] == approx(0.6));
  g[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(std::isfinite(clip_global_norm(model.gradients, 1.0)));
}

TEST_CASE("schedules at their corners", "[optimizer]") {
  CHECK(ConstantSchedule{}(0) == 1);
  CHECK(ConstantSchedule{4}(1) == 0.25);
  const LinearSchedule linear{10, 110};
  CHECK(linear(0) == 0);
  CHECK(linear(5) == 0.5);
  CHECK(linear(10) == 1);
  CHECK(linear(60) == 0.5);
  CHECK(linear(110) == 0);
  CHECK(linear(500) == 0);
  CHECK(LinearSchedule{0, 0}(0) == 0);
  const CosineSchedule cosine{10, 110};
  CHECK(cosine(5) == 0.5);
  CHECK(cosine(10) == 1);
  CHECK(cosine(60) == approx(0.5));
  CHECK(cosine(110) == approx(0).margin(1e-12));
}
