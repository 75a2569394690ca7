#pragma once
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/train/trainer.hpp"
#include "model/tiny_model.hpp"

namespace knnbert_test {

/// Keeps every report and stops after a number of steps.
struct Recorder {
  index_t stop_after = -1;
  std::vector<StepReport> steps{};
  std::vector<EpochReport> epochs{};

  void step(const StepReport& report) { steps.push_back(report); }
  void epoch(const EpochReport& report) { epochs.push_back(report); }
  bool stop_requested() const { return std::ssize(steps) == stop_after; }
};

/// 4 epochs of 5 steps over tiny_data(40), fast enough to see something move.
inline TrainerOptions tiny_training() {
  return {.epochs = 4, .batch_size = 8, .learning_rate = 3e-3f, .warmup = 0.1f, .weight_decay = 0.01f};
}

/// A queue that wraps around within a few steps.
inline QueueContrastive tiny_contrast() {
  return QueueContrastive({.weight = 0.3f,
                           .momentum = 0.9f,
                           .capacity = 57,
                           .positives = 3,
                           .contrast = {.temperature = 0.2f, .most_similar = 5, .least_similar = 1}});
}

struct Outcome {
  ParameterBlock values;
  FitReport report;
  Recorder recorder;
};

/// Trains a fresh model.
template <class... Terms>
Outcome train(const std::filesystem::path& encoder_place, const TrainerOptions& options, const Dataset& dev,
              index_t stop_after, index_t threads, Terms... terms) {
  auto own = tiny_options();
  own.threads = threads;
  auto model = tiny_classifier(encoder_place, own);
  Recorder recorder{.stop_after = stop_after};
  auto report = Trainer(model, options, std::move(terms)...).fit(tiny_data(), dev, recorder);
  return {model.network().values(), std::move(report), std::move(recorder)};
}

inline bool same(const EpochReport& a, const EpochReport& b) {
  const auto same_scores = [](const Scores& x, const Scores& y) {
    return x.head == y.head && x.knn == y.knn && x.combined == y.combined;
  };
  return a.epoch == b.epoch && a.mean_loss == b.mean_loss && a.best == b.best &&
         a.dev.has_value() == b.dev.has_value() && (!a.dev || same_scores(*a.dev, *b.dev));
}
inline bool same(const FitReport& a, const FitReport& b) {
  return a.best_epoch == b.best_epoch && a.interrupted == b.interrupted &&
         std::equal(a.epochs.begin(), a.epochs.end(), b.epochs.begin(), b.epochs.end(),
                    [](const auto& x, const auto& y) { return same(x, y); });
}

}  // namespace knnbert_test
