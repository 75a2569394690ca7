#pragma once
#include <numeric>

#include "knnbert/testing/laws.hpp"
#include "knnbert/testing/memory_archive.hpp"
#include "knnbert/train/stepper.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

struct TermRun {
  double value;
  ParameterBlock gradients, own_gradients;
};

/// value and gradients of one step over all examples at a rate of 0, from values that `change` has changed.
template <class Make, class Data, class Change, class... Terms>
TermRun run_terms(Make& make, const Data& data, index_t part_size, Change&& change, const Terms&... terms) {
  auto network = make();
  Stepper stepper(network, data, TrainerOptions{.part_size = part_size, .clip_norm = 0, .dropout = false}, terms...);
  change(network.values(), stepper.own_values());
  std::vector<index_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), index_t{0});
  const double value = static_cast<float>(stepper.step({.steps = 1}, all, 0).loss);
  return {value, stepper.gradients().block(), stepper.own_gradients().block()};
}

inline double length_of(const float* x, index_t size) {
  double squares = 0;
  for (index_t i = 0; i < size; ++i) squares += static_cast<double>(x[i]) * x[i];
  return std::sqrt(squares);
}

/// Along a parameter's gradient the value rises as fast as the gradient is long.
template <class Value>
void gradient_law(BrokenLaws& broken, const ParameterBlock& gradients, double h, double tolerance, Value&& value) {
  for (const Parameter& p : gradients.table().all()) {
    const float* g = gradients.data() + p.offset;
    const double length = length_of(g, p.size);
    if (length == 0) continue;
    const auto at = [&](double step) {
      return value([&](ParameterBlock& values) {
        for (index_t i = 0; i < p.size; ++i) values.data()[p.offset + i] += static_cast<float>(step * g[i] / length);
      });
    };
    const double slope = (at(h) - at(-h)) / (2 * h);
    expect(broken, std::abs(slope - length) <= tolerance * length + 1e-4,
           "the gradient of {} is {}, differences of the value say {}", p.name, length, slope);
  }
}

/// Steps of one example each, under one term alone.
template <class Make, class Data, class T>
void absence_law(BrokenLaws& broken, Make& make, const Data& data, const T& term) {
  auto network = make();
  Stepper stepper(network, data, TrainerOptions{.clip_norm = 0, .dropout = false}, term);
  const auto nothing = [](const ParameterBlock& block) { return length_of(block.data(), block.size()) == 0; };
  for (index_t i = 0; i < data.size(); ++i) {
    const auto& report = stepper.step({.steps = 1}, {&i, 1}, 0);
    for (const auto& [name, value] : report.terms)
      expect(broken, value || (nothing(stepper.gradients().block()) && nothing(stepper.own_gradients().block())),
             "{} has no value for example {} alone, and adds no gradient", name, i);
  }
}

inline double relative_difference(const ParameterBlock& a, const ParameterBlock& b) {
  double worst = 0, most = 1e-6;
  for (index_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a.data()[i]) - b.data()[i]));
    most = std::max(most, std::abs(static_cast<double>(b.data()[i])));
  }
  return worst / most;
}

inline bool same_bits(const ParameterBlock& a, const ParameterBlock& b) {
  return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

}  // namespace detail

/// The laws of training terms, for small data and make(), which returns the same network at every call. Dropout is off:
/// the gradient is that of the value, for the model's and for the terms' own parameters; a term that has no value in a
/// step of one example adds no gradient there; parts of a step add up to the whole, unless a term compares examples;
/// what archive() names is all that a run needs to go on with the same bits.
/// Where a term has state that follows the model, or searches for a perturbation that is then held constant,
/// `tolerance` has to allow for it.
template <class Make, DataSource Data, class... Terms>
BrokenLaws term_laws(Make&& make, const Data& data, double tolerance, const Terms&... terms) {
  BrokenLaws broken;
  constexpr double h = 1e-2;
  const auto unchanged = [](ParameterBlock&, ParameterBlock&) {};
  const auto whole = detail::run_terms(make, data, 0, unchanged, terms...);
  detail::gradient_law(broken, whole.gradients, h, tolerance, [&](auto&& change) {
    return detail::run_terms(
               make, data, 0, [&](ParameterBlock& values, ParameterBlock&) { change(values); }, terms...)
        .value;
  });
  detail::gradient_law(broken, whole.own_gradients, h, tolerance, [&](auto&& change) {
    return detail::run_terms(
               make, data, 0, [&](ParameterBlock&, ParameterBlock& own) { change(own); }, terms...)
        .value;
  });

  (detail::absence_law(broken, make, data, terms), ...);

  using Network = std::remove_cvref_t<decltype(make())>;
  if constexpr (!(WholeBatchTerm<bound_term<Terms, Network>> || ...))
    for (const index_t part : {index_t{1}, (data.size() + 1) / 2}) {
      const auto parts = detail::run_terms(make, data, part, unchanged, terms...);
      expect(broken, std::abs(parts.value - whole.value) <= 1e-4 * std::abs(whole.value) + 1e-5,
             "parts of {} add up to the whole's value", part);
      expect(broken, detail::relative_difference(parts.gradients, whole.gradients) < 1e-3,
             "parts of {} add up to the whole's gradient", part);
      expect(broken, detail::relative_difference(parts.own_gradients, whole.own_gradients) < 1e-3,
             "parts of {} add up to the whole's own gradient", part);
    }

  auto network = make(), resumed = make();
  const TrainerOptions options;
  Stepper first(network, data, options, terms...), second(resumed, data, options, terms...);
  std::vector<index_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), index_t{0});
  for (std::uint64_t step = 0; step < 2; ++step) first.step({.step = step, .steps = 3}, all, 1e-3f);
  MemoryArchive archive;
  first.archive(archive);
  archive.rewind();
  second.archive(archive);
  first.step({.step = 2, .steps = 3}, all, 1e-3f), second.step({.step = 2, .steps = 3}, all, 1e-3f);
  expect(broken, detail::same_bits(std::as_const(network).values(), std::as_const(resumed).values()),
         "a resumed run goes on with the same bits");
  expect(broken, detail::same_bits(std::as_const(first).own_values(), std::as_const(second).own_values()),
         "a resumed run's own parameters go on with the same bits");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
