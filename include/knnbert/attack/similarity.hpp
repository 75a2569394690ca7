#pragma once
#include "knnbert/attack/constraint.hpp"
#include "knnbert/core/finite.hpp"
#include "knnbert/core/matrix.hpp"

namespace knnbert::inline v0_1 {

/// Embeddings [N, D] of texts, of any length: what a constraint compares.
template <class E>
concept SentenceEncoder = requires(const E& encoder, std::span<const std::string> texts) {
  { encoder(texts) } -> std::convertible_to<Matrix>;
};

struct SimilarityOptions {
  float threshold = 0.5f;         ///< least 1 - arccos(cosine), the angle in radians: 0.5 is a cosine of 0.8776
  float short_threshold = 0.1f;   ///< the same for texts of fewer words than the window: a cosine of 0.6216
  bool compare_short = true;      ///< false: those are not compared, all are alike, as in TextAttack
  index_t window = 15;            ///< words around the replaced one that are compared
  bool against_previous = false;  ///< compare with the text before this replacement, as the released code does
  std::string encoder = "an encoder of the caller's";  ///< its name in descriptions
};

/// Cosine of two rows; 0 if one of them is zero.
inline float cosine_of(std::span<const float> a, std::span<const float> b) {
  double product = 0, squares_a = 0, squares_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    squares_a += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    squares_b += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  if (squares_a == 0 || squares_b == 0) return 0;
  return static_cast<float>(std::clamp(product / std::sqrt(squares_a * squares_b), -1.0, 1.0));
}

/// The sentence keeps its meaning: around a replaced word it is as similar to the original as a threshold says.
/// TextFooler, arXiv 1907.11932, with another encoder than its Universal Sentence Encoder: thresholds of one encoder
/// are not those of another.
template <SentenceEncoder E>
struct KeepMeaning {
  E encoder;
  SimilarityOptions options = {};

  /// TextFooler's scale: 1 - arccos(cosine).
  static float angular(float cosine) { return 1 - std::acos(cosine); }

  void judge(const WordPlace& place, std::span<const std::string> candidates, Verdicts& verdicts) const {
    const auto& o = options;
    const index_t n = std::ssize(place.original), width = std::min(o.window, n);
    if (n < o.window && !o.compare_short)
      return std::fill(verdicts.similarity.begin(), verdicts.similarity.end(), 1.0f);
    const index_t first = std::clamp<index_t>(place.position - (o.window - 1) / 2, 0, n - width);
    const float threshold = n < o.window ? o.short_threshold : o.threshold;
    const auto around = [&](std::span<const std::string> words) {
      return words.subspan(as_size(first), as_size(width));
    };
    std::vector<std::string> texts{
        join_words(around(o.against_previous ? place.current : place.original), place.separator)};
    for (const auto& candidate : candidates)
      texts.push_back(join_words_with(around(place.current), place.position - first, candidate, place.separator));
    const Matrix rows = embeddings(texts);
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      verdicts.similarity[c] = angular(cosine_of(rows.row(0), rows.row(static_cast<index_t>(c) + 1)));
      if (!(verdicts.similarity[c] >= threshold)) ++verdicts.violations[c];
    }
  }

  /// Cosine of whole texts.
  float similarity(const std::string& original, const std::string& other) const {
    const std::string texts[] = {original, other};
    const Matrix rows = embeddings(texts);
    return cosine_of(rows.row(0), rows.row(1));
  }

  std::string description() const {
    const auto cosine = [](float threshold) {  // three digits are enough for a name
      return std::round(1000 * std::cos(std::min(1 - static_cast<double>(threshold), std::acos(-1.0)))) / 1000;
    };
    return format(
        "similarity of {} words by {}: 1 - arccos(cosine) >= {} (cosine {}), of shorter texts {} (cosine {}){}",
        options.window, options.encoder, options.threshold, cosine(options.threshold), options.short_threshold,
        cosine(options.short_threshold), options.against_previous ? ", to the text before" : "");
  }

 private:
  /// Errors: ShapeError, NonFiniteError.
  Matrix embeddings(std::span<const std::string> texts) const {
    Matrix rows = encoder(texts);
    if (rows.rows() != std::ssize(texts))
      raise<ShapeError>("KeepMeaning: {} embeddings of {} texts given", rows.rows(), texts.size());
    for (index_t i = 0; i < rows.rows(); ++i)
      if (!all_finite(std::as_const(rows).row(i)))
        raise<NonFiniteError>("KeepMeaning: an embedding that is not finite given by {}", options.encoder);
    return rows;
  }
};

}  // namespace knnbert::inline v0_1
