#pragma once
#include <string>
#include <utility>
#include <vector>

#include "knnbert/term/context.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert {

/// What one step did. Terms that were absent have no value.
struct StepReport {
  index_t step = 0, steps = 0;   ///< number of this step, from 1, and of all
  index_t epoch = 0;             ///< from 1
  float loss = 0;                ///< sum of the terms
  std::vector<std::pair<std::string_view, TermValue>> terms;
  std::vector<std::pair<std::string_view, double>> measures;
  double gradient_norm = 0;      ///< before clipping
  float learning_rate = 0;
  bool finite = true;            ///< false: loss or gradient was not finite and the parameters stayed as they were
  index_t examples = 0, tokens = 0;
};

/// Accuracy of the three predictors; knn and combined are absent without a store.
struct Scores {
  double head = 0;
  std::optional<double> knn{}, combined{};

  double of(Predictor predictor) const {
    if (predictor == Predictor::knn && knn) return *knn;
    if (predictor == Predictor::combined && combined) return *combined;
    return head;
  }
};

/// What one epoch did.
struct EpochReport {
  index_t epoch = 0;             ///< from 1
  float mean_loss = 0;           ///< over the examples of steps that counted; NaN without any
  std::optional<Scores> dev{};
  bool best = false;             ///< the best dev score so far
};

/// Receives reports and may stop a run between two steps. Derive nothing; any type with these members serves.
struct SilentObserver {
  void step(const StepReport&) {}
  void epoch(const EpochReport&) {}
  bool stop_requested() const { return false; }
};

}  // namespace knnbert
