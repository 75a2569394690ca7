// Classifier and Trainer by LibTorch beside the same code in main memory.
#include "torch/twins.hpp"

#include <sys/resource.h>

#include <fstream>
#include <type_traits>

#include "knnbert/model/classifier_files.hpp"
#include "train/tiny_trainer.hpp"

template class knnbert::BasicBert<>;
template class knnbert::Network<knnbert::DefaultStack>;
template class knnbert::Classifier<knnbert::DefaultStack>;

using namespace knnbert_test;

namespace {

using TorchModel = Classifier<TorchStack>;

template <class Model, class... Terms>
Recorder trained(Model& model, const TrainerOptions& options, const Dataset& dev, Terms... terms) {
  Recorder recorder;
  Trainer(model, options, std::move(terms)...).fit(tiny_data(), dev, recorder);
  return recorder;
}

double largest_loss_difference(const Recorder& a, const Recorder& b) {
  REQUIRE(a.steps.size() == b.steps.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    worst = std::max({worst, std::abs(static_cast<double>(a.steps[i].loss) - b.steps[i].loss),
                      std::abs(a.steps[i].gradient_norm - b.steps[i].gradient_norm) / 10});
    for (std::size_t t = 0; t < a.steps[i].terms.size(); ++t) {
      const auto& [name, value] = a.steps[i].terms[t];
      const auto other = b.steps[i].terms[t].second;
      REQUIRE(value.has_value() == other.has_value());
      if (value) worst = std::max(worst, std::abs(static_cast<double>(*value) - *other));
    }
  }
  return worst;
}

/// 20 steps under every term, dropout off, and with the queue in main memory and on the device.
void compare_steps(const std::filesystem::path& encoder, const ClassifierOptions& options,
                   const TrainerOptions& trainer) {
  struct Run {
    Recorder record;
    ParameterBlock values;
  };
  const auto run = [&]<class Model>(std::type_identity<Model>, auto... terms) {
    Model model(encoder, tiny_classes, options);
    auto record = trained(model, trainer, {}, terms...);
    return Run{std::move(record), model.network().values()};
  };
  const auto compare = [&](const Run& native, const Run& torch) {
    CHECK(native.record.steps.size() == 20);
    CHECK(largest_loss_difference(native.record, torch.record) < 1e-3);
    double worst = 0;
    for (index_t p = 0; p < native.values.table().count(); ++p)
      worst = std::max(worst, difference(parameter_of(torch.values, p), parameter_of(native.values, p)));
    CHECK(worst < 20 * 2.0 * trainer.learning_rate);  // a step moves a parameter by about the rate, in whichever
                                                      // direction noise says
  };
  const std::type_identity<Classifier<>> native;
  const std::type_identity<TorchModel> torch;
  const CrossEntropy alone{.label_smoothing = 0.1f}, rest{0.7f};
  compare(run(native, alone), run(torch, alone));
  const Run contrast = run(native, rest, tiny_contrast());
  compare(contrast, run(torch, rest, tiny_contrast()));
  compare(contrast, run(torch, rest, BasicQueueContrastive<>(tiny_contrast())));  // a queue in main memory
}

TrainerOptions steps_without_dropout(float rate) {
  return {.epochs = 4, .batch_size = 8, .learning_rate = rate, .warmup = 0.1f, .weight_decay = 0.01f, .dropout = false};
}

}  // namespace

TEST_CASE("torch training: 20 steps of every term are those of the native backend, tiny encoders") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  compare_steps(folder / "encoder", tiny_options(), steps_without_dropout(1e-3f));
  write_encoder(folder / "distilled", 2, tiny_distilbert_config());
  compare_steps(folder / "distilled", tiny_options(), steps_without_dropout(1e-3f));
  auto parts = steps_without_dropout(1e-3f);
  parts.part_size = 3;
  parts.recompute = true;
  parts.head_learning_rate = 2e-3f;
  compare_steps(folder / "encoder", tiny_options(), parts);
  parts.frozen_layers = 1;
  compare_steps(folder / "encoder", tiny_options(), parts);
}

TEST_CASE("torch training: 20 steps of every term are within 1e-3 of the native backend on MiniLM") {
  const auto place = folder("KNNBERT_MINILM");
  if (!place) {
    WARN("skipped: KNNBERT_MINILM names no folder");
    return;
  }
  compare_steps(*place, {.max_length = 32}, steps_without_dropout(5e-5f));
}

