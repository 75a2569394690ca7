#include "knnbert/train/trainer.hpp"

#include <sstream>

#include "knnbert/train/printing_observer.hpp"
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

TEST_CASE("trainer: the same bytes for 1, 2, 3 and 8 threads") {
  const TemporaryFolder folder;
  const auto one = train(folder.path(), tiny_training(), {}, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  CHECK(one.recorder.steps.size() == 20);
  for (const index_t threads : {2, 3, 8}) {
    const auto many = train(folder.path(), tiny_training(), {}, -1, threads, CrossEntropy{0.7f}, tiny_contrast());
    CAPTURE(threads);
    CHECK(same_values(many.values, one.values));
    for (std::size_t s = 0; s < 20; ++s) CHECK(many.recorder.steps[s].loss == one.recorder.steps[s].loss);
  }
}

TEST_CASE("trainer: learns the data, with cross entropy alone and with the contrast") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.epochs = 20;
  options.learning_rate = 0.01f;
  for (const bool contrast : {false, true}) {
    auto model = tiny_classifier(folder.path());
    Recorder recorder;
    if (contrast) Trainer(model, options, CrossEntropy{0.7f}, tiny_contrast()).fit(tiny_data(), {}, recorder);
    else Trainer(model, options, CrossEntropy{}).fit(tiny_data(), {}, recorder);
    CHECK(recorder.epochs.back().mean_loss < 0.7f * recorder.epochs.front().mean_loss);
    model.index(tiny_data());
    const Dataset data = tiny_data();
    const auto predictions = model.predict(data.texts());
    index_t right = 0;
    for (index_t i = 0; i < data.size(); ++i) right += predictions[static_cast<std::size_t>(i)].label == data.label(i);
    CHECK(right >= 38);
  }
}

