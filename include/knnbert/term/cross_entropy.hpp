#pragma once
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

/// weight * mean cross entropy of softmax(logits). With weights of the classes the mean is that of PyTorch's
/// CrossEntropyLoss(weight): an example counts by the weight of its class, and the step's sum is divided by the sum of
/// these weights, over all parts and processes.  Errors: as CrossEntropyLoss.
struct CrossEntropy {
  static constexpr std::string_view name = "cross_entropy";
  float weight = 1;
  float label_smoothing = 0;
  std::vector<float> class_weights = {};  ///< [C], or none: 1 each
  float mean_weight = 1;                  ///< of the step's examples; begin_step() sets it

  template <class Sink>
  void identity(Sink&& sink) const {
    sink("weight", weight), sink("label_smoothing", label_smoothing);
    std::string weights;
    for (const float w : class_weights) weights += format("{}{}", weights.empty() ? "" : " ", w);
    if (!weights.empty()) sink("class_weights", weights);
  }

  template <class Start>
  void begin_step(Start& start) {
    if (class_weights.empty()) return;
    if (std::ssize(class_weights) != start.model.classes())
      raise<ShapeError>("CrossEntropy::class_weights: {} given, one for each of {} classes expected",
                         class_weights.size(), start.model.classes());
    CrossEntropyLoss{label_smoothing, class_weights}.check(std::ssize(start.labels), std::ssize(class_weights),
                                                           start.labels);
    double total = 0;
    for (const label_t label : start.labels) total += class_weights[static_cast<std::size_t>(label)];
    mean_weight = static_cast<float>(total / static_cast<double>(start.labels.size()));
  }

  template <class Context>
  TermValue add(Context& context) const {
    const float scale = (weight + context.idle_weight) * context.share() / mean_weight;
    return add_weighted(CrossEntropyLoss{label_smoothing, class_weights}, context.logits, context.labels, scale,
                        context.d_logits);
  }
};

}  // namespace knnbert::inline v0_1
