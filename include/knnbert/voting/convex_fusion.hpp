#pragma once
#include "knnbert/voting/concept.hpp"

namespace knnbert::inline v0_1 {

/// phi * knn + (1 - phi) * head.  KNN-BERT, arXiv 2110.02523, Eq. 1.  Errors: OptionError for phi outside [0, 1].
struct ConvexFusion {
  static constexpr std::string_view name = "convex";
  float phi = 0.1f;

  template <class Visit>
  void settings(Visit&& visit) {
    visit("phi", phi, 0.0f, 1.0f);
  }

  void operator()(std::span<const float> head, std::span<const float> knn, std::span<float> out) const {
    detail::require_same_classes("ConvexFusion", head, knn, out);
    if (!(phi >= 0 && phi <= 1)) raise<OptionError>("ConvexFusion::phi: {} given, 0 to 1 expected", phi);
    for (std::size_t c = 0; c < out.size(); ++c) out[c] = phi * knn[c] + (1 - phi) * head[c];
  }
};

template <>
inline constexpr bool is_convex<ConvexFusion> = true;

/// The head alone.
struct HeadOnly {
  static constexpr std::string_view name = "head";

  void operator()(std::span<const float> head, std::span<const float> knn, std::span<float> out) const {
    detail::require_same_classes("HeadOnly", head, knn, out);
    std::copy(head.begin(), head.end(), out.begin());
  }
};

/// The neighbors alone.
struct KnnOnly {
  static constexpr std::string_view name = "knn";

  void operator()(std::span<const float> head, std::span<const float> knn, std::span<float> out) const {
    detail::require_same_classes("KnnOnly", head, knn, out);
    std::copy(knn.begin(), knn.end(), out.begin());
  }
};

}  // namespace knnbert::inline v0_1
