#pragma once
#include "knnbert/evaluate/judge.hpp"
#include "knnbert/evaluate/rejection.hpp"
#include "knnbert/evaluate/temperature.hpp"

namespace knnbert::inline v0_1 {

struct CalibrationOptions {
  ScopeScore score = ScopeScore::neighbors;
  double coverage = 0.95;   ///< what share of new texts in scope the threshold promises to accept, in (0, 1)
  bool choose_phi = false;  ///< the fusion's phi, too, becomes the one of 0, 0.05, ... 1 with the least loss
};

/// What calibrate() chose, and on what.
struct CalibrationReport {
  index_t held_out = 0;
  index_t known = 0;  ///< texts of them whose nearest example is the same text: held out they are not
  std::optional<float> phi = {};
  Temperature temperature = {};
  Ratio error_before = {}, error_after = {};  ///< expected calibration error on these very texts
  RejectionRule rule = {};
  Ratio accepted = {};  ///< share of these very texts
};

namespace detail {

/// The temperature that fits the combined distribution, which is made anew from the two others. Its logarithms are left
/// in its place, for with many classes it is large.
template <class Stack>
Temperature fit_combined(const Classifier<Stack>& model, std::span<const label_t> gold, Distributions& all) {
  model.combine(all);
  Matrix& logits = all.combined;
  for (index_t i = 0; i < logits.rows(); ++i) log_probabilities(std::as_const(logits).row(i), logits.row(i));
  return fit_temperature(logits, gold);
}

/// Of the fusion of a model whose temperature is 1.
template <class Stack>
float best_phi(Classifier<Stack>& model, std::span<const label_t> gold, Distributions& all) {
  constexpr int steps = 20;
  float best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int step = 0; step <= steps; ++step) {
    model.fusion().phi = static_cast<float>(step) / steps;
    if (const double loss = fit_combined(model, gold, all).loss_after.value; loss < least)
      least = loss, best = model.fusion().phi;
  }
  return best;
}

inline Ratio accepted_share(const RejectionRule& rule, std::span<const float> scores) {
  const auto accepted = std::count_if(scores.begin(), scores.end(), [&](float s) { return !rule.rejects(s); });
  return ratio(static_cast<double>(accepted), static_cast<double>(scores.size()));
}

/// Texts whose nearest example is the same text.
template <class Stack>
index_t count_known(const Classifier<Stack>& model, const Dataset& data, const NeighborLists& neighbors) {
  const auto& store = model.datastore();
  index_t known = 0;
  for (index_t i = 0; i < data.size(); ++i) {
    if (neighbors[i].empty()) continue;
    const example_id id = neighbors[i].front().id;
    bool same = store.text(id) == data.text(i);
    if constexpr (requires { store.pair(id); }) same = same && store.pair(id) == data.pair(i);
    known += same;
  }
  return known;
}

template <class Stack>
void require_calibration(const Classifier<Stack>& model, const CalibrationOptions& options) {
  (void)held_out_needed(options.coverage);
  const bool has_phi = requires { model.fusion().phi; };
  if (options.choose_phi && !has_phi)
    raise<OptionError>("CalibrationOptions::choose_phi: given, a fusion with a phi expected");
  if (options.choose_phi && options.score == ScopeScore::max_probability)
    raise<OptionError>(
        "CalibrationOptions::choose_phi: given with max-probability, another score expected: the texts that choose phi "
        "cannot promise a coverage of what depends on it");
  if (options.choose_phi && !model.head_trained())
    raise<OptionError>("CalibrationOptions::choose_phi: given, a trained head expected: the neighbors answer alone");
  if (options.score == ScopeScore::energy && !model.head_trained())
    raise<StateError>("calibrate: energy given, another score expected: the head was never trained");
  if (is_of_examples(options.score) && model.datastore().size() == 0)
    raise<StateError>("calibrate: {} given, but the datastore is empty; fill it with index() or add()",
                      name_of(options.score));
}

template <class Stack>
CalibrationReport calibrate_on(Classifier<Stack>& model, const Dataset& data, const CalibrationOptions& options) {
  model.decision() = {};
  Answers answers = model.answers(model.tokenize(data.texts(), data.pairs()));
  auto& all = answers.distributions;
  CalibrationReport report{.held_out = data.size(), .known = count_known(model, data, answers.neighbors)};
  if constexpr (requires { model.fusion().phi; })
    if (options.choose_phi) report.phi = model.fusion().phi = best_phi(model, data.labels(), all);
  report.temperature = fit_combined(model, data.labels(), all);
  model.combine(all);
  report.error_before = measure_calibration(all.combined, data.labels()).expected_error;
  const auto scores = model.scope_scores(options.score, answers);
  report.rule = {.score = options.score,
                 .threshold = conformal_threshold(scores, options.coverage),
                 .coverage = static_cast<float>(options.coverage),
                 .held_out = data.size()};
  model.decision() = {.temperature = static_cast<float>(report.temperature.value), .rejection = report.rule};
  model.combine(all);
  report.error_after = measure_calibration(all.combined, data.labels()).expected_error;
  report.accepted = accepted_share(report.rule, scores);
  return report;
}

}  // namespace detail

/// Chooses a model's decision() on held-out texts in scope, which are encoded once: the temperature by their loss, and
/// the threshold of the score so that a new text like them is accepted with a chance of at least `coverage`, exactly as
/// conformal_threshold() says. That holds for the model as it is: other parameters, another phi or vote under
/// max_probability, and examples that are added or removed move the scores. An example more can only bring texts
/// nearer: under `neighbors` what was accepted still is, and texts near to an example of a new class are accepted.
/// Texts that the model was trained on, or that its datastore holds, look nearer than new ones do: with them the
/// threshold promises nothing. A failure changes nothing.
/// Errors: as judge; ShapeError for too few texts; OptionError for a coverage outside (0, 1), for choose_phi with
/// max_probability, whose score these texts may not move, with an untrained head and with a fusion that has no phi;
/// StateError for an empty datastore, and for scores of a head that was never trained.
template <class Stack>
CalibrationReport calibrate(Classifier<Stack>& model, const Dataset& held_out, const CalibrationOptions& options = {}) {
  detail::require_calibration(model, options);
  const Dataset data = labeled_for(model, held_out);
  const auto fusion = model.fusion();
  const auto decision = model.decision();
  try {
    return detail::calibrate_on(model, data, options);
  } catch (...) {
    model.fusion() = fusion, model.decision() = decision;
    throw;
  }
}

}  // namespace knnbert::inline v0_1
