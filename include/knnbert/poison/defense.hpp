#pragma once
#include <concepts>
#include <vector>

#include "knnbert/text/dataset.hpp"

namespace knnbert::inline v0_1 {

/// Texts as a defense hands them to a model.
struct DefendedTexts {
  Dataset texts;               ///< as the model is to read them, in the order in which they were given
  std::vector<char> rejected;  ///< [N], 1: not to be answered
};

/// What stands between texts and a model that may be poisoned.
template <class D>
concept TextDefense = requires(const D& defense, const Dataset& data) {
  { defense(data) } -> std::convertible_to<DefendedTexts>;
};

/// Errors: ShapeError unless a defense has answered for each of the given texts.
inline void require_defended(const DefendedTexts& defended, index_t given) {
  if (defended.texts.size() != given || std::ssize(defended.rejected) != given)
    raise<ShapeError>("TextDefense: {} texts and {} in `rejected` given, {} of each expected", defended.texts.size(),
                      defended.rejected.size(), given);
}

struct NoDefense {
  DefendedTexts operator()(const Dataset& data) const { return {data, std::vector<char>(as_size(data.size()), 0)}; }
};

}  // namespace knnbert::inline v0_1