TEST_CASE("trainer: reports number their steps and epochs and tell the rates") {
  const TemporaryFolder folder;
  const auto run = train(folder.path(), tiny_training(), {}, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  REQUIRE(run.recorder.steps.size() == 20);
  for (index_t s = 0; s < 20; ++s) {
    const StepReport& r = run.recorder.steps[static_cast<std::size_t>(s)];
    CHECK(r.step == s + 1);
    CHECK(r.steps == 20);
    CHECK(r.epoch == s / 5 + 1);
    CHECK(r.examples == 8);
    CHECK(r.finite);
    CHECK(r.terms.size() == 2);
    CHECK(r.measures.size() == 4);
    CHECK(r.learning_rate == approx(3e-3 * (s < 2 ? s / 2.0 : (20 - s) / 18.0)));
  }
  REQUIRE(run.report.epochs.size() == 4);
  for (std::size_t e = 0; e < 4; ++e) {
    double loss = 0;
    for (std::size_t s = 0; s < 5; ++s) loss += run.recorder.steps[5 * e + s].loss / 5.0;
    CHECK(run.report.epochs[e].mean_loss == approx(loss));
    CHECK(run.report.epochs[e].epoch == static_cast<index_t>(e) + 1);
    CHECK_FALSE(run.report.epochs[e].dev.has_value());
    CHECK(same(run.report.epochs[e], run.recorder.epochs[e]));
  }
  CHECK(run.report.best_epoch == 0);
  CHECK_FALSE(run.report.interrupted);
}

TEST_CASE("trainer: every example once an epoch, in an order that changes with epoch and seed") {
  std::vector<std::vector<index_t>> orders;
  for (const std::uint64_t seed : {1, 2})
    for (const std::uint64_t epoch : {0, 1}) {
      const ShuffledBatches batches(43, 8, seed, epoch);
      REQUIRE(batches.count() == 6);
      std::vector<index_t> order;
      for (index_t b = 0; b < 6; ++b) {
        CHECK(std::ssize(batches[b]) == (b < 5 ? 8 : 3));
        order.insert(order.end(), batches[b].begin(), batches[b].end());
      }
      orders.push_back(order);
      std::sort(order.begin(), order.end());
      for (index_t i = 0; i < 43; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
    }
  for (std::size_t a = 0; a < 4; ++a)
    for (std::size_t b = 0; b < a; ++b) CHECK(orders[a] != orders[b]);
}

TEST_CASE("trainer: a batch keeps its examples, arranged so that halves and quarters hold nearly as many tokens") {
  Batch tokens;
  const Rng rng(3, Stream::sample);
  for (std::uint64_t i = 0; i < 170; ++i) {
    tokens.ids.resize(tokens.ids.size() + static_cast<std::size_t>(3 + rng.below(i, 40)));
    tokens.segments.resize(tokens.ids.size());
    tokens.close_text();
  }
  const TrainingData data(tokens, std::vector<label_t>(170), 1);
  const ShuffledBatches plain(170, 32, 5, 1), spread(data, 32, 5, 1);
  const auto length = [&](std::span<const index_t> examples) {
    index_t total = 0;
    for (const index_t e : examples) total += tokens.length(e);
    return total;
  };
  for (index_t b = 0; b < plain.count(); ++b) {
    const auto order = spread[b];
    CHECK(std::is_permutation(order.begin(), order.end(), plain[b].begin(), plain[b].end()));
    if (std::ssize(order) < 32) continue;
    CHECK(std::abs(length(order.first(16)) - length(order.last(16))) <= 2);
    // 10 tokens of about 180
    for (std::size_t quarter = 0; quarter < 4; ++quarter)
      CHECK(std::abs(4 * length(order.subspan(8 * quarter, 8)) - length(order)) <= 40);
  }
  CHECK(std::ssize(spread[plain.count() - 1]) == 10);
}

TEST_CASE("trainer: the seed decides, and nothing else: neither parts nor earlier runs of the process") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  const auto first = train(folder.path(), options, {}, -1, 2, CrossEntropy{}),
             again = train(folder.path(), options, {}, -1, 2, CrossEntropy{});
  CHECK(same_values(first.values, again.values));
  options.seed = 43;
  CHECK_FALSE(same_values(first.values, train(folder.path(), options, {}, -1, 2, CrossEntropy{}).values));
}

TEST_CASE("trainer: a class with one example, batches larger than the data, no epochs") {
  const TemporaryFolder folder;
  std::vector<Example> examples{
      {.text = "lost card", .label = 0}, {.text = "block card", .label = 0}, {.text = "send money", .label = 1}};
  const Dataset few(examples, {"card", "money"});
  for (const index_t batch : {1, 2, 100}) {
    auto model = tiny_classifier(folder.path());
    Recorder recorder;
    Trainer(model, {.epochs = 3, .batch_size = batch}, CrossEntropy{0.9f}, tiny_contrast()).fit(few, {}, recorder);
    CHECK(std::ssize(recorder.steps) == 3 * ((3 + batch - 1) / batch));
    for (const auto& s : recorder.steps) CHECK((s.finite && std::isfinite(s.loss) && s.loss > 0));
  }
  auto model = tiny_classifier(folder.path());
  const ParameterBlock before = model.network().values();
  CHECK(Trainer(model, {.epochs = 0}, CrossEntropy{}).fit(few).epochs.empty());
  CHECK(same_values(before, model.network().values()));
}

TEST_CASE("trainer: the queue of the last run is there afterwards") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  Trainer trainer(model, tiny_training(), CrossEntropy{0.7f}, tiny_contrast());
  trainer.fit(tiny_data());
  const auto& queue = trainer.term<QueueContrastive>().queue();
  CHECK(queue.size() == 57);
  model.index(queue.keys(), queue.labels());
  CHECK(model.datastore().size() == 57);
  trainer.fit(tiny_data());
  CHECK(trainer.term<QueueContrastive>().queue().size() == 57);
}

