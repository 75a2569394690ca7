#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>

#include "knnbert/optimizer/concept.hpp"

/// The schedules of transformers' get_constant, get_linear and get_cosine_schedule_with_warmup.
namespace knnbert::inline v0_1 {

namespace detail {

inline double ramp(index_t updates, index_t warmup) {
  return static_cast<double>(updates) / static_cast<double>(std::max<index_t>(1, warmup));
}
/// How much of the time after the warm-up has passed; exceeds 1 after `total`.
inline double progress(index_t updates, index_t warmup, index_t total) {
  return static_cast<double>(updates - warmup) / static_cast<double>(std::max<index_t>(1, total - warmup));
}

}  // namespace detail

/// 1 after a linear rise over `warmup` updates.
struct ConstantSchedule {
  index_t warmup = 0;

  double operator()(index_t updates) const { return updates < warmup ? detail::ramp(updates, warmup) : 1.0; }
};

/// A linear rise over `warmup` updates, then a linear fall to 0 at `total`.
struct LinearSchedule {
  index_t warmup = 0, total = 1;

  double operator()(index_t updates) const {
    if (updates < warmup) return detail::ramp(updates, warmup);
    return std::max(0.0,
                    static_cast<double>(total - updates) / static_cast<double>(std::max<index_t>(1, total - warmup)));
  }
};

/// A linear rise over `warmup` updates, then half a cosine to 0 at `total`.
struct CosineSchedule {
  index_t warmup = 0, total = 1;
  double cycles = 0.5;

  double operator()(index_t updates) const {
    if (updates < warmup) return detail::ramp(updates, warmup);
    return std::max(0.0,
                    0.5 * (1 + std::cos(std::numbers::pi * cycles * 2 * detail::progress(updates, warmup, total))));
  }
};

/// The one of these that a run's options name.
class SelectedSchedule {
 public:
  explicit SelectedSchedule(const ScheduleOptions& options) : options_(options) {}

  double operator()(index_t updates) const {
    switch (options_.kind) {
      case ScheduleKind::constant: return ConstantSchedule{options_.warmup}(updates);
      case ScheduleKind::cosine: return CosineSchedule{options_.warmup, options_.total}(updates);
      case ScheduleKind::linear: break;
    }
    return LinearSchedule{options_.warmup, options_.total}(updates);
  }

 private:
  ScheduleOptions options_;
};

static_assert(TrainingSchedule<SelectedSchedule>);
static_assert(Schedule<ConstantSchedule> && Schedule<LinearSchedule> && Schedule<CosineSchedule>);

}  // namespace knnbert::inline v0_1
