// Dev scores: which epoch's parameters remain, and when training stops.
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

/// 10 texts of which the untrained head is right about exactly `right`.
Dataset dev_with_score(const Classifier<>& model, index_t right) {
  std::vector<Example> examples;
  const Dataset data = tiny_data(10, 21);
  const auto predictions = model.predict(data.texts());
  for (index_t i = 0; i < 10; ++i) {
    const auto& head = predictions[static_cast<std::size_t>(i)].head;
    const auto best = static_cast<label_t>(std::max_element(head.begin(), head.end()) - head.begin());
    examples.push_back({.text = data.text(i), .label = i < right ? best : (best + 1) % 3});
  }
  return Dataset(examples, tiny_classes);
}

/// Spoils the second step of every epoch.
struct Spoiler {
  static constexpr std::string_view name = "spoiler";
  TermValue add(auto& context) const {
    if (context.clock.step % 5 == 1) return std::numeric_limits<float>::quiet_NaN();
    return 0.0f;
  }
};

double accuracy(const std::vector<Prediction>& predictions, const Dataset& data, auto list) {
  double right = 0;
  for (index_t i = 0; i < data.size(); ++i) {
    const auto& p = predictions[static_cast<std::size_t>(i)].*list;
    right += std::max_element(p.begin(), p.end()) - p.begin() == data.label(i);
  }
  return right / static_cast<double>(data.size());
}

}  // namespace

TEST_CASE("selection: scores are those of the model of that epoch, and the best one's parameters remain") {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  for (const Predictor selection : {Predictor::head, Predictor::knn, Predictor::combined}) {
    auto options = tiny_training();
    options.learning_rate = 0.03f;  // wild enough that the last epoch need not be the best
    options.selection = selection;
    auto model = tiny_classifier(folder.path());
    const auto report = Trainer(model, options, CrossEntropy{0.7f}, tiny_contrast()).fit(tiny_data(), dev);
    REQUIRE(report.epochs.size() == 4);
    index_t best = 0;
    for (const auto& e : report.epochs) {
      REQUIRE(e.dev);
      REQUIRE((e.dev->knn && e.dev->combined));
      const bool better =
          best == 0 || e.dev->of(selection) > report.epochs[static_cast<std::size_t>(best - 1)].dev->of(selection);
      CHECK(e.best == better);
      if (better) best = e.epoch;
    }
    CHECK(report.best_epoch == best);
    model.index(tiny_data());
    const auto predictions = model.predict(dev.texts());
    const Scores& scores = *report.epochs[static_cast<std::size_t>(best - 1)].dev;
    CHECK(accuracy(predictions, dev, &Prediction::head) == scores.head);
    CHECK(accuracy(predictions, dev, &Prediction::knn) == *scores.knn);
    CHECK(accuracy(predictions, dev, &Prediction::combined) == *scores.combined);
  }
}

TEST_CASE("selection: dev scores are the metric of the options") {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  for (const Score metric : {Score::macro_f1, Score::f1, Score::matthews}) {
    auto options = tiny_training();
    options.learning_rate = 0.03f;
    options.metric = metric;
    options.positive = 2;
    auto model = tiny_classifier(folder.path());
    const auto report = Trainer(model, options, CrossEntropy{}).fit(tiny_data(), dev);
    model.index(tiny_data());
    const auto found = model.distributions(model.tokenize(dev.texts()));
    const ConfusionMatrix counts(dev.labels(), argmax_rows(found.combined), 3);
    CHECK(*report.epochs[static_cast<std::size_t>(report.best_epoch - 1)].dev->combined ==
          score_of(counts, metric, 2).value);
    for (const auto& e : report.epochs)
      CHECK(*e.dev->combined <= *report.epochs[static_cast<std::size_t>(report.best_epoch - 1)].dev->combined);
    options.positive = 3;
    const auto fit = [&] { Trainer(model, options, CrossEntropy{}).fit(tiny_data(), dev); };
    if (metric == Score::f1) CHECK_THROWS_AS(fit(), OptionError);
  }
}

