#pragma once
#include "knnbert/optimizer/concept.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

/// The laws of TrainingSchedule, of each kind and of several lengths of a run and of its warm-up.
template <TrainingSchedule S>
BrokenLaws schedule_laws() {
  BrokenLaws broken;
  for (const ScheduleKind kind : {ScheduleKind::constant, ScheduleKind::linear, ScheduleKind::cosine})
    for (const index_t total : {1, 2, 10, 1000})
      for (const index_t warmup : {index_t{0}, total / 10, total}) {
        const S schedule(ScheduleOptions{.kind = kind, .warmup = warmup, .total = total});
        const S copy = schedule;
        for (index_t update = 0; update <= total; ++update) {
          const double factor = schedule(update);
          expect(broken, std::isfinite(factor) && factor >= 0, "update {} of {} has the factor {}", update, total,
                 factor);
          expect(broken, copy(update) == factor && schedule(update) == factor, "pure: the same factor for update {}",
                 update);
        }
      }
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
