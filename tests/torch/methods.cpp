// Training terms beside each other, by LibTorch and by this library's own kernels.
#include "torch/twins.hpp"

#include <type_traits>

#include "knnbert/model/classifier_files.hpp"
#include "knnbert/term/contrastive_adversarial.hpp"
#include "knnbert/term/distillation.hpp"
#include "knnbert/term/proximal.hpp"
#include "knnbert/term/smoothness.hpp"
#include "knnbert/term/supervised_contrast.hpp"
#include "knnbert/term/value_average.hpp"
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

/// Each may be absent, so that one trainer serves all cases.
struct Terms {
  CrossEntropy cross_entropy{};
  std::optional<SupervisedContrast> supervised{};
  std::optional<Smoothness> smoothness{};
  std::optional<ContrastiveAdversarial> adversarial{};
  std::optional<Proximal> proximal{};
  std::optional<SelfDistillation> distillation{};
  std::optional<ValueAverage> average{};
};

struct Run {
  Recorder record;
  ParameterBlock values;
};

template <class Model>
Run trained(const std::filesystem::path& encoder, const Terms& t) {
  Model model(encoder, tiny_classes, tiny_options());
  const TrainerOptions options{.epochs = 2, .batch_size = 8, .learning_rate = 5e-4f, .warmup = 0.1f, .dropout = false};
  Run run;
  Trainer(model, options, t.cross_entropy, t.supervised, t.smoothness, t.adversarial, t.proximal, t.distillation,
          t.average)
      .fit(tiny_data(), {}, run.record);
  run.values = model.network().values();
  return run;
}

void compare(const Terms& terms) {
  const TemporaryFolder folder;
  static_cast<void>(tiny_classifier(folder.path()));  // writes the encoder
  const Run native = trained<Classifier<>>(folder / "encoder", terms),
            torch = trained<Classifier<TorchStack>>(folder / "encoder", terms);
  REQUIRE(native.record.steps.size() == 10);
  REQUIRE(torch.record.steps.size() == 10);
  for (std::size_t i = 0; i < 10; ++i) {
    const auto &a = native.record.steps[i], &b = torch.record.steps[i];
    CAPTURE(i);
    CHECK(a.loss == approx(b.loss).epsilon(1e-3));
    REQUIRE(a.terms.size() == b.terms.size());
    for (std::size_t t = 0; t < a.terms.size(); ++t) {
      INFO(a.terms[t].first);
      REQUIRE(a.terms[t].second.has_value() == b.terms[t].second.has_value());
      if (a.terms[t].second) CHECK(*a.terms[t].second == approx(*b.terms[t].second).epsilon(1e-2).margin(1e-4));
    }
  }
  double worst = 0;
  for (index_t p = 0; p < native.values.table().count(); ++p)
    worst = std::max(worst, difference(parameter_of(torch.values, p), parameter_of(native.values, p)));
  CHECK(worst < 10 * 2.0 * 5e-4);
}

}  // namespace

TEST_CASE("methods by torch: smoothness, proximal point and self-distillation") {
  compare({.smoothness = Smoothness({.weight = 3, .epsilon = 1e-2f, .sigma = 1e-2f, .eta = 1e-2f}),
           .proximal = Proximal({.early_momentum = 0.9f}),
           .distillation = SelfDistillation({.window = 2})});
  compare({.distillation = SelfDistillation({.teacher = TeacherKind::vote, .window = 2})});
  compare({.distillation = SelfDistillation({.teacher = TeacherKind::average, .evaluate_teacher = true})});
}

TEST_CASE("methods by torch: contrastive adversarial training") {
  const ContrastiveAdversarialOptions o{.epsilon = 1e-2f, .projection = 15};
  compare({.cross_entropy = {.weight = o.cross_entropy()}, .adversarial = ContrastiveAdversarial(o)});
}

TEST_CASE("methods by torch: supervised contrast and the average of the values") {
  compare({.cross_entropy = {.weight = 0.5f},
           .supervised = SupervisedContrast({.weight = 0.5f}),
           .average = ValueAverage(0.3)});
}
