#pragma once
#include "knnbert/voting/distance_weighted.hpp"
#include "knnbert/voting/majority.hpp"
#include "knnbert/voting/softmax_weighted.hpp"

namespace knnbert::inline v0_1 {

enum class VotingKind { count, softmax, distance };

/// The vote that is chosen when the program runs, and that a model directory names.
struct SelectedVoting {
  static constexpr std::string_view names[] = {MajorityVoting::name, SoftmaxWeighted::name, DistanceWeighted::name};

  VotingKind kind = VotingKind::count;
  float temperature = SoftmaxWeighted{}.temperature;                                 ///< of softmax
  float closest = DistanceWeighted{}.closest, epsilon = DistanceWeighted{}.epsilon;  ///< of distance

  std::string_view name() const { return names[static_cast<int>(kind)]; }
  /// Whether there is a vote of that name, which is then chosen.
  [[nodiscard]] bool set_name(std::string_view name) {
    const auto found = std::find(std::begin(names), std::end(names), name);
    if (found == std::end(names)) return false;
    kind = static_cast<VotingKind>(found - std::begin(names));
    return true;
  }

  template <class Visit>
  void settings(Visit&& visit) {
    visit("temperature", temperature, detail::smallest_setting, detail::largest_setting);
    visit("closest", closest, -detail::largest_setting, detail::largest_setting);
    visit("epsilon", epsilon, detail::smallest_setting, detail::largest_setting);
  }

  /// Whether sums of its weights have no rounding.
  bool exact() const { return kind == VotingKind::count; }
  /// Up to a factor that all neighbors share.
  double weight(float score) const {
    switch (kind) {
      case VotingKind::count: return MajorityVoting{}.weight(score);
      case VotingKind::softmax: return SoftmaxWeighted{temperature}.weight(score);
      case VotingKind::distance: return DistanceWeighted{closest, epsilon}.weight(score);
    }
    return 0;
  }

  void operator()(std::span<const Neighbor> neighbors, std::span<float> probabilities) const {
    switch (kind) {
      case VotingKind::count: return MajorityVoting{}(neighbors, probabilities);
      case VotingKind::softmax: return SoftmaxWeighted{temperature}(neighbors, probabilities);
      case VotingKind::distance: return DistanceWeighted{closest, epsilon}(neighbors, probabilities);
    }
  }
};

}  // namespace knnbert::inline v0_1
