// The classification head alone, trained on embeddings that stay as they are.
#include "knnbert/train/refit_head.hpp"

#include "distributed/thread_team.hpp"
#include "knnbert/loss/binary_cross_entropy.hpp"
#include "knnbert/loss/squared_error.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// Mean loss of a model's head on its embeddings.
template <class Loss>
double head_loss(const Classifier<>& model, const TrainingData& data, const Loss& loss) {
  std::vector<index_t> all(as_size(data.size()));
  std::iota(all.begin(), all.end(), index_t{0});
  Batch batch;
  Targets targets;
  data.assign(all, {}, batch, targets);
  Matrix logits(data.size(), model.network().classes()), d(logits.rows(), logits.cols());
  model.network().logits_of(model.embed(batch), logits);
  if constexpr (requires { loss(logits, std::span<const label_t>(targets.classes), d); })
    return static_cast<double>(loss(logits, std::span<const label_t>(targets.classes), d));
  else return static_cast<double>(loss(logits, targets.values, d));
}

ClassifierOptions linear_options(Task task = Task::single_label) {
  auto options = tiny_options();
  options.head_hidden_layer = false;
  options.task = task;
  if (task != Task::single_label) options.feature = Feature::embedding;
  return options;
}

/// An encoder without dropout, so that the head has none.
Classifier<> steady_classifier(const std::filesystem::path& folder, const ClassifierOptions& options,
                               const std::vector<std::string>& names = tiny_classes) {
  auto config = tiny_config();
  config.hidden_dropout_prob = 0;
  if (!std::filesystem::exists(folder / "steady")) write_encoder(folder / "steady", 1, config);
  return {folder / "steady", names, options};
}

/// Texts whose labels say nothing of them, so that no head separates the classes.
Dataset random_labels(index_t size) {
  const Dataset data = tiny_data(size);
  std::vector<Example> examples;
  for (index_t i = 0; i < size; ++i) {
    const auto drawn = Rng(5, Stream::sample).below(static_cast<std::uint64_t>(i), 3);
    examples.push_back({.text = data.texts()[as_size(i)], .label = static_cast<label_t>(drawn)});
  }
  return Dataset(std::move(examples), tiny_classes);
}

/// The smallest cross entropy of a linear classifier of the rows, by gradient descent in double precision.
double smallest_cross_entropy(const Matrix& x, std::span<const label_t> labels, index_t classes) {
  const auto width = as_size(x.cols()), rows = as_size(x.rows()), outputs = as_size(classes);
  std::vector<double> w(outputs * (width + 1)), last = w, ahead = w;
  double loss = 0, squares = 0;
  for (index_t i = 0; i < x.rows(); ++i) {
    double own = 1;
    for (const float v : x.row(i)) own += static_cast<double>(v) * static_cast<double>(v);
    squares = std::max(squares, own);
  }
  for (int step = 0; step < 20000; ++step) {
    std::vector<double> d(w.size());
    loss = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      std::vector<double> logits(outputs);
      double total = 0;
      for (std::size_t c = 0; c < outputs; ++c) {
        logits[c] = ahead[c * (width + 1) + width];
        for (std::size_t k = 0; k < width; ++k)
          logits[c] += ahead[c * (width + 1) + k] * static_cast<double>(x.row(static_cast<index_t>(i))[k]);
        total += std::exp(logits[c]);
      }
      const auto label = static_cast<std::size_t>(labels[i]);
      loss -= (logits[label] - std::log(total)) / static_cast<double>(rows);
      for (std::size_t c = 0; c < outputs; ++c) {
        const double error = (std::exp(logits[c]) / total - (c == label ? 1 : 0)) / static_cast<double>(rows);
        for (std::size_t k = 0; k < width; ++k)
          d[c * (width + 1) + k] += error * static_cast<double>(x.row(static_cast<index_t>(i))[k]);
        d[c * (width + 1) + width] += error;
      }
    }
    last = w;
    for (std::size_t k = 0; k < w.size(); ++k) {
      w[k] = ahead[k] - 2 / squares * d[k];
      ahead[k] = w[k] + step / (step + 3.0) * (w[k] - last[k]);
    }
  }
  return loss;
}

}  // namespace