TEST_CASE("torch training: directories of either backend load in the other, with the same predictions") {
  const BertConfig config = GENERATE(tiny_config(), tiny_distilbert_config());
  CAPTURE(config.family->model_type);
  const TemporaryFolder folder;
  write_encoder(folder / "encoder", 1, config);
  auto native = tiny_classifier(folder.path());
  Trainer(native, tiny_training(), CrossEntropy{}).fit(tiny_data());
  native.index(tiny_data());
  native.save(folder / "native");
  const auto torch = TorchModel::load(folder / "native");
  const auto close = [](const std::vector<Prediction>& a, const std::vector<Prediction>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(a[i].class_name == b[i].class_name);
      for (std::size_t c = 0; c < a[i].combined.size(); ++c)
        CHECK(a[i].combined[c] == approx(b[i].combined[c]).margin(1e-4));
      for (std::size_t n = 0; n < a[i].neighbors.size(); ++n)
        CHECK(a[i].neighbors[n].similarity == approx(b[i].neighbors[n].similarity).margin(1e-4));
    }
  };
  const auto expected = native.predict(tiny_texts);
  close(torch.predict(tiny_texts), expected);
  torch.save(folder / "torch");
  CHECK(slurp(folder / "torch/model.safetensors") == slurp(folder / "native/model.safetensors"));
  CHECK(slurp(folder / "torch/knnbert.safetensors") == slurp(folder / "native/knnbert.safetensors"));
  CHECK(slurp(folder / "torch/datastore.safetensors") == slurp(folder / "native/datastore.safetensors"));
  const auto back = Classifier<>::load(folder / "torch");
  CHECK(same(back.predict(tiny_texts), expected));
}

TEST_CASE("torch training: an interrupted run goes on as if it had not been") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const Dataset dev = tiny_data(17, 8);
  const auto run = [&](TrainerOptions options, index_t stop) {
    TorchModel model(folder / "encoder", tiny_classes, tiny_options());
    Recorder recorder{.stop_after = stop};
    Trainer(model, options, CrossEntropy{0.7f}, QueueContrastive(tiny_contrast())).fit(tiny_data(), dev, recorder);
    return std::pair(std::move(recorder), model.network().values());
  };
  const auto [whole, values] = run(tiny_training(), -1);
  auto options = tiny_training();
  options.checkpoints = folder / "run";
  run(options, 7);
  options.resume = true;
  const auto [rest, resumed] = run(options, -1);
  REQUIRE(rest.steps.size() == 13);
  for (std::size_t i = 0; i < rest.steps.size(); ++i) CHECK(rest.steps[i].loss == whole.steps[i + 7].loss);
  CHECK(same_values(resumed, values));
  auto native = tiny_classifier(folder.path());  // checkpoints belong to a layout
  CHECK_THROWS_AS(Trainer(native, options, CrossEntropy{0.7f}, tiny_contrast()).fit(tiny_data(), dev), FormatError);
}

TEST_CASE("torch training: bf16 and dropout learn, and a saved model predicts the same") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  auto training = tiny_training();
  training.epochs = 12;
  auto options = tiny_options();
  options.precision = Precision::bf16;
  TorchModel model(folder / "encoder", tiny_classes, options);
  const auto epochs = trained(model, training, {}, CrossEntropy{0.9f}, QueueContrastive(tiny_contrast())).epochs;
  CHECK(epochs.back().mean_loss < 0.9f * epochs.front().mean_loss);
  model.index(tiny_data());
  model.save(folder / "saved");
  CHECK(same(TorchModel::load(folder / "saved").predict(tiny_texts), model.predict(tiny_texts)));
}

TEST_CASE("torch training: options that a backend does not know are refused") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  auto options = tiny_options();
  options.device = "cuda:0";
  CHECK_THROWS_AS(Classifier<>(folder / "encoder", tiny_classes, options), OptionError);
  options.device = "abacus";
  CHECK_THROWS_AS(TorchModel(folder / "encoder", tiny_classes, options), OptionError);
  options.device = "cpu";
  options.precision = Precision::int8;
  CHECK_THROWS_AS(TorchModel(folder / "encoder", tiny_classes, options), OptionError);
}

TEST_CASE("torch training: without enough memory there is a typed error, and the model goes on afterwards") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  TorchModel model(folder / "encoder", tiny_classes, tiny_options());
  const Dataset data = tiny_data(60000);
  const Batch all = model.tokenize(data.texts());
  TorchTape tape;
  TorchWorkspace workspace;
  const auto before = model.predict("stolen card");
  std::ifstream pages("/proc/self/statm");
  rlim_t used = 0;
  pages >> used;
  rlimit old{};
  getrlimit(RLIMIT_AS, &old);
  const rlimit tight{used * 4096 + (rlim_t{150} << 20), old.rlim_max};
  setrlimit(RLIMIT_AS, &tight);
  std::string message;
  try {
    model.network().encoder().forward(model.network().values(), all, {}, tape, workspace);
  } catch (const DeviceMemoryError& error) { message = error.what(); }
  setrlimit(RLIMIT_AS, &old);
  CHECK(contains(message, "part_size"));
  CHECK(tape.batch().size() == 0);
  CHECK(same(model.predict("stolen card"), before));
  CHECK(trained(model, steps_without_dropout(1e-3f), {}, CrossEntropy{}).steps.size() == 20);
}
