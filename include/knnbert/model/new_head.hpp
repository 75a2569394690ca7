#pragma once
#include <cstring>

#include "knnbert/model/interpolation.hpp"

namespace knnbert::inline v0_1 {

/// Whether two blocks of networks give texts the same embeddings and features: all parameters but those of the
/// classification head are the same.
inline bool same_features(const ParameterBlock& a, const ParameterBlock& b) {
  if (a.table().count() != b.table().count()) return false;
  for (index_t p = 0; p < a.table().count(); ++p) {
    const Parameter &one = a.table()[p], &other = b.table()[p];
    if (one.name.starts_with("classifier.")) continue;
    if (one.name != other.name || one.size != other.size ||
        std::memcmp(a.slice(p), b.slice(p), static_cast<std::size_t>(one.size) * sizeof(float)) != 0)
      return false;
  }
  return true;
}

/// A network with the same encoder and features, and a head for so many classes whose last layer is zero: what it
/// learns does not depend on the order of the classes.  Errors: OptionError for no class and for a network
/// that keeps only what predictions need.
template <class Stack>
Network<Stack> with_new_head(const Network<Stack>& network, index_t classes) {
  const ParameterBlock& from = network.values();
  from.require_complete("with_new_head");
  Network<Stack> made(network.encoder().config(), classes, network.options());
  ParameterBlock& to = made.values();
  const auto bytes = [&](index_t p) { return static_cast<std::size_t>(to.table()[p].size) * sizeof(float); };
  for (index_t p = 0; p < to.table().count(); ++p)
    if (!to.table()[p].name.starts_with("classifier.")) std::memcpy(to.slice(p), from.slice(p), bytes(p));
  const Linear& last = made.head().output();
  for (const index_t p : {last.weight, last.bias}) std::memset(to.slice(p), 0, bytes(p));
  made.lower(to);
  return made;
}

}  // namespace knnbert::inline v0_1
