#pragma once
#include <cmath>

#include "catch.hpp"
#include "knnbert/core/gradients.hpp"
#include "knnbert/core/rng.hpp"

namespace knnbert_test {

using namespace knnbert;

/// Fills every element of the named parameters with normal numbers; padding stays zero.
inline void fill_random(ParameterBlock& values, std::uint64_t seed, double scale) {
  for (index_t p = 0; p < values.table().count(); ++p) {
    const Parameter& parameter = values.table()[p];
    const Rng rng = Rng(seed, Stream::noise).fork(static_cast<std::uint64_t>(p));
    const bool gain = parameter.vector && parameter.name.ends_with("LayerNorm.weight");
    for (index_t r = 0; r < parameter.rows; ++r)
      for (index_t c = 0; c < parameter.cols; ++c)
        values.data()[parameter.at(r, c)] = static_cast<float>(
            (gain ? 1.0 : 0.0) + scale * rng.normal(static_cast<std::uint64_t>(r * parameter.cols + c)));
  }
}

/// A difference quotient of the fourth order: moves value() from -2h to 2h along a line, move(t) goes to point t.
template <class Move, class Value>
double slope_at_zero(double h, Move&& move, Value&& value) {
  const auto at = [&](double t) {
    move(t);
    return static_cast<double>(value());
  };
  const double slope = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
  move(0);
  return slope;
}

struct Slopes {
  double numeric, analytic, size;  // size: length of the gradient along the direction's support
};

/// Slope of value() along a random direction within one parameter, by differences and by its gradient.
template <class Value>
Slopes slopes_of_parameter(ParameterBlock& values, const Gradients& gradients, index_t number, double h,
                           Value&& value) {
  const Parameter& p = values.table()[number];
  const Rng rng(static_cast<std::uint64_t>(number), Stream::sample);
  const ParameterBlock start = values;
  const auto direction = [&](index_t r, index_t c) {
    return rng.normal(static_cast<std::uint64_t>(r * p.cols + c)) / std::sqrt(static_cast<double>(p.rows * p.cols));
  };
  Slopes s{};
  double squares = 0;
  for (index_t r = 0; r < p.rows; ++r)
    for (index_t c = 0; c < p.cols; ++c) {
      const double g = gradients.data()[p.at(r, c)];
      s.analytic += g * direction(r, c);
      squares += g * g;
    }
  s.size = std::sqrt(squares / static_cast<double>(p.rows * p.cols));
  const auto move = [&](double t) {
    for (index_t r = 0; r < p.rows; ++r)
      for (index_t c = 0; c < p.cols; ++c)
        values.data()[p.at(r, c)] = static_cast<float>(start.data()[p.at(r, c)] + t * direction(r, c));
  };
  s.numeric = slope_at_zero(h, move, value);
  values = start;
  return s;
}

}  // namespace knnbert_test
