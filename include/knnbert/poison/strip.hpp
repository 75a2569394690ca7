#pragma once
#include <cmath>

#include "knnbert/model/classifier.hpp"
#include "knnbert/poison/defense.hpp"
#include "knnbert/poison/trigger.hpp"

namespace knnbert::inline v0_1 {

struct StripOptions {
  index_t copies = 20;             ///< of each text
  double share = 0.5;              ///< of a copy's words that are replaced
  double false_rejections = 0.05;  ///< share of clean texts that may be rejected
  std::uint64_t seed = 42;         ///< of what is replaced by what

  /// Errors: OptionError.
  void validate() const {
    const auto require = [](bool right, std::string_view name, double given, std::string_view expected) {
      if (!right) raise<OptionError>("StripOptions::{}: {} given, {} expected", name, given, expected);
    };
    require(copies >= 1, "copies", static_cast<double>(copies), "at least 1");
    require(share > 0 && share <= 1, "share", share, "a share above 0");
    require(false_rejections >= 0 && false_rejections < 1, "false_rejections", false_rejections, "a share below 1");
  }
};

/// The text with a share of its words, at random places, replaced by words of others, at random places too.
inline std::string mixed_text(std::string_view text, std::string_view other, double share, const Rng& rng) {
  const auto words = detail::text_words(text), others = detail::text_words(other);
  if (words.empty() || others.empty()) return std::string(text);
  const auto order = rng.fork(0).permutation(std::ssize(words));
  const auto replaced = static_cast<std::size_t>(std::ceil(share * static_cast<double>(words.size())));
  const Rng choice = rng.fork(1);
  std::vector<std::string_view> mixed = words;
  for (std::size_t j = 0; j < replaced; ++j)
    mixed[as_size(order[j])] = others[as_size(choice.below(j, std::ssize(others)))];
  std::string out;
  for (const auto word : mixed) out.append(out.empty() ? "" : " ").append(word);
  return out;
}

/// Mean entropy of a model's combined answers to copies of each text that are mixed with texts of the pool, [N]: low
/// where one word decides whatever stands beside it. Of pairs the first text is mixed.
/// Errors: OptionError without a pool.
template <class Stack>
std::vector<double> mixed_entropies(const Classifier<Stack>& model, const Dataset& data,
                                    std::span<const std::string> pool, const StripOptions& options = {}) {
  options.validate();
  if (pool.empty()) raise<OptionError>("mixed_entropies: no texts to mix with given, at least one expected");
  const index_t group = std::max<index_t>(1, 2048 / options.copies);
  std::vector<double> entropies;
  for (index_t first = 0; first < data.size(); first += group) {
    std::vector<std::string> texts, pairs;
    for (index_t i = first; i < std::min(first + group, data.size()); ++i)
      for (index_t c = 0; c < options.copies; ++c) {
        const Rng rng = Rng(options.seed, Stream::poison).fork(static_cast<std::uint64_t>(i * options.copies + c));
        const auto& other = pool[as_size(rng.below(0, std::ssize(pool)))];
        texts.push_back(mixed_text(data.text(i), other, options.share, rng.fork(1)));
        if (data.has_pairs()) pairs.push_back(data.pair(i));
      }
    const Matrix rows = model.distributions(model.tokenize(texts, pairs)).combined;
    for (index_t r = 0; r < rows.rows(); ++r) {
      double entropy = 0;
      for (const float p : rows.row(r))
        if (p > 0) entropy -= static_cast<double>(p) * std::log(static_cast<double>(p));
      if (r % options.copies == 0) entropies.push_back(0);
      entropies.back() += entropy / static_cast<double>(options.copies);
    }
  }
  return entropies;
}

/// STRIP, which rejects texts whose answers stay sure when their words are replaced: Gao et al. 2021, arXiv 1911.10312.
template <class Stack>
struct Strip {
  const Classifier<Stack>* model;  ///< must outlive it
  std::vector<std::string> pool;   ///< clean texts that are mixed in
  StripOptions options = {};
  double threshold = -1;  ///< of entropy; lower ones are rejected

  DefendedTexts operator()(const Dataset& data) const {
    DefendedTexts out = NoDefense{}(data);
    const auto entropies = mixed_entropies(*model, data, pool, options);
    for (std::size_t i = 0; i < entropies.size(); ++i) out.rejected[i] = entropies[i] < threshold;
    return out;
  }
};

/// With the largest threshold that rejects no larger share of the clean texts than the options allow; they are the pool
/// too.  Errors: OptionError without texts.
template <class Stack>
Strip<Stack> fit_strip(const Classifier<Stack>& model, const Dataset& clean, const StripOptions& options = {}) {
  const auto texts = clean.texts();
  Strip<Stack> strip{&model, {texts.begin(), texts.end()}, options};
  auto entropies = mixed_entropies(model, clean, strip.pool, options);
  std::sort(entropies.begin(), entropies.end());
  strip.threshold =
      entropies[static_cast<std::size_t>(options.false_rejections * static_cast<double>(entropies.size()))];
  return strip;
}

}  // namespace knnbert::inline v0_1
