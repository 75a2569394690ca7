// Optimizers and schedules against PyTorch and transformers: tests/reference/losses.py writes the dumps.
#include "../dump.hpp"
#include "knnbert/optimizer/adamw.hpp"
#include "knnbert/optimizer/clip.hpp"
#include "knnbert/optimizer/schedule.hpp"
#include "knnbert/optimizer/sgd.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

struct Replay {
  const SafeTensors& dump;
  std::shared_ptr<const ParameterTable> table = [] {
    auto t = std::make_shared<ParameterTable>();
    t->add_weight("weight", 40, 30);
    t->add_vector("bias", 30);
    t->add_lookup("words", 50, 12);
    return t;
  }();

  template <class O>
  void run(const std::string& name, O optimizer, double max_norm, std::span<const float> multipliers) const {
    ParameterBlock values(table), gradients_in_layout(table), expected(table);
    Gradients gradients(table);
    fill(values, "start.");
    const auto rates = doubles_of(dump, "rate");
    for (index_t step = 0; step < std::ssize(rates); ++step) {
      CAPTURE(name, step);
      const auto number = std::to_string(step);
      gradients.clear();
      fill(gradients_in_layout, "gradient." + number + ".");
      for (const index_t row : {step, 2 * step + 1, index_t{30}}) gradients.touch(row);
      std::copy_n(gradients_in_layout.data(), table->size(), gradients.data());
      if (max_norm > 0) clip_global_norm(gradients, max_norm);
      optimizer.step(values, gradients, static_cast<float>(rates[static_cast<std::size_t>(step)]), Workers(),
                     multipliers);
      fill(expected, name + "." + number + ".");
      CHECK(relative_difference({values.data(), 1, table->size()}, {expected.data(), 1, table->size()}) < 1e-6);
    }
  }

 private:
  void fill(ParameterBlock& block, const std::string& prefix) const {
    for (index_t p = 0; p < table->count(); ++p) block.write(p, matrix_of(dump, prefix + (*table)[p].name));
  }
};

}  // namespace

TEST_CASE("optimizers agree with PyTorch over ten steps", "[optimizer][reference]") {
  const auto dump = open_dump("optimizer.safetensors");
  if (!dump) return;
  const Replay replay{*dump};
  replay.run("adamw", AdamW{}, 1.0, {});
  replay.run("adamw_decay", AdamW({.weight_decay = 0.2f}), 0, std::vector<float>{1, 10, 1});
  replay.run("sgd", Sgd({.momentum = 0.9f}), 0, {});
}

TEST_CASE("schedules agree with transformers", "[optimizer][reference]") {
  const auto dump = open_dump("schedules.safetensors");
  if (!dump) return;
  const auto check = [&](const std::string& name, auto schedule) {
    const auto factors = doubles_of(*dump, name);
    for (std::size_t step = 0; step < factors.size(); ++step) {
      CAPTURE(name, step);
      CHECK(schedule(static_cast<index_t>(step)) == approx(factors[step]).epsilon(1e-12).margin(1e-15));
    }
  };
  for (const auto& [warmup, total] : {std::pair<index_t, index_t>{0, 50}, {7, 60}, {10, 10}, {0, 1}}) {
    const auto name = "." + std::to_string(warmup) + "." + std::to_string(total);
    check("constant" + name, ConstantSchedule{warmup});
    check("linear" + name, LinearSchedule{warmup, total});
    check("cosine" + name, CosineSchedule{warmup, total});
  }
}
