// Checkpoints of other runs and damaged ones are refused before anything changes.
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

/// A run stopped after 7 steps.
struct Stopped {
  TemporaryFolder folder;
  TrainerOptions options = tiny_training();
  std::filesystem::path state;

  Stopped() {
    options.checkpoints = folder / "run";
    train(folder.path(), options, tiny_data(17, 8), 7, 1, CrossEntropy{0.7f}, tiny_contrast());
    options.resume = true;
    state = folder / "run" / "checkpoint-7" / "state.safetensors";
  }

  /// The error of a resumed run, whose model must stay as it was.
  template <class... Terms>
  std::string error(const TrainerOptions& o, const Dataset& data, const Dataset& dev, const ClassifierOptions& own, Terms... terms) const {
    auto model = tiny_classifier(folder.path(), own);
    const ParameterBlock before = model.network().values();
    const auto message = message_of<Error>([&] { Trainer(model, o, terms...).fit(data, dev); });
    if (message != "nothing thrown") CHECK(same_values(model.network().values(), before));
    return message;
  }
  std::string error(const TrainerOptions& o) const { return error(o, tiny_data(), tiny_data(17, 8), tiny_options(), CrossEntropy{0.7f}, tiny_contrast()); }
  template <class... Terms>
  std::string error_of_terms(Terms... terms) const { return error(options, tiny_data(), tiny_data(17, 8), tiny_options(), terms...); }
};

}  // namespace

TEST_CASE("checkpoint: another run's is refused: options, data, terms, model") {
  const Stopped run;
  const auto other = [&](auto change) {
    auto options = run.options;
    change(options);
    return contains(run.error(options), "belongs to another run");
  };
  CHECK(other([](auto& o) { o.seed = 1; }));
  CHECK(other([](auto& o) { o.batch_size = 7; }));
  CHECK(other([](auto& o) { o.part_size = 3; }));
  CHECK(other([](auto& o) { o.epochs = 5; }));
  CHECK(other([](auto& o) { o.learning_rate = 1e-3f; }));
  CHECK(other([](auto& o) { o.head_learning_rate = 1e-3f; }));
  CHECK(other([](auto& o) { o.schedule = ScheduleKind::constant; }));
  CHECK(other([](auto& o) { o.warmup = 0; }));
  CHECK(other([](auto& o) { o.weight_decay = 0; }));
  CHECK(other([](auto& o) { o.clip_norm = 2; }));
  CHECK(other([](auto& o) { o.dropout = false; }));
  CHECK(other([](auto& o) { o.selection = Predictor::head; }));
  CHECK(other([](auto& o) { o.rebuild_store = false; }));

  const auto refused = [](const std::string& message) { return contains(message, "belongs to another run"); };
  const auto terms = [](auto change) {
    QueueContrastive term = tiny_contrast();
    change(term);
    return term;
  };
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f})));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.8f}, tiny_contrast())));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f, 0.1f}, tiny_contrast())));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.weight = 0.2f; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.momentum = 0.5f; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.capacity = 58; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.positives = 2; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.key_dropout = false; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.contrast.temperature = 0.3f; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.contrast.most_similar = 4; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.contrast.least_similar = 0; }))));
  CHECK(refused(run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.contrast.reduction = Reduction::pair_mean; }))));

  const auto data_error = [&](const Dataset& data, const Dataset& dev, const ClassifierOptions& own) {
    return run.error(run.options, data, dev, own, CrossEntropy{0.7f}, tiny_contrast());
  };
  CHECK(refused(data_error(tiny_data(39), tiny_data(17, 8), tiny_options())));
  CHECK(refused(data_error(tiny_data(40, 4), tiny_data(17, 8), tiny_options())));
  CHECK(refused(data_error(tiny_data(), tiny_data(17, 9), tiny_options())));
  CHECK(refused(data_error(tiny_data(), {}, tiny_options())));
  auto own = tiny_options();
  own.pooling = Pooling::cls;
  CHECK(refused(data_error(tiny_data(), tiny_data(17, 8), own)));
  own = tiny_options();
  own.projection_width = 13;
  CHECK(data_error(tiny_data(), tiny_data(17, 8), own) != "nothing thrown");
}

TEST_CASE("checkpoint: what does not change the result may change: threads, patience, how often it is written") {
  const Stopped run;
  auto options = run.options;
  options.patience = 3;
  options.checkpoint_every = 2;
  options.checkpoints_kept = 5;
  CHECK(run.error(options) == "nothing thrown");
}

TEST_CASE("checkpoint: a damaged state is refused") {
  const Stopped run;
  const std::string bytes = slurp(run.state);
  const auto error_with = [&](const std::string& content) {
    std::ofstream(run.state, std::ios::binary) << content;
    return run.error(run.options);
  };
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, bytes.size() / 2, bytes.size() - 1}) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK(contains(error_with(changed), "does not match its manifest"));
  }
  CHECK(contains(error_with(bytes.substr(0, bytes.size() - 1)), "does not match its manifest"));
  CHECK(contains(error_with(bytes + '\0'), "does not match its manifest"));
  CHECK(error_with("") != "nothing thrown");
  CHECK(error_with(bytes) == "nothing thrown");
}

TEST_CASE("checkpoint: a damaged or missing manifest") {
  const Stopped run;
  const auto manifest = run.folder / "run" / "checkpoint-7" / "manifest.json";
  const std::string text = slurp(manifest);
  for (std::size_t size = 0; size + 2 < text.size(); size += 9) {
    std::ofstream(manifest, std::ios::binary) << text.substr(0, size);
    CHECK(run.error(run.options) != "nothing thrown");
  }
  // Without a manifest it was never finished.
  std::filesystem::remove(manifest);
  CHECK_FALSE(newest_checkpoint(run.folder / "run").has_value());
  CHECK(run.error(run.options) == "nothing thrown");
}

TEST_CASE("checkpoint: the newest complete one is found among other things") {
  const TemporaryFolder folder;
  CHECK_FALSE(newest_checkpoint(folder.path()).has_value());
  CHECK_FALSE(newest_checkpoint(folder / "nowhere").has_value());
  for (const std::string name : {"checkpoint-9", "checkpoint-10", "checkpoint-11.knnbert-new", "checkpoint-", "checkpoint-x", "checkpoint-99999999999999999999", "other"}) {
    std::filesystem::create_directories(folder / name);
    std::ofstream(folder / name / "manifest.json") << "{}";
  }
  std::filesystem::create_directories(folder / "checkpoint-12");
  CHECK(newest_checkpoint(folder.path()) == 10);
  remove_old_checkpoints(DirectoryLock(folder.path()), 10, 1);
  CHECK(std::filesystem::exists(folder / "checkpoint-10"));
  CHECK_FALSE(std::filesystem::exists(folder / "checkpoint-9"));
  CHECK(std::filesystem::exists(folder / "other"));
  CHECK(std::filesystem::exists(folder / "checkpoint-x"));
  CHECK(std::filesystem::exists(folder / "checkpoint-99999999999999999999"));
  // Later ones belong to a run that was given up.
  CHECK_FALSE(std::filesystem::exists(folder / "checkpoint-12"));
}

TEST_CASE("checkpoint: a place that cannot be written stops the run with a typed error") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.checkpoints = folder.file("file", "precious") / "below";
  CHECK_THROWS_AS(train(folder.path(), options, {}, -1, 1, CrossEntropy{}), IoError);
  CHECK(slurp(folder / "file") == "precious");
}
