#pragma once
#include <cmath>

#include "knnbert/encoder/momentum.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/term/context.hpp"

/// What terms share that compare the model with earlier values of its own.
namespace knnbert::inline v0_1::detail {

/// Logits that other values give for the texts of the clean pass, in evaluation mode.
template <class Context, class Pass>
ConstView teacher_logits(const Context& c, const ParameterBlock& values, Pass& pass) {
  c.model.forward(values, c.pass.batch(), {.first_example = c.first_example, .keep = Keep::nothing}, pass);
  return pass.logits();
}

/// weight * divergence(logits, given), given a constant; adds the gradient at the clean pass' logits.
template <class Context, class Divergence>
TermValue add_divergence(Context& c, const Divergence& divergence, ConstView given, float weight) {
  const ConstView logits = c.logits;
  Matrix d(logits.rows(), logits.cols());
  const float scale = weight * c.share(), value = scale * divergence(logits, given, d);
  scale_rows(d, scale);
  add_rows(d, c.d_logits);
  return value;
}

inline void require_weight(std::string_view where, float weight) {
  if (!(weight >= 0) || !std::isfinite(weight)) raise<OptionError>("{}: {} given, at least 0 expected", where, weight);
}

}  // namespace knnbert::inline v0_1::detail