TEST_CASE("selection: scores below zero pass a checkpoint") {
  std::vector<std::int64_t> numbers;
  const EpochReport epoch{.epoch = 1, .mean_loss = 2, .dev = Scores{.head = -0.25, .combined = -1.0}, .best = true};
  detail::append(epoch, numbers);
  const auto read = detail::epoch_from(numbers, 1);
  CHECK(same(read, epoch));
  CHECK_FALSE(read.dev->knn.has_value());
}

TEST_CASE("selection: the parameters are those of a run that ended after the best epoch") {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  auto options = tiny_training();
  options.schedule = ScheduleKind::constant;
  options.warmup = 0;
  options.learning_rate = 0.03f;
  const auto whole = train(folder.path(), options, dev, -1, 1, CrossEntropy{});
  options.epochs = whole.report.best_epoch;
  CHECK(same_values(train(folder.path(), options, {}, -1, 1, CrossEntropy{}).values, whole.values));
}

TEST_CASE("selection: of equal epochs the first one, with and without checkpoints") {
  const TemporaryFolder folder;
  // 0.7 and 0.9 are smaller as float than as double.
  for (const index_t right : {7, 9, 10}) {
    for (const bool checkpoints : {false, true}) {
      auto model = tiny_classifier(folder.path());
      const Dataset dev = dev_with_score(model, right);
      auto options = tiny_training();
      options.learning_rate = 0;
      options.weight_decay = 0;
      options.selection = Predictor::head;
      if (checkpoints) options.checkpoints = folder / format("run {}", right);
      const auto report = Trainer(model, options, CrossEntropy{}).fit(tiny_data(), dev);
      CHECK(report.best_epoch == 1);
      for (const auto& e : report.epochs) {
        CHECK(e.dev->head == static_cast<double>(right) / 10);
        CHECK(e.best == (e.epoch == 1));
      }
    }
  }
}

TEST_CASE("selection: patience ends a run, also one that is resumed") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.epochs = 10;
  options.learning_rate = 0;
  options.weight_decay = 0;
  options.patience = 2;
  const Dataset dev = tiny_data(17, 8);
  const auto stopped = train(folder.path(), options, dev, -1, 1, CrossEntropy{});
  CHECK(stopped.report.epochs.size() == 3);
  CHECK(stopped.report.best_epoch == 1);
  CHECK_FALSE(stopped.report.interrupted);
  options.checkpoints = folder / "run";
  CHECK(train(folder.path(), options, dev, 12, 1, CrossEntropy{}).report.interrupted);
  options.resume = true;
  const auto resumed = train(folder.path(), options, dev, -1, 1, CrossEntropy{});
  CHECK(same(resumed.report, stopped.report));
  CHECK(train(folder.path(), options, dev, -1, 1, CrossEntropy{}).recorder.steps.empty());
  options.patience = 0;
  options.checkpoints.clear(), options.resume = false;
  CHECK(train(folder.path(), options, dev, -1, 1, CrossEntropy{}).report.epochs.size() == 10);
}

TEST_CASE("selection: without a store only the head is scored, and examples that were there stay") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.add(std::vector<std::string>{"hello"}, "card");
  auto options = tiny_training();
  options.rebuild_store = false;
  const auto report = Trainer(model, options, CrossEntropy{}).fit(tiny_data(), tiny_data(17, 8));
  for (const auto& e : report.epochs) {
    CHECK_FALSE(e.dev->knn.has_value());
    CHECK_FALSE(e.dev->combined.has_value());
  }
  CHECK(report.best_epoch > 0);
  CHECK(model.datastore().size() == 1);
}

TEST_CASE("selection: an epoch's loss is the mean over the examples that counted") {
  const TemporaryFolder folder;
  const auto run = train(folder.path(), tiny_training(), {}, -1, 1, CrossEntropy{}, Spoiler{});
  for (std::size_t e = 0; e < 4; ++e) {
    double sum = 0;
    for (std::size_t s = 0; s < 5; ++s) {
      const auto& step = run.recorder.steps[5 * e + s];
      CHECK(step.finite == (s != 1));
      if (s != 1) sum += step.loss / 4.0;
    }
    CHECK(run.report.epochs[e].mean_loss == approx(sum));
  }
}
