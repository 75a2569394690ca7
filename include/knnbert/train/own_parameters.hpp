#pragma once
#include <memory>
#include <vector>

#include "knnbert/core/gradients.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/distributed/team.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/optimizer/adamw.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert {

namespace detail {

/// Parameters that lie with an encoder of another backend are moved by an optimizer of its own.
template <class Encoder>
struct OptimizerOf { using type = AdamW; };
template <class Encoder>
  requires requires { typename Encoder::optimizer_type; }
struct OptimizerOf<Encoder> { using type = typename Encoder::optimizer_type; };

}  // namespace detail

/// Parameters that terms declared, beside the model's: cleared, summed, moved and archived together.
template <class Optimizer>
struct OwnParameters {
  ParameterBlock values;
  Gradients gradients;
  Optimizer optimizer;
  std::vector<float> multipliers;  // of the rate, for each parameter

  OwnParameters() = default;
  /// Asks the terms, where each(f) calls f(term) for all of them: declare(network, table), then initialize(values, rng).
  template <class Network, class Each>
  OwnParameters(const Network& network, const TrainerOptions& options, float multiplier, Each&& each)
      : optimizer(AdamWOptions{.weight_decay = options.weight_decay}) {
    ParameterTable table(network.values().table().weights());
    each([&](auto& term) {
      if constexpr (requires { term.declare(network, table); }) term.declare(network, table);
    });
    multipliers.assign(static_cast<std::size_t>(table.count()), multiplier);
    const auto shared = std::make_shared<const ParameterTable>(std::move(table));
    values = ParameterBlock(shared), gradients = Gradients(shared);
    if (!any()) return;
    const Rng rng(options.seed, Stream::initialize);
    each([&](auto& term) {
      if constexpr (requires { term.initialize(values, rng); }) term.initialize(values, rng);
    });
    if constexpr (requires { network.encoder().place(values); }) network.encoder().place(values), network.encoder().place(gradients.block());
  }

  bool any() const { return values.size() > 0; }
  void clear() {
    if (any()) gradients.clear();
  }
  void sum(const Team& team) {
    if (any()) team.all_reduce({gradients.data(), static_cast<std::size_t>(values.size())});
  }

  template <class Archive>
  void archive(Archive&& ar) {
    if (!any()) return;
    ar("values", archived_floats<std::remove_cvref_t<Archive>>(values));
    auto moments = ar.scope("optimizer");
    optimizer.archive(moments);
  }
};

}  // namespace knnbert
