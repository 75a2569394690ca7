// Checkpoints of other runs and damaged ones are refused before anything changes.
#include <set>

#include "knnbert/io/json.hpp"
#include "knnbert/metric/dot.hpp"
#include "knnbert/optimizer/sgd.hpp"
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
  std::string error(const TrainerOptions& o, const Dataset& data, const Dataset& dev, const ClassifierOptions& own,
                    Terms... terms) const {
    auto model = tiny_classifier(folder.path(), own);
    const ParameterBlock before = model.network().values();
    const auto message = message_of<Error>([&] { Trainer(model, o, terms...).fit(data, dev); });
    if (message != "nothing thrown") CHECK(same_values(model.network().values(), before));
    return message;
  }
  std::string error(const TrainerOptions& o) const {
    return error(o, tiny_data(), tiny_data(17, 8), tiny_options(), CrossEntropy{0.7f}, tiny_contrast());
  }
  template <class... Terms>
  std::string error_of_terms(Terms... terms) const {
    return error(options, tiny_data(), tiny_data(17, 8), tiny_options(), terms...);
  }
};

}  // namespace

TEST_CASE("checkpoint: another run's is refused: options, data, terms, model") {
  const Stopped run;
  const auto other = [&](auto change) {
    auto options = run.options;
    change(options);
    return contains(run.error(options), "checkpoint-7: of another run: ");
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
  CHECK(other([](auto& o) { o.settings = {{"phi", "0.5"}}; }));
  auto options = run.options;
  options.epochs = 5, options.learning_rate = 1e-3f;
  CHECK(contains(run.error(options),
                 "checkpoint-7: of another run: epochs 4 there, 5 here; learning_rate 0.003 there, 0.001 here"));

  const auto refused = [](const std::string& message) { return contains(message, "checkpoint-7: of another run: "); };
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
  CHECK(refused(
      run.error_of_terms(CrossEntropy{0.7f}, terms([](auto& t) { t.contrast.reduction = Reduction::pair_mean; }))));

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
  own = tiny_options();
  own.neighbors += 1;  // dev scores would be others
  CHECK(refused(data_error(tiny_data(), tiny_data(17, 8), own)));
}

namespace {

struct ConstantSchedule {
  explicit ConstantSchedule(const ScheduleOptions&) {}
  double operator()(index_t) const { return 1; }
};
struct OtherSchedule : DefaultStack {
  using schedule_type = ConstantSchedule;
};
struct OtherOptimizer : DefaultStack {
  using optimizer_type = BasicSgd<DefaultArch>;
};
struct OtherMetric : DefaultStack {
  using metric_type = Dot;
};

template <class Stack>
RunIdentity identity_with() {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const Classifier<Stack> model(folder / "encoder", tiny_classes, tiny_options());
  const Dataset data = tiny_data();
  return identity_of_run(model, tiny_training(), std::tuple(CrossEntropy{}), model.tokenize(data), data, Batch(),
                         Dataset());
}

}  // namespace

TEST_CASE("checkpoint: a run of another schedule, optimizer or similarity is another run") {
  const RunIdentity own = identity_with<DefaultStack>();
  CHECK(own == identity_with<DefaultStack>());
  const auto only = [&](const RunIdentity& other) {
    const auto found = own.differences(other);
    return found.size() == 1 ? found.front().name : std::string("several");
  };
  CHECK(only(identity_with<OtherSchedule>()) == "schedule_policy");
  CHECK(only(identity_with<OtherOptimizer>()) == "optimizer");
  CHECK(only(identity_with<OtherMetric>()) == "similarity");
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
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    std::ofstream(manifest, std::ios::binary) << changed;
    return run.error(run.options);
  };
  CHECK(contains(with("\"schema\": 1", "\"schema\": 2"), "schema 2 given, 1 expected"));
  CHECK(contains(with("\"step\": 7", "\"step\": 5"), "step 5 given, 7 expected"));
  // Without a manifest it was never finished.
  std::filesystem::remove(manifest);
  CHECK(checkpoints_in(run.folder / "run").empty());
  CHECK(run.error(run.options) == "nothing thrown");
}

namespace {

RunIdentity run_of(int number) {
  RunIdentity run;
  run.add("number", number);
  return run;
}

std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

void put_checkpoint(const std::filesystem::path& folder, const std::string& name, const std::string& manifest) {
  std::filesystem::create_directories(folder / name);
  std::ofstream(folder / name / "manifest.json") << manifest;
}

}  // namespace

TEST_CASE("checkpoint: a run is the same in JSON, and its number stays what earlier versions wrote") {
  RunIdentity run;
  run.add("name", "a\"b\n");
  run.add("flag", true);
  run.add("rate", 0.1f);
  run.add("whole", 3.0f);
  run.add("seed", ~std::uint64_t{0});
  run.add("shift", -5);
  CHECK(run.json_text() ==
        R"({"name":"a\"b\n","flag":true,"rate":0.1,"whole":3.0,"seed":18446744073709551615,"shift":-5})");
  CHECK(run.hash() == 15383614350937203967u);
  CHECK(RunIdentity::parse(run.json_text(), "t") == run);
  const auto other = RunIdentity::parse(R"({"rate": 1e-1, "whole": 3, "more": [1, null]})", "t");
  const auto found = RunIdentity().differences(other);
  CHECK(found.size() == 3);
  CHECK(contains(OtherRunError("f", run.differences(other)).what(), "whole 3 there, 3.0 here"));
  CHECK(contains(OtherRunError("f", run.differences(other)).what(), "more [1,null] there, nothing here"));
  CHECK_THROWS_AS(RunIdentity::parse("[]", "t"), FormatError);
}

