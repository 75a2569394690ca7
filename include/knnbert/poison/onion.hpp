#pragma once
#include <cmath>
#include <limits>

#include "knnbert/core/progress.hpp"
#include "knnbert/evaluate/judge.hpp"
#include "knnbert/poison/defense.hpp"
#include "knnbert/poison/trigger.hpp"
#include "knnbert/pretrain/masked_language_model.hpp"

namespace knnbert::inline v0_1 {

/// How unexpected texts are: a perplexity each.
template <class P>
concept Perplexity = requires(const P& perplexity, std::span<const std::string> texts) {
  { perplexity(texts) } -> std::convertible_to<std::vector<double>>;
};

/// Perplexities by a masked language model; 1 for a text without pieces.
template <class Model = MaskedLanguageModel>
struct MaskedPerplexity {
  const Model* model;  ///< must outlive it
  bool masked = true;  ///< a pass for each piece, which is masked (Salazar et al. 2020); false: one pass for all

  std::vector<double> operator()(std::span<const std::string> texts) const {
    std::vector<double> all;
    if (!masked) return unmasked(texts);
    for (const auto& text : texts)
      all.push_back(model->tokenize(text).tokens() > 2 ? model->pseudo_perplexity(text) : 1);
    return all;
  }

 private:
  std::vector<double> unmasked(std::span<const std::string> texts) const {
    constexpr std::size_t texts_at_once = 64;
    std::vector<double> all;
    for (std::size_t first = 0; first < texts.size(); first += texts_at_once) {
      Batch batch;
      std::vector<index_t> places, text_of;
      for (const auto& text : texts.subspan(first, std::min(texts_at_once, texts.size() - first))) {
        const Batch own = model->tokenize(text);
        for (index_t t = 1; t + 1 < own.tokens(); ++t)
          places.push_back(batch.tokens() + t), text_of.push_back(batch.size());
        batch.append(own, 0);
      }
      std::vector<double> sums(as_size(batch.size()), 0), counts(as_size(batch.size()), 0);
      model->each_logits(batch, places, [&](index_t row, View logits) {
        for (index_t r = 0; r < logits.rows(); ++r) {
          const auto at = as_size(row + r), text = as_size(text_of[at]);
          const auto own = logits.row(r);
          sums[text] += log_sum_exp(own) - static_cast<double>(own[as_size(batch.ids[as_size(places[at])])]);
          ++counts[text];
        }
      });
      for (std::size_t i = 0; i < sums.size(); ++i) all.push_back(counts[i] > 0 ? std::exp(sums[i] / counts[i]) : 1);
    }
    return all;
  }
};

template <class Model>
MaskedPerplexity(const Model*) -> MaskedPerplexity<Model>;
template <class Model>
MaskedPerplexity(const Model*, bool) -> MaskedPerplexity<Model>;

/// How little each word of a text, between white space, belongs there: the text's perplexity less that of the text
/// without the word. 0 for the only word of a text.
template <Perplexity P>
std::vector<double> word_suspicions(const P& perplexity, std::string_view text) {
  const auto starts = detail::word_starts(text);
  if (starts.size() < 2) return std::vector<double>(starts.size(), 0);
  std::vector<std::string> variants{std::string(text)};
  for (std::size_t j = 0; j < starts.size(); ++j) {
    const std::size_t end = j + 1 < starts.size() ? starts[j + 1] : text.size();
    variants.push_back(std::string(text.substr(0, starts[j])) + std::string(text.substr(end)));
  }
  const std::vector<double> all = perplexity(variants);
  std::vector<double> suspicions;
  for (std::size_t j = 1; j < all.size(); ++j) suspicions.push_back(all[0] - all[j]);
  return suspicions;
}

/// The text without the words whose suspicion is at least the threshold; its only word stays.
inline std::string without_suspicious(std::string_view text, std::span<const double> suspicions, double threshold) {
  const auto starts = detail::word_starts(text);
  if (suspicions.size() != starts.size())
    raise<ShapeError>("without_suspicious: {} suspicions given, {} expected, one a word", suspicions.size(),
                      starts.size());
  if (starts.size() < 2) return std::string(text);
  std::string left(text.substr(0, starts.empty() ? text.size() : starts.front()));
  for (std::size_t j = 0; j < starts.size(); ++j) {
    const std::size_t end = j + 1 < starts.size() ? starts[j + 1] : text.size();
    if (suspicions[j] < threshold) left += text.substr(starts[j], end - starts[j]);
  }
  return left;
}

/// ONION, which removes the words that a language model does not expect: Qi et al. 2021, arXiv 2011.10369. Of pairs the
/// first text is changed.
template <Perplexity P>
struct Onion {
  P perplexity;
  double threshold = std::numeric_limits<double>::infinity();  ///< of suspicion; infinite: nothing is removed

  DefendedTexts operator()(const Dataset& data) const {
    std::vector<Example> examples;
    for (index_t i = 0; i < data.size(); ++i)
      examples.push_back({without_suspicious(data.text(i), word_suspicions(perplexity, data.text(i)), threshold),
                          data.pair(i), data.label(i)});
    return {Dataset(std::move(examples), data.classes()), std::vector<char>(as_size(data.size()), 0)};
  }
};

/// The smallest threshold, of those that remove given shares of all words of clean labeled texts, up to which the
/// combined answers lose at most most_loss of their accuracy. It is positive, so that only words leave without which a
/// text is less surprising; where there are none, nothing is removed. The listener hears of texts.
/// Errors: OptionError without texts or for a negative most_loss; CancelledError.
template <class Stack, Perplexity P>
Onion<P> fit_onion(const Classifier<Stack>& model, P perplexity, const Dataset& clean, double most_loss = 0.02,
                   ProgressListener* listener = nullptr) {
  if (clean.size() == 0) raise<OptionError>("fit_onion: no texts given, at least one expected");
  if (!(most_loss >= 0)) raise<OptionError>("fit_onion: most_loss {} given, at least 0 expected", most_loss);
  std::vector<std::vector<double>> suspicions;
  std::vector<double> positive;
  std::size_t words = 0;
  for (index_t i = 0; i < clean.size(); ++i) {
    if (listener && listener->stop_requested()) raise<CancelledError>("fit_onion: stopped");
    suspicions.push_back(word_suspicions(perplexity, clean.text(i)));
    words += suspicions.back().size();
    std::copy_if(suspicions.back().begin(), suspicions.back().end(), std::back_inserter(positive),
                 [](double suspicion) { return suspicion > 0; });
    if (listener) listener->progress(i + 1, clean.size());
  }
  std::sort(positive.begin(), positive.end(), std::greater<>());
  Onion<P> onion{std::move(perplexity)};
  const auto accuracy = [&](double threshold) {
    std::vector<Example> examples;
    for (index_t i = 0; i < clean.size(); ++i)
      examples.push_back(
          {without_suspicious(clean.text(i), suspicions[as_size(i)], threshold), clean.pair(i), clean.label(i)});
    return judge(model, Dataset(std::move(examples), clean.classes())).evaluation.combined.accuracy.value;
  };
  const double before = accuracy(onion.threshold);
  for (const double share : {0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5}) {
    if (positive.empty()) break;
    const double next =
        positive[std::min(static_cast<std::size_t>(share * static_cast<double>(words)), positive.size() - 1)];
    if (next == onion.threshold) continue;
    if (accuracy(next) < before - most_loss) break;
    onion.threshold = next;
  }
  return onion;
}

}  // namespace knnbert::inline v0_1
