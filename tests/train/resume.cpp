// A run that is stopped after any step and continued elsewhere ends with the bytes of a run that was not.
#include <set>

#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

TrainerOptions with_checkpoints(const std::filesystem::path& place, bool resume) {
  auto options = tiny_training();
  options.checkpoints = place;
  options.resume = resume;
  return options;
}

index_t newest_step(const std::filesystem::path& folder) { return checkpoints_in(folder).back().step; }

template <class... Terms>
void check_every_step_of(const TrainerOptions& training, const Dataset& dev, Terms... terms) {
  const auto with_checkpoints = [&](const std::filesystem::path& place, bool resume) {
    auto options = training;
    options.checkpoints = place;
    options.resume = resume;
    return options;
  };
  const TemporaryFolder folder;
  const auto whole = train(folder.path(), training, dev, -1, 1, terms...);
  REQUIRE(whole.recorder.steps.size() == 20);
  for (index_t stop = 0; stop <= 20; ++stop) {
    CAPTURE(stop);
    const auto place = folder / format("stopped at {}", stop);
    const auto first = train(folder.path(), with_checkpoints(place, false), dev, stop, 2, terms...);
    CHECK(first.report.interrupted == (stop < 20));
    CHECK(std::ssize(first.recorder.steps) == stop);
    const auto second = train(folder.path(), with_checkpoints(place, true), dev, -1, 1, terms...);
    CHECK(std::ssize(second.recorder.steps) == 20 - stop);
    for (std::size_t s = 0; s < second.recorder.steps.size(); ++s) {
      const auto& given = second.recorder.steps[s];
      const auto& expected = whole.recorder.steps[s + static_cast<std::size_t>(stop)];
      CHECK(given.step == expected.step);
      CHECK(given.loss == expected.loss);
      CHECK(given.learning_rate == expected.learning_rate);
    }
    CHECK(same(second.report, whole.report));
    CHECK(same_values(second.values, whole.values));
  }
}

template <class... Terms>
void check_every_step(const Dataset& dev, Terms... terms) {
  check_every_step_of(tiny_training(), dev, std::move(terms)...);
}

}  // namespace

TEST_CASE("resume: after every step, cross entropy alone") { check_every_step({}, CrossEntropy{}); }

TEST_CASE("resume: after every step, balanced sampling and weights of the classes") {
  auto options = tiny_training();
  options.sampling = Sampling::balanced;
  options.metric = Score::matthews;
  check_every_step_of(options, tiny_data(17, 8), CrossEntropy{.class_weights = {0.5f, 1, 2}});
}

TEST_CASE("resume: after every step, with the contrast, whose queue wraps around, and dev data") {
  check_every_step(tiny_data(17, 8), CrossEntropy{0.7f}, tiny_contrast());
}

TEST_CASE("resume: stopped again and again, in the same process with the same model") {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  const auto whole = train(folder.path(), tiny_training(), dev, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  auto options = with_checkpoints(folder / "run", true);
  options.checkpoint_every = 2;
  auto model = tiny_classifier(folder.path());
  FitReport report;
  index_t fits = 0;
  do {
    Recorder recorder{.stop_after = 3};
    report = Trainer(model, options, CrossEntropy{0.7f}, tiny_contrast()).fit(tiny_data(), dev, recorder);
    ++fits;
  } while (report.interrupted);
  CHECK(fits == 7);
  CHECK(same(report, whole.report));
  CHECK(same_values(model.network().values(), whole.values));
}

TEST_CASE("resume: checkpoints change nothing, and as many stay as were asked for") {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  const auto whole = train(folder.path(), tiny_training(), dev, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  auto options = with_checkpoints(folder / "run", false);
  options.checkpoint_every = 3;
  options.checkpoints_kept = 3;
  const auto kept = train(folder.path(), options, dev, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  CHECK(same(kept.report, whole.report));
  CHECK(same_values(kept.values, whole.values));
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run"))
    found.insert(entry.path().filename().string());
  CHECK(found == std::set<std::string>{"checkpoint-15", "checkpoint-18", "checkpoint-20"});
  CHECK(newest_step(folder / "run") == 20);
  options.resume = true;
  const auto done = train(folder.path(), options, dev, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  CHECK(done.recorder.steps.empty());
  CHECK(same_values(done.values, whole.values));
}

TEST_CASE("resume: a crash costs the steps since the last checkpoint, not the result") {
  struct Crash {
    index_t at, seen = 0;
    void step(const StepReport&) {
      if (++seen == at) throw std::runtime_error("power failure");
    }
    void epoch(const EpochReport&) {}
    bool stop_requested() const { return false; }
  };
  const TemporaryFolder folder;
  const auto whole = train(folder.path(), tiny_training(), {}, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  auto options = with_checkpoints(folder / "run", true);
  options.checkpoint_every = 2;
  {
    auto model = tiny_classifier(folder.path());
    Crash crash{.at = 14};
    CHECK_THROWS_AS(Trainer(model, options, CrossEntropy{0.7f}, tiny_contrast()).fit(tiny_data(), {}, crash),
                    std::runtime_error);
  }
  CHECK(newest_step(folder / "run") == 12);
  const auto rest = train(folder.path(), options, {}, -1, 1, CrossEntropy{0.7f}, tiny_contrast());
  CHECK(rest.recorder.steps.size() == 8);
  CHECK(same_values(rest.values, whole.values));
}

TEST_CASE("resume: without a checkpoint it is a new run; a new run does not mix with an old one's checkpoints") {
  const TemporaryFolder folder;
  auto options = with_checkpoints(folder / "run", true);
  const auto whole = train(folder.path(), options, {}, -1, 1, CrossEntropy{});
  CHECK(whole.recorder.steps.size() == 20);
  options.resume = false;
  options.seed = 5;
  options.checkpoint_every = 2;
  const auto other = train(folder.path(), options, {}, 3, 1, CrossEntropy{});
  CHECK(newest_step(folder / "run") == 20);  // the other run's
  options.resume = true;
  const auto rest = train(folder.path(), options, {}, -1, 1, CrossEntropy{});
  CHECK(rest.recorder.steps.size() == 17);
}
