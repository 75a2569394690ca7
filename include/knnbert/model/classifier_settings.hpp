#pragma once
#include "knnbert/model/classifier.hpp"
#include "knnbert/model/new_head.hpp"

/// What a classifier is told about itself: what Classifier declares.
namespace knnbert::inline v0_1 {

template <class Stack>
ClassifierOptions Classifier<Stack>::complete(ClassifierOptions options, const SentenceSettings& settings,
                                              const typename Stack::encoder_type& encoder) {
  constexpr index_t usual_length = 128;
  if (!options.pooling) options.pooling = settings.require_pooling();
  if (options.max_length == 0)
    options.max_length =
        std::min<index_t>(settings.max_length ? settings.max_length : usual_length, encoder.max_length());
  options.normalized |= settings.normalized;
  return options;
}

template <class Stack>
TaskSettings Classifier<Stack>::settings_of(const std::vector<std::string>& classes, const ClassifierOptions& options) {
  TaskSettings task{.task = options.task, .separator = options.label_separator};
  if (task.task == Task::single_label && std::count(classes.begin(), classes.end(), ""))
    raise<OptionError>("Classifier: a class with an empty name given, a name expected");
  if (task.task != Task::single_label) task.outputs = TargetTable(task.task, task.separator, {}, classes).outputs();
  if (task.separator.empty())
    raise<OptionError>("ClassifierOptions::label_separator: an empty one given, a character expected");
  return task;
}

template <class Stack>
index_t Classifier<Stack>::head_outputs(const std::vector<std::string>& classes, const ClassifierOptions& options) {
  return options.task == Task::single_label ? std::ssize(classes) : std::ssize(settings_of(classes, options).outputs);
}

/// In reduced precision the neighbors, which stay the same, are found faster too.
template <class Stack>
void Classifier<Stack>::lower_datastore() {
  if constexpr (requires { datastore_.lower(); })
    if (options().precision != Precision::fp32) datastore_.lower();
}

template <class Stack>
void Classifier<Stack>::set_thresholds(std::vector<float> thresholds) {
  if (!thresholds.empty() && thresholds.size() != task_.outputs.size())
    raise<ShapeError>("Classifier::set_thresholds: {} given, {} expected", thresholds.size(), task_.outputs.size());
  for (const float t : thresholds)
    if (!std::isfinite(t)) raise<OptionError>("Classifier::set_thresholds: {} given, finite numbers expected", t);
  task_.thresholds = std::move(thresholds);
}

template <class Stack>
void Classifier<Stack>::set_scale(const Dataset& data) {
  if (task_.task != Task::regression) return;
  const Matrix values = gold_outputs(data, task_.task, task_.separator, task_.outputs);
  double sum = 0, squares = 0;
  const auto n = static_cast<double>(std::max<index_t>(values.rows(), 1));
  for (index_t i = 0; i < values.rows(); ++i) sum += values(i, 0);
  for (index_t i = 0; i < values.rows(); ++i) squares += (values(i, 0) - sum / n) * (values(i, 0) - sum / n);
  task_.mean = static_cast<float>(sum / n);
  task_.scale = squares > 0 ? static_cast<float>(std::sqrt(squares / n)) : 1.0f;
}

template <class Stack>
void Classifier<Stack>::set_scale(float mean, float scale) {
  if (!std::isfinite(mean) || !std::isfinite(scale) || !(scale > 0))
    raise<OptionError>("Classifier::set_scale: {} and {} given, finite numbers, the second positive, expected", mean,
                       scale);
  task_.mean = mean, task_.scale = scale;
}

template <class Stack>
void Classifier<Stack>::set_network(network_type network) {
  const auto names = outputs();
  if (network.classes() < network_.classes() || network.classes() > std::ssize(*names) ||
      network.width() != network_.width() || network.feature_width() != network_.feature_width())
    raise<ShapeError>("Classifier::set_network: {} classes and width {} given, {} to {} and {} expected",
                      network.classes(), network.width(), network_.classes(), names->size(), network_.width());
  const bool valid = origin_.is(network_.values()) && same_features(network_.values(), network.values());
  if (!single_label()) {
    task_.outputs.assign(names->begin(), names->begin() + network.classes());
    if (!task_.thresholds.empty()) task_.thresholds.resize(task_.outputs.size(), 0.5f);
  }
  network_ = std::move(network);
  if (valid) origin_.set(network_.values());
}

template <class Stack>
void Classifier<Stack>::set_neighbors(index_t k) {
  constexpr index_t most = ClassifierOptions::most_neighbors;
  if (k < 1 || k > most) raise<OptionError>("Classifier::set_neighbors: {} given, 1 to {} expected", k, most);
  neighbors_ = k;
}

}  // namespace knnbert::inline v0_1
