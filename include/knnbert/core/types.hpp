#pragma once
#include <cstddef>
#include <cstdint>

namespace knnbert::inline v0_1 {

using index_t = std::ptrdiff_t;   ///< every size, row, column and offset
using token_t = std::int32_t;     ///< id of a token in its vocabulary
using label_t = std::int32_t;     ///< index of a class
using example_id = std::int64_t;  ///< identity of a labeled example in a datastore, stable across removals

/// An index that is not negative, as the standard library's containers take it.
constexpr std::size_t as_size(index_t i) { return static_cast<std::size_t>(i); }

}  // namespace knnbert::inline v0_1
