#pragma once
#include <algorithm>
#include <concepts>
#include <span>
#include <string>

#include "knnbert/core/format.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// What an attack wants of a victim's probabilities [C] for a text of class y: reached() says whether it has it,
/// distance() in [0, 1] what a search lowers, description() names it. Both are pure.
template <class G>
concept AttackGoal = requires(const G& goal, std::span<const float> probabilities, label_t label) {
  { goal.reached(probabilities, label) } -> std::convertible_to<bool>;
  { goal.distance(probabilities, label) } -> std::convertible_to<float>;
  { goal.description() } -> std::convertible_to<std::string>;
};

/// The most likely class; of equals the first.
inline label_t likeliest(std::span<const float> probabilities) {
  return static_cast<label_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
}

/// Any other class than the text's own.
struct Untargeted {
  bool reached(std::span<const float> probabilities, label_t label) const { return likeliest(probabilities) != label; }
  float distance(std::span<const float> probabilities, label_t label) const {
    return probabilities[static_cast<std::size_t>(label)];
  }
  std::string description() const { return "untargeted"; }
};

/// One class.
struct Targeted {
  label_t target = 0;

  bool reached(std::span<const float> probabilities, label_t) const { return likeliest(probabilities) == target; }
  float distance(std::span<const float> probabilities, label_t) const {
    return 1 - (static_cast<std::size_t>(target) < probabilities.size()
                    ? probabilities[static_cast<std::size_t>(target)]
                    : 0);
  }
  std::string description() const { return format("targeted at class {}", target); }
};

}  // namespace knnbert::inline v0_1
