#pragma once
#include <bit>
#include <cmath>
#include <limits>
#include <tuple>

#include "knnbert/config.hpp"
#include "knnbert/train/report.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void StepReport::clear() {
  auto kept = std::tuple(std::move(terms), std::move(measures), std::move(phases));
  *this = {};
  std::tie(terms, measures, phases) = std::move(kept);
  terms.clear(), measures.clear(), phases.clear();
}

KNNBERT_INLINE PhaseTime& StepReport::phase(std::string_view name, std::string_view term) {
  for (PhaseTime& p : phases)
    if (p.phase == name && p.term == term) return p;
  return phases.emplace_back(PhaseTime{name, term});
}

KNNBERT_INLINE void detail::append(const EpochReport& e, std::vector<std::int64_t>& to) {
  constexpr double absent = std::numeric_limits<double>::quiet_NaN();  // scores may be negative
  const auto score = [&](auto member) {
    return bits_of(e.dev ? std::optional<double>((*e.dev).*member).value_or(absent) : absent);
  };
  to.insert(to.end(), {bits_of(static_cast<double>(e.mean_loss)), score(&Scores::head), score(&Scores::knn),
                       score(&Scores::combined), e.best});
}

KNNBERT_INLINE EpochReport detail::epoch_from(std::span<const std::int64_t> from, index_t epoch) {
  const auto score = [&](std::size_t i) {
    return std::isnan(number_of(from[i])) ? std::nullopt : std::optional<double>(number_of(from[i]));
  };
  EpochReport e{.epoch = epoch, .mean_loss = static_cast<float>(number_of(from[0])), .best = from[4] != 0};
  if (const auto head = score(1)) e.dev = Scores{*head, score(2), score(3)};
  return e;
}

}  // namespace knnbert::inline v0_1
