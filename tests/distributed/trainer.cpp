// Several processes, here threads, train as one process does.
#include "distributed/thread_team.hpp"
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

struct Member {
  Outcome outcome;
  std::vector<float> keys;
  std::vector<label_t> labels;
};

/// Trains a fresh model on each of `size` threads.
template <class... Terms>
std::vector<Member> train_together(index_t size, const std::filesystem::path& place, const TrainerOptions& options,
                                   const Dataset& dev, index_t stop_after, Terms... terms) {
  tiny_classifier(place);  // writes the encoder
  std::vector<Member> members(static_cast<std::size_t>(size));
  run_team(size, [&](ThreadCommunicator& c) {
    auto model = tiny_classifier(place);
    Recorder recorder{.stop_after = c.rank() == size - 1 ? stop_after : -1};
    Trainer trainer(model, options, terms...);
    auto report = trainer.fit(tiny_data(), dev, recorder, c);
    auto& member = members[static_cast<std::size_t>(c.rank())];
    member.outcome = {model.network().values(), std::move(report), std::move(recorder)};
    if constexpr (sizeof...(Terms) > 1) {
      const auto& queue = trainer.template term<QueueContrastive>().queue();
      for (index_t i = 0; i < queue.size(); ++i)
        member.keys.insert(member.keys.end(), queue.key(i).begin(), queue.key(i).end());
      member.labels.assign(queue.labels().begin(), queue.labels().end());
    }
  });
  return members;
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

/// The key bias of attention has a gradient of rounding noise only, which Adam turns into whole steps: the largest
/// difference says nothing about parameters.
double mean_difference(const ParameterBlock& a, const ParameterBlock& b) {
  double sum = 0;
  for (index_t i = 0; i < a.size(); ++i) sum += std::abs(static_cast<double>(a.data()[i]) - b.data()[i]);
  return sum / static_cast<double>(a.size());
}

template <class... Terms>
void check_team(const TrainerOptions& options, Terms... terms) {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  const auto alone = train_together(1, folder.path(), options, dev, -1, terms...);
  for (const index_t size : {2, 3, 4}) {
    CAPTURE(size);
    const auto team = train_together(size, folder.path(), options, dev, -1, terms...);
    const auto& expected = alone.front().outcome.recorder.steps;
    for (const Member& member : team) {
      REQUIRE(member.outcome.recorder.steps.size() == expected.size());
      for (std::size_t s = 0; s < expected.size(); ++s) {
        const auto& step = member.outcome.recorder.steps[s];
        CHECK(std::abs(step.loss - expected[s].loss) <= 1e-5);
        CHECK(step.loss == team.front().outcome.recorder.steps[s].loss);
        CHECK(step.gradient_norm == team.front().outcome.recorder.steps[s].gradient_norm);
        CHECK(step.examples == expected[s].examples);
        CHECK(step.tokens == expected[s].tokens);
        REQUIRE(step.terms.size() == expected[s].terms.size());
        for (std::size_t t = 0; t < step.terms.size(); ++t)
          CHECK(step.terms[t].second.has_value() == expected[s].terms[t].second.has_value());
        for (std::size_t m = 0; m < step.measures.size(); ++m)
          CHECK(std::abs(step.measures[m].second - expected[s].measures[m].second) <= 1e-4);
      }
      CHECK(same_values(member.outcome.values, team.front().outcome.values));
      CHECK(mean_difference(member.outcome.values, alone.front().outcome.values) < 1e-5);
      CHECK(same(member.outcome.report, team.front().outcome.report));
      CHECK(member.outcome.report.best_epoch == alone.front().outcome.report.best_epoch);
      CHECK(member.labels == alone.front().labels);
      CHECK(member.keys == team.front().keys);
      CHECK(largest_difference(member.keys, alone.front().keys) < 2e-4);
    }
  }
}

}  // namespace

TEST_CASE("team: cross entropy, with dropout, the loss curve of one process") {
  check_team(tiny_training(), CrossEntropy{});
}

TEST_CASE("team: balanced sampling and weights of the classes") {
  auto options = tiny_training();
  options.sampling = Sampling::balanced;
  options.batch_size = 7;
  options.metric = Score::macro_f1;
  check_team(options, CrossEntropy{.label_smoothing = 0.1f, .class_weights = {0.5f, 1, 2}});
}

TEST_CASE("team: with the contrast, one queue everywhere") {
  check_team(tiny_training(), CrossEntropy{0.7f}, tiny_contrast());
}

