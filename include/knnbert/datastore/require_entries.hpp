#pragma once
#include <span>
#include <string>

#include "knnbert/core/error.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/metric/finite.hpp"

namespace knnbert::inline v0_1::detail {

/// Throws ShapeError or NonFiniteError for examples that no datastore takes.
inline void require_entries(ConstView keys, std::span<const label_t> labels, std::span<const std::string> texts,
                            std::span<const std::string> pairs, index_t width) {
  if (keys.rows() != std::ssize(labels))
    raise<ShapeError>("FlatDatastore::add: {} keys but {} labels", keys.rows(), labels.size());
  if (!texts.empty() && texts.size() != labels.size())
    raise<ShapeError>("FlatDatastore::add: {} keys but {} texts", keys.rows(), texts.size());
  if (!pairs.empty() && pairs.size() != labels.size())
    raise<ShapeError>("FlatDatastore::add: {} keys but {} second texts", keys.rows(), pairs.size());
  require_shape("FlatDatastore::add", keys, keys.rows(), width);
  for (const label_t label : labels)
    if (label < 0) raise<ShapeError>("FlatDatastore::add: label {} given, labels count from 0", label);
  require_finite("FlatDatastore::add", keys);
}

}  // namespace knnbert::inline v0_1::detail