TEST_CASE("trainer: impossible options, data and classes") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const auto refused = [&](const TrainerOptions& options) {
    return message_of<OptionError>([&] { Trainer(model, options, CrossEntropy{}); });
  };
  CHECK(refused({}) == "nothing thrown");
  CHECK(contains(refused({.epochs = -1}), "epochs: -1 given, at least 0 expected"));
  CHECK(contains(refused({.batch_size = 0}), "batch_size: 0 given, at least 1 expected"));
  CHECK(contains(refused({.part_size = -1}), "part_size"));
  CHECK(contains(refused({.learning_rate = -1}), "learning_rate"));
  CHECK(contains(refused({.learning_rate = std::numeric_limits<float>::quiet_NaN()}), "learning_rate"));
  CHECK(contains(refused({.learning_rate = std::numeric_limits<float>::infinity()}), "learning_rate"));
  CHECK(contains(refused({.learning_rate = 0, .head_learning_rate = 1e-3f}), "head_learning_rate"));
  CHECK(contains(refused({.warmup = 1.5f}), "warmup: 1.5 given, at most 1 expected"));
  CHECK(contains(refused({.weight_decay = -0.1f}), "weight_decay"));
  CHECK(contains(refused({.clip_norm = -1}), "clip_norm"));
  CHECK(contains(refused({.patience = -1}), "patience"));
  CHECK(contains(refused({.checkpoint_every = -1}), "checkpoint_every"));
  CHECK(contains(refused({.checkpoints_kept = 0}), "checkpoints_kept"));

  Trainer trainer(model, {.epochs = 1}, CrossEntropy{});
  CHECK(contains(message_of<ShapeError>([&] { trainer.fit(Dataset()); }), "0 examples given"));
  CHECK(contains(message_of<FormatError>([&] { trainer.fit(Dataset({{.text = "x", .label = 0}}, {"weather"})); }),
                 "class 'weather'"));
  CHECK(contains(message_of<ShapeError>([&] { trainer.fit(Dataset({{.text = "x"}}, {"card"})); }), "label -1"));
  CHECK(contains(
      message_of<FormatError>([&] { trainer.fit(tiny_data(), Dataset({{.text = "x", .label = 0}}, {"weather"})); }),
      "class 'weather'"));
  model.add(std::vector<std::string>{"hello"}, "greeting");
  CHECK(contains(message_of<FormatError>([&] { trainer.fit(Dataset({{.text = "x", .label = 0}}, {"greeting"})); }),
                 "class 'greeting' was added after training"));
  const ParameterBlock before = model.network().values();
  CHECK(contains(message_of<ShapeError>([&] { trainer.fit(tiny_data(), Dataset({{.text = "x"}}, {"card"})); }),
                 "has no label"));
  CHECK(same_values(before, std::as_const(model.network()).values()));
}

TEST_CASE("trainer: an observer that throws leaves a head that counts as trained") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.set_head_trained(false);
  struct Thrower {
    void step(const StepReport& report) {
      if (report.step == 3) throw std::runtime_error("enough");
    }
    void epoch(const EpochReport&) {}
    bool stop_requested() const { return false; }
  } thrower;
  Trainer trainer(model, tiny_training(), CrossEntropy{});
  CHECK_THROWS_AS(trainer.fit(tiny_data(), Dataset(), thrower), std::runtime_error);
  CHECK(model.head_trained());
}

TEST_CASE("trainer: a printing observer writes lines of steps and epochs") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  std::ostringstream out;
  Trainer(model, {.epochs = 2, .batch_size = 10}, CrossEntropy{})
      .fit(tiny_data(), tiny_data(20, 5), PrintingObserver(out, 3));
  const std::string text = out.str();
  for (const char* part : {"step 3 of 8, epoch 1: loss ", "step 6 of 8, epoch 2: loss ", "step 8 of 8, epoch 2: loss ",
                           "epoch 1: mean loss ", ", dev score of the head "})
    CHECK(contains(text, part));
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
  CHECK_THROWS_AS(PrintingObserver(out, 0), OptionError);
}

