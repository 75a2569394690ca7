#pragma once
#include "knnbert/attack/augmentation.hpp"
#include "knnbert/attack/victim.hpp"
#include "knnbert/train/run_identity.hpp"

namespace knnbert::inline v0_1 {

struct SmoothingOptions {
  index_t copies = 8;  ///< that answer for a text, at least 1
  double words = 0.5;  ///< fraction of a copy's words that are replaced
  std::uint64_t seed = 0;
  bool text_leads = false;  ///< a search is led by the other's answer for the text itself: see GuidedProbabilities
};

/// options.copies copies of each text, one after the other, in which words are replaced at random. They are functions
/// of seed and text.  Errors: OptionError.
template <class Substitutes>
std::vector<std::string> smoothing_copies(std::span<const std::string> texts, const Substitutes& substitutes,
                                          const SmoothingOptions& options) {
  if (options.copies < 1) raise<OptionError>("SmoothingOptions::copies: {} given, at least 1 expected", options.copies);
  if (!(options.words >= 0 && options.words <= 1))
    raise<OptionError>("SmoothingOptions::words: {} given, 0 to 1 expected", options.words);
  std::vector<std::string> copies;
  for (const std::string& text : texts) {
    const Rng rng = Rng(options.seed, Stream::augment).fork(detail::mix_bytes(0, std::as_bytes(std::span(text))));
    for (index_t c = 0; c < options.copies; ++c)
      copies.push_back(with_substitutes(text, substitutes, options.words, rng.fork(as_size(c))));
  }
  return copies;
}

/// [N, C] from the answers [N * copies, C] for such copies.  Errors: ShapeError for a part of a text's copies.
inline Matrix means_over_copies(ConstView answers, index_t copies) {
  if (copies < 1 || answers.rows() % copies != 0)
    raise<ShapeError>("means_over_copies: {} answers given, {} of each text expected", answers.rows(), copies);
  Matrix means(answers.rows() / copies, answers.cols());
  means.fill(0);
  for (index_t i = 0; i < means.rows() * copies; ++i)
    for (index_t c = 0; c < answers.cols(); ++c) means(i / copies, c) += answers(i, c);
  for (index_t i = 0; i < means.rows(); ++i)
    for (float& p : means.row(i)) p /= static_cast<float>(copies);
  return means;
}

/// What neighbors, head and both together say of texts [N, C each], by the means over copies of them.  Errors:
/// OptionError; those of Classifier::distributions.
template <class Model, class Substitutes>
Distributions smoothed_distributions(const Model& model, std::span<const std::string> texts,
                                     const Substitutes& substitutes, const SmoothingOptions& options) {
  const Distributions all = model.distributions(model.tokenize(smoothing_copies(texts, substitutes, options)));
  const auto means = [&](const Matrix& answers) { return means_over_copies(answers, options.copies); };
  return {means(all.knn), means(all.head), means(all.combined)};
}

/// A victim that answers for a text by the mean of another's answers for copies of it, in which words are replaced at
/// random: single words, which an attack replaces, then decide less (randomized smoothing over synonyms, as in SAFER by
/// Ye, Gong and Liu, 2020). As safe to call concurrently as its parts are.
template <TextVictim V, class Substitutes>
struct SmoothedVictim {
  const V* victim;  ///< must outlive it
  Substitutes substitutes;
  SmoothingOptions options = {};

  /// [N, C] of N texts, by N * copies of the other's answers.  Errors: OptionError; what the other throws.
  GuidedProbabilities operator()(std::span<const std::string> texts) const {
    const auto copies = smoothing_copies(texts, substitutes, options);
    const GuidedProbabilities answers = detail::guided((*victim)(std::span<const std::string>(copies)));
    if (options.text_leads)
      return {.judged = means_of(answers.judged), .guide = detail::guided((*victim)(texts)).judged};
    return {.judged = means_of(answers.judged), .guide = means_of(answers.guide)};
  }

  index_t readable(std::span<const std::string> words) const requires requires { victim->readable(words); }
  { return victim->readable(words); }

 private:
  Matrix means_of(const Matrix& answers) const { return means_over_copies(answers, options.copies); }
};

}  // namespace knnbert::inline v0_1