TEST_CASE("checkpoint: the newest one of a run is found among other things; others stay where they are") {
  const TemporaryFolder folder;
  const auto run = folder / "run";
  CHECK_FALSE(newest_checkpoint(run, run_of(1)).has_value());
  const auto manifest = [](int step, int number) {
    return R"({"schema": 1, "step": )" + std::to_string(step) + R"(, "run": {"number": )" + std::to_string(number) +
           "}}";
  };
  const std::string marked = "checkpoint-11-0123abcd";
  for (const int step : {9, 10, 12}) put_checkpoint(run, "checkpoint-" + std::to_string(step), manifest(step, 1));
  for (const std::string name :
       {"checkpoint-9.knnbert-new", "checkpoint-", "checkpoint--3", "checkpoint-x", "checkpoint-99999999999999999999",
        "checkpoint-13-0123abc", "checkpoint-13-0123abcg", "checkpoint-13-0123abcde", "other"})
    put_checkpoint(run, name, manifest(9, 1));
  put_checkpoint(run, marked, manifest(11, 1));
  put_checkpoint(run, "checkpoint-14", manifest(14, 2));
  put_checkpoint(run, "checkpoint-15", "damaged");
  put_checkpoint(run, "checkpoint-16", R"({"run": "of an earlier version"})");
  std::filesystem::create_directories(run / "checkpoint-17");
  CHECK(newest_checkpoint(run, run_of(1))->step == 12);
  CHECK(newest_checkpoint(run, run_of(2))->step == 14);
  CHECK(checkpoints_in(run, run_of(1)).size() == 4);
  auto expected = names_in(run);
  const DirectoryLock lock(run);
  expected.insert(".knnbert-lock");
  remove_old_checkpoints(lock, run_of(1), 11, 1);
  // 12: of an attempt that was given up
  for (const char* gone : {"checkpoint-9", "checkpoint-10", "checkpoint-12"}) expected.erase(gone);
  CHECK(names_in(run) == expected);
}

TEST_CASE("checkpoint: a name that another run has taken is left to it") {
  const TemporaryFolder folder;
  const auto run = folder / "run";
  put_checkpoint(run, "checkpoint-5", R"({"schema": 1, "step": 5, "run": {"number": 2}, "mine": true})");
  const DirectoryLock lock(run);
  const auto write = [&](index_t step, std::int64_t value) {
    write_checkpoint(lock, step, run_of(1), [&](auto& ar) { ar("value", value); });
  };
  const auto read = [&] {
    std::int64_t value = 0;
    const auto newest = newest_checkpoint(run, run_of(1));
    read_checkpoint(*newest, run_of(1), [&](auto& ar) { ar("value", value); });
    return std::pair(newest->step, value);
  };
  write(5, 50);
  CHECK(read() == std::pair<index_t, std::int64_t>(5, 50));
  CHECK(contains(slurp(run / "checkpoint-5" / "manifest.json"), "mine"));
  write(5, 51);
  CHECK(read() == std::pair<index_t, std::int64_t>(5, 51));
  write(6, 60);
  write(6, 61);
  CHECK(read() == std::pair<index_t, std::int64_t>(6, 61));
  CHECK(checkpoints_in(run).size() == 3);
  CHECK_THROWS_AS(newest_checkpoint(run, run_of(3)), OtherRunError);
}

TEST_CASE("checkpoint: a run that starts anew leaves another run's checkpoints alone") {
  const Stopped run;
  const auto before = slurp(run.state);
  auto other = run.options;
  other.resume = false, other.seed = 5, other.checkpoint_every = 1;
  const auto whole = train(run.folder.path(), other, {}, -1, 1, CrossEntropy{});
  CHECK(whole.recorder.steps.size() == 20);
  CHECK(slurp(run.state) == before);
  other.resume = true;
  const auto done = train(run.folder.path(), other, {}, -1, 1, CrossEntropy{});
  CHECK(done.recorder.steps.empty());
  CHECK(same_values(done.values, whole.values));
  CHECK(run.error(run.options) == "nothing thrown");  // goes on from step 7
}

TEST_CASE("checkpoint: a folder that another run is writing is refused") {
  const Stopped run;
  const DirectoryLock lock(run.options.checkpoints);
  CHECK(contains(run.error(run.options), "in use by another process"));
}

TEST_CASE("checkpoint: a place that cannot be written stops the run with a typed error") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.checkpoints = folder.file("file", "precious") / "below";
  CHECK_THROWS_AS(train(folder.path(), options, {}, -1, 1, CrossEntropy{}), IoError);
  CHECK(slurp(folder / "file") == "precious");
}