TEST_CASE("trainer: a batch of any size is at most all examples") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.batch_size = std::numeric_limits<index_t>::max();
  const Outcome huge = train(folder.path(), options, {}, -1, 1, CrossEntropy{});
  options.batch_size = 40;
  CHECK(huge.recorder.steps.size() == 4);
  CHECK(same_values(huge.values, train(folder.path(), options, {}, -1, 1, CrossEntropy{}).values));
}

TEST_CASE("trainer: options and weights that no run survives are refused before it begins") {
  const TemporaryFolder folder;
  constexpr float infinite = std::numeric_limits<float>::infinity();
  const auto refused = [&](auto&& spoil) {
    auto options = tiny_training();
    spoil(options);
    CHECK_THROWS_AS(options.validate(), OptionError);
  };
  refused([](TrainerOptions& o) { o.weight_decay = infinite; });
  refused([](TrainerOptions& o) { o.head_learning_rate = infinite; });
  refused([](TrainerOptions& o) { o.learning_rate = 3e-45f, o.head_learning_rate = 1; });
  refused([](TrainerOptions& o) { o.resume = true; });  // where from?
  refused([](TrainerOptions& o) { o.adam_epsilon = 0; });
  auto endless = tiny_training();
  endless.epochs = std::numeric_limits<index_t>::max();
  CHECK_THROWS_AS(train(folder.path(), endless, {}, -1, 1, CrossEntropy{}), OptionError);
  CHECK_THROWS_AS(train(folder.path(), tiny_training(), {}, -1, 1, CrossEntropy{0.5f}, CrossEntropy{0.5f}),
                  OptionError);
  CHECK_THROWS_AS(
      train(folder.path(), tiny_training(), {}, -1, 1, CrossEntropy{.weight = std::numeric_limits<float>::quiet_NaN()}),
      OptionError);
}

TEST_CASE("trainer: a step of which no term has anything to say moves nothing") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.epochs = 1, options.weight_decay = 0.5f;
  QueueContrastive alone = tiny_contrast();
  alone.weight = 1, alone.warm_up = false, alone.positives = 0;  // an empty queue: no anchor has a key
  auto model = tiny_classifier(folder.path());
  const ParameterBlock before = model.network().values();
  Recorder recorder;
  Trainer(model, options, alone).fit(tiny_data(), {}, recorder);
  CHECK(same_values(std::as_const(model).network().values(), before));
}

TEST_CASE("trainer: dev scores leave a model's examples, their ids and its classes alone") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data(12));
  model.add(std::vector<std::string>{"hello"}, "greeting");
  const auto ids = model.datastore().ids();
  const auto classes = *model.classes();
  Recorder recorder;
  const auto report = Trainer(model, tiny_training(), CrossEntropy{}).fit(tiny_data(), tiny_data(9, 5), recorder);
  CHECK(report.best_epoch > 0);
  CHECK(model.datastore().ids() == ids);
  CHECK(*model.classes() == classes);
  CHECK_THROWS_AS(model.predict("card"), StateError);  // whose keys are those of the parameters before
  model.index(tiny_data(12));
  CHECK(model.datastore().ids().front() == ids.back() + 1);
}

namespace {

/// A term with a reference, as users write them; it moves nothing.
struct Counting {
  static constexpr std::string_view name = "counting";
  index_t& steps;
  const float weight = 1;

  template <class Context>
  TermValue add(Context&) {
    ++steps;
    return weight;
  }
};

}  // namespace

TEST_CASE("trainer: a term need not be assignable") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  index_t steps = 0;
  Trainer trainer(model, tiny_training(), CrossEntropy{}, Counting{steps});
  trainer.fit(tiny_data());
  CHECK(steps == 20);
  CHECK(&trainer.term<Counting>().steps == &steps);
}