TEST_CASE("team: steps in parts, a batch smaller than the team, no weight decay") {
  auto options = tiny_training();
  options.batch_size = 3;  // of 40 examples the last step has 1
  options.part_size = 1;
  options.epochs = 2;
  options.weight_decay = 0;
  check_team(options, CrossEntropy{0.7f}, tiny_contrast());
}

TEST_CASE("team: an encoder whose first layer stays as it is") {
  auto options = tiny_training();
  options.frozen_layers = 1;
  check_team(options, CrossEntropy{0.7f}, tiny_contrast());
}

TEST_CASE("team: frozen keys have the bits of one process") {
  const TemporaryFolder folder;
  auto contrast = tiny_contrast();
  contrast.momentum = 1;
  const auto alone = train_together(1, folder.path(), tiny_training(), {}, -1, CrossEntropy{0.7f}, contrast);
  const auto team = train_together(3, folder.path(), tiny_training(), {}, -1, CrossEntropy{0.7f}, contrast);
  for (const Member& member : team) CHECK(member.keys == alone.front().keys);
}

TEST_CASE("team: one member asks to stop, all stop; resumed, the bytes of an uninterrupted run") {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  const auto whole = train_together(3, folder.path(), tiny_training(), dev, -1, CrossEntropy{0.7f}, tiny_contrast());
  auto options = tiny_training();
  options.checkpoints = folder / "run";
  options.checkpoint_every = 2;
  const auto first = train_together(3, folder.path(), options, dev, 7, CrossEntropy{0.7f}, tiny_contrast());
  for (const Member& member : first) {
    CHECK(member.outcome.report.interrupted);
    CHECK(member.outcome.recorder.steps.size() == 7);
  }
  CHECK(checkpoints_in(folder / "run").back().step == 7);
  options.resume = true;
  const auto second = train_together(3, folder.path(), options, dev, -1, CrossEntropy{0.7f}, tiny_contrast());
  for (const Member& member : second) {
    CHECK(member.outcome.recorder.steps.size() == 13);
    CHECK(same_values(member.outcome.values, whole.front().outcome.values));
    CHECK(same(member.outcome.report, whole.front().outcome.report));
    CHECK(member.keys == whole.front().keys);
  }
  const auto other_size = train_together(2, folder.path(), options, dev, -1, CrossEntropy{0.7f}, tiny_contrast());
  CHECK(other_size.front().outcome.recorder.steps.empty());
}

TEST_CASE("team: a member that fails ends the others; other options are refused") {
  const TemporaryFolder folder;
  tiny_classifier(folder.path());
  CHECK_THROWS_AS(run_team(3,
                           [&](ThreadCommunicator& c) {
                             auto model = tiny_classifier(folder.path());
                             auto options = tiny_training();
                             options.seed = c.rank() == 1 ? 7 : 42;
                             Recorder recorder;
                             Trainer(model, options, CrossEntropy{}).fit(tiny_data(), {}, recorder, c);
                           }),
                  CommunicationError);
}

TEST_CASE("team: what fails on one process alone ends the work of all at once") {
  const TemporaryFolder folder;
  tiny_classifier(folder.path());
  auto options = tiny_training();
  options.checkpoints = folder.path() / "checkpoints";
  train_together(2, folder.path(), options, {}, 3, CrossEntropy{});
  run_team(2, [&](ThreadCommunicator& c) {
    auto model = tiny_classifier(folder.path());
    auto other = options;
    other.seed = 7, other.resume = true;
    Recorder recorder;
    Trainer trainer(model, other, CrossEntropy{});
    if (c.rank() == 0) require_error_in_team<OtherRunError>([&] { trainer.fit(tiny_data(), {}, recorder, c); });
    else require_error_in_team<OtherProcessError>([&] { trainer.fit(tiny_data(), {}, recorder, c); });

    const Batch texts = model.tokenize(std::vector<std::string>{"hello", "where"});
    auto& values = model.network().values();
    const Parameter& words = values.table().lookup();
    values.data()[words.offset + texts.text(0)[1] * words.cols] =
        std::numeric_limits<float>::quiet_NaN();  // of the first text alone
    model.network().lower(values);
    if (c.rank() == 0) require_error_in_team<NonFiniteError>([&] { model.embed(texts, c); });
    else require_error_in_team<OtherProcessError>([&] { model.embed(texts, c); });
  });
}
