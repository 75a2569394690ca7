#pragma once
#include <memory>
#include <vector>

#include "knnbert/core/gradients.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/distributed/team.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/model/interpolation.hpp"
#include "knnbert/optimizer/clip.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// What the heads' rate is to the encoder's.
inline float head_multiplier(const TrainerOptions& o) {
  return o.head_learning_rate == 0 || o.learning_rate == 0 ? 1.0f : o.head_learning_rate / o.learning_rate;
}

/// The same for every parameter of a model, empty if they are alike. The heads start from random numbers and may want
/// larger steps than the pretrained encoder.
inline std::vector<float> head_multipliers(const ParameterTable& table, const TrainerOptions& options) {
  if (head_multiplier(options) == 1) return {};
  std::vector<float> multipliers;
  for (const Parameter& p : table.all()) multipliers.push_back(of_encoder(p) ? 1.0f : head_multiplier(options));
  return multipliers;
}

/// Where the dense parameters that move begin.  Errors: OptionError for more layers than the encoder has.
template <class Network>
index_t frozen_before(const Network& network, const TrainerOptions& options) {
  const index_t frozen = options.frozen_layers;
  std::vector<index_t> ends{0};
  if constexpr (requires { network.encoder().layer_ends(network.values().table()); })
    ends = network.encoder().layer_ends(network.values().table());
  if (frozen >= std::ssize(ends))
    raise<OptionError>("TrainerOptions::frozen_layers: {} given, at most {} expected, the encoder's layers", frozen,
                       ends.size() - 1);
  return frozen > 0 ? ends[as_size(frozen)] : 0;
}

}  // namespace detail

/// Parameters that terms declared, beside the model's: cleared, summed, moved and archived together.
template <class Optimizer>
struct OwnParameters {
  ParameterBlock values;
  Gradients gradients;
  Optimizer optimizer;
  std::vector<float> multipliers;  // of the rate, for each parameter

  /// Asks the terms, where each(f) calls f(term) for all of them: declare(network, table), then initialize(values,
  /// rng).
  template <class Network, class Each>
  OwnParameters(const Network& network, const TrainerOptions& options, Each&& each)
      : optimizer(make_optimizer<typename Network::optimizer_type>(options.weight_decay, options.adam_epsilon)) {
    ParameterTable table(network.values().table().weights());
    each([&](auto& term) {
      if constexpr (requires { term.declare(network, table); }) term.declare(network, table);
    });
    multipliers.assign(static_cast<std::size_t>(table.count()), detail::head_multiplier(options));
    const auto shared = std::make_shared<const ParameterTable>(std::move(table));
    values = ParameterBlock(shared), gradients = Gradients(shared);
    if (!any()) return;
    const Rng rng(options.seed, Stream::initialize);
    each([&](auto& term) {
      if constexpr (requires { term.initialize(values, rng); }) term.initialize(values, rng);
    });
    if constexpr (requires { network.encoder().to_device(values); })
      network.encoder().to_device(values), network.encoder().to_device(gradients.block());
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
    if constexpr (requires { optimizer.archive(moments); }) optimizer.archive(moments);
  }
};

}  // namespace knnbert::inline v0_1
