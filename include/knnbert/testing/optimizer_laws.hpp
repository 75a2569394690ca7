#pragma once
#include "knnbert/optimizer/concept.hpp"
#include "knnbert/testing/laws.hpp"
#include "knnbert/testing/memory_archive.hpp"

namespace knnbert::inline v0_1::testing {

/// A small model for tests of optimizers: a weight, a bias that does not decay, and a lookup table of 9 rows.
struct SmallModel {
  std::shared_ptr<const ParameterTable> table = [] {
    auto t = std::make_shared<ParameterTable>();
    t->add_weight("weight", 40, 70);
    t->add_vector("bias", 70);
    t->add_lookup("words", 9, 11);
    return t;
  }();
  ParameterBlock values{table};
  Gradients gradients{table};

  explicit SmallModel(std::uint64_t seed = 1) { randomize(values.data(), 0, table->size(), seed); }

  /// Random gradients everywhere but in rows of the lookup table that are not named.
  void draw_gradients(std::uint64_t seed, std::span<const index_t> rows) {
    gradients.clear();
    randomize(gradients.data(), 0, table->dense_size(), seed);
    for (const index_t row : rows) {
      gradients.touch(row);
      randomize(gradients.data(), table->lookup().offset + row * 11, 11, seed);
    }
  }
  View lookup() { return {values.slice(2), 9, 11}; }
  ConstView all() const { return {values.data(), 1, table->size()}; }

 private:
  static void randomize(float* data, index_t first, index_t count, std::uint64_t seed) {
    const Rng rng(seed, Stream::noise);
    for (index_t i = first; i < first + count; ++i)
      data[i] = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i)));
  }
};

/// The laws of Optimizer, of a fresh one.
template <Optimizer O>
BrokenLaws optimizer_laws(const O& fresh = O()) {
  BrokenLaws broken;
  const std::vector<index_t> some{2, 5}, other{5, 7};
  SmallModel one, many, frozen, resumed;
  O first = fresh, second = fresh, third = fresh;
  const Workers team(3);
  const std::vector<float> multipliers{0, 1, 1};
  for (std::uint64_t step = 0; step < 3; ++step)
    for (SmallModel* model : {&one, &many, &frozen}) {
      model->draw_gradients(step, step == 0 ? some : other);
      if (model == &one) first.step(model->values, model->gradients, 0.1f, Workers(), {});
      if (model == &many) second.step(model->values, model->gradients, 0.1f, team, {});
      if (model == &frozen) third.step(model->values, model->gradients, 0.1f, Workers(), multipliers);
    }
  expect(broken, same_bits(one.all(), many.all()), "the same bits for any number of workers");
  const SmallModel start;
  const auto weight = [&](const SmallModel& m) { return ConstView(m.values.slice(0), 1, (*m.table)[0].size); };
  const auto bias = [&](const SmallModel& m) { return ConstView(m.values.slice(1), 1, 70); };
  expect(broken, same_bits(weight(frozen), weight(start)), "a multiplier of 0 freezes a parameter");
  expect(broken, same_bits(bias(frozen), bias(one)), "a multiplier of 0 leaves the other parameters alone");

  MemoryArchive archive;
  O saved = first, restored = fresh;
  if constexpr (requires { saved.archive(archive); }) {
    saved.archive(archive);
    archive.rewind();
    restored.archive(archive);
  }
  resumed = one;
  for (SmallModel* model : {&one, &resumed}) model->draw_gradients(9, some);
  first.step(one.values, one.gradients, 0.1f, Workers(), {});
  restored.step(resumed.values, resumed.gradients, 0.1f, Workers(), {});
  expect(broken, same_bits(one.all(), resumed.all()), "a restored optimizer continues with the same bits");

  SmallModel hill;  // |x|^2 / 2: the gradient is x
  const auto square = [&] {
    double total = 0;
    for (index_t i = 0; i < hill.table->size(); ++i)
      total += static_cast<double>(hill.values.data()[i]) * hill.values.data()[i];
    return total;
  };
  O descent = fresh;
  const double before = square();
  for (int step = 0; step < 50; ++step) {
    hill.gradients.clear();
    for (index_t row = 0; row < 9; ++row) hill.gradients.touch(row);
    std::copy_n(hill.values.data(), hill.table->size(), hill.gradients.data());
    descent.step(hill.values, hill.gradients, 0.05f, Workers(), {});
  }
  expect(broken, square() < 0.2 * before, "steps go downhill");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