TEST_CASE("refit head: nothing but the classification head moves, and it fits what the encoder gives") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.set_head_trained(false);
  const ParameterBlock before = model.network().values();
  const TrainingData data = model.tokenize(tiny_data());
  const double loss = head_loss(model, data, CrossEntropyLoss());
  refit_head(model, data, {.learning_rate = 1e-2f});
  CHECK(head_loss(model, data, CrossEntropyLoss()) < 0.6 * loss);
  const ParameterBlock& values = std::as_const(model.network()).values();
  CHECK(values.fresh());
  CHECK(model.head_trained());
  for (index_t p = 0; p < values.table().count(); ++p) {
    const Parameter& parameter = values.table()[p];
    CAPTURE(parameter.name);
    const auto bytes = as_size(parameter.size) * sizeof(float);
    CHECK((std::memcmp(before.slice(p), values.slice(p), bytes) == 0) == !parameter.name.starts_with("classifier."));
  }
}

TEST_CASE("refit head: without dropout a linear head reaches the smallest cross entropy") {
  const TemporaryFolder folder;
  auto model = steady_classifier(folder.path(), linear_options());
  const TrainingData data = model.tokenize(random_labels(150));
  const double least = smallest_cross_entropy(model.embed(data.tokens()), data.labels(), 3);
  refit_head(model, data, {.least_steps = 6000, .batch_size = 150, .learning_rate = 3e-2f});
  CHECK(least > 0.5);  // labels by chance: no head fits them
  CHECK(head_loss(model, data, CrossEntropyLoss()) == approx(least).epsilon(1e-3));
}

TEST_CASE("refit head: sets and numbers have their own losses") {
  const TemporaryFolder folder;
  const auto check = [&](Task task, const std::vector<std::string>& names, const auto& loss) {
    auto model = steady_classifier(folder.path(), linear_options(task), names);
    const TrainingData data = model.tokenize(tiny_data().renamed(names));
    const double before = head_loss(model, data, loss);
    refit_head(model, data, {.learning_rate = 1e-2f}, loss);
    CHECK(head_loss(model, data, loss) < 0.5 * before);
  };
  check(Task::multi_label, {"card|stolen", "money", "|"}, BinaryCrossEntropyLoss());
  check(Task::regression, {"-1", "0.5", "3"}, SquaredErrorLoss());

  auto model = steady_classifier(folder.path(), linear_options(Task::multi_label), {"card", "money", "card|money"});
  const TrainingData data = model.tokenize(tiny_data().renamed({"card", "money", "card|money"}));
  const ParameterBlock before = model.network().values();
  CHECK_THROWS_AS(refit_head(model, data), OptionError);
  CHECK(same_values(before, std::as_const(model.network()).values()));
}

TEST_CASE("refit head: any number of threads and of processes gives the same head") {
  const TemporaryFolder folder;
  const RefitOptions options{.least_steps = 50, .batch_size = 7};
  const auto head_of = [&](index_t threads, const Team& team) {
    auto own = tiny_options();
    own.threads = threads;
    auto model = tiny_classifier(folder.path(), own);
    refit_head(model, model.tokenize(tiny_data()), options, CrossEntropyLoss(), team);
    return model.network().values();
  };
  const ParameterBlock alone = head_of(1, {});
  CHECK(same_values(head_of(3, {}), alone));
  std::vector<ParameterBlock> together(3);
  run_team(3, [&](ThreadCommunicator& c) { together[as_size(c.rank())] = head_of(1, c); });
  for (const ParameterBlock& values : together) CHECK(same_values(values, alone));
}

TEST_CASE("refit head: no example and no step leave the head alone, bad options are refused") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const ParameterBlock before = model.network().values();
  refit_head(model, model.tokenize(Dataset({}, tiny_classes)));
  refit_head(model, model.tokenize(tiny_data()), {.epochs = 0, .least_steps = 0});
  CHECK(same_values(model.network().values(), before));
  const TrainingData data = model.tokenize(tiny_data());
  CHECK_THROWS_AS(refit_head(model, data, {.epochs = -1}), OptionError);
  CHECK_THROWS_AS(refit_head(model, data, {.batch_size = 0}), OptionError);
  CHECK_THROWS_AS(refit_head(model, data, {.learning_rate = -1}), OptionError);
  CHECK_THROWS_AS(refit_head(model, data, {.learning_rate = std::numeric_limits<float>::quiet_NaN()}), OptionError);
}
