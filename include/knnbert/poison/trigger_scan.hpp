#pragma once
#include <numeric>

#include "knnbert/evaluate/metrics.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/poison/trigger.hpp"

namespace knnbert::inline v0_1 {

struct TriggerScanOptions {
  std::optional<label_t> target = {};  ///< none: any class may be the one that a trigger was planted for
  index_t first_texts = 4;             ///< that every piece of the vocabulary is put into
  index_t texts = 64;                  ///< that the most suspicious pieces are put into then
  index_t kept = 200;                  ///< of these
  std::uint64_t seed = 42;             ///< of the choice of texts

  /// Errors: OptionError.
  void validate() const {
    for (const auto& [name, given] : {std::pair("first_texts", first_texts), {"texts", texts}, {"kept", kept}})
      if (given < 1) raise<OptionError>("TriggerScanOptions::{}: {} given, at least 1 expected", name, given);
  }
};

/// What a piece of the vocabulary does to texts that it is put into.
struct ScannedPiece {
  token_t id = -1;
  std::string piece;
  label_t target = 0;  ///< the class that gains most
  double gain = 0;     ///< mean rise of its probability, in texts of which it was not the answer
  Ratio flip_rate;     ///< share of these that it becomes the answer of
};

namespace detail {

/// Tokenized texts with what a model answers to them.
struct ScanTexts {
  Batch texts;
  Matrix combined;  // [N, C]
  std::vector<label_t> answers;
};

/// Appends a text with a piece before its first word; where it would be too long its last token goes.
inline void append_with(const Batch& texts, index_t text, token_t piece, index_t max_length, Batch& batch) {
  const auto ids = texts.text(text);
  const auto first = texts.offsets[as_size(text)];
  const bool full = max_length > 0 && std::ssize(ids) >= max_length && ids.size() > 2;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    if (full && t + 2 == ids.size()) continue;  // the one before the separator
    batch.ids.push_back(ids[t]);
    batch.segments.push_back(texts.segments[static_cast<std::size_t>(first) + t]);
    if (t == 0) batch.ids.push_back(piece), batch.segments.push_back(0);
  }
  batch.close_text();
}

/// Tells of each piece what it does to the texts, in the order of `pieces`. Stops early if the listener asks to.
template <class Stack>
std::vector<ScannedPiece> scan(const Classifier<Stack>& model, const ScanTexts& clean, std::span<const token_t> pieces,
                               std::optional<label_t> target, ProgressListener* listener) {
  constexpr index_t texts_per_call = 2048;
  const index_t n = clean.texts.size(), classes = clean.combined.cols();
  const index_t group = std::max<index_t>(1, texts_per_call / n);
  std::vector<ScannedPiece> found;
  Batch batch;
  for (index_t first = 0; first < std::ssize(pieces); first += group) {
    if (listener && listener->stop_requested()) raise<CancelledError>("scan_for_triggers: stopped");
    const index_t count = std::min(group, std::ssize(pieces) - first);
    batch.clear();
    for (index_t p = first; p < first + count; ++p)
      for (index_t i = 0; i < n; ++i)
        append_with(clean.texts, i, pieces[as_size(p)], model.options().max_length, batch);
    const Matrix rows = model.distributions(batch).combined;
    const auto answers = argmax_rows(rows);
    for (index_t p = 0; p < count; ++p) {
      ScannedPiece best{.id = pieces[as_size(first + p)], .piece = {}, .target = -1, .gain = -2, .flip_rate = {}};
      for (label_t c = 0; c < classes; ++c) {
        if (target && c != *target) continue;
        double gain = 0, flips = 0, texts = 0;
        for (index_t i = 0; i < n; ++i) {
          if (clean.answers[as_size(i)] == c) continue;
          gain += static_cast<double>(rows(p * n + i, c)) - clean.combined(i, c);
          flips += answers[as_size(p * n + i)] == c, ++texts;
        }
        if (texts > 0 && gain / texts > best.gain)
          best.target = c, best.gain = gain / texts, best.flip_rate = ratio(flips, texts);
      }
      if (best.target >= 0) found.push_back(best);
    }
    if (listener) listener->progress(first + count, std::ssize(pieces));
  }
  return found;
}

}  // namespace detail

/// Looks for single triggers: puts every piece of the vocabulary but special tokens into a few texts, and those that
/// raise a class most into more of them. Pieces with the largest flip rate come first. A combination of words, none of
/// which does anything alone, is not found: that is what it is for (arXiv 2108.13888).
/// texts: any of the model's task, without labels. The listener hears of pieces.
/// Errors: OptionError without texts, for a target that is no class, if all are answered with the target, and for a
/// model of one class; CancelledError.
template <class Stack>
std::vector<ScannedPiece> scan_for_triggers(const Classifier<Stack>& model, std::span<const std::string> texts,
                                            const TriggerScanOptions& options = {},
                                            ProgressListener* listener = nullptr) {
  options.validate();
  if (texts.empty()) raise<OptionError>("scan_for_triggers: no texts given, at least one expected");
  const index_t classes = std::ssize(*model.outputs());  // with those that were added, which answers may be as well
  if (classes < 2) raise<OptionError>("scan_for_triggers: a model of one class given, at least two expected");
  if (options.target) detail::require_target("scan_for_triggers", *options.target, classes);
  const auto order = Rng(options.seed, Stream::sample).permutation(std::ssize(texts));
  const auto chosen = [&](index_t count) {  // of the classes that could be flipped, as evenly as those asked allow
    std::vector<std::vector<std::string>> by_class(as_size(classes));
    index_t found = 0;
    for (std::size_t first = 0, asked = 0; first < order.size() && found < count; first += asked) {
      asked = std::min(order.size() - first, 8 * as_size(count));
      std::vector<std::string> own;
      for (std::size_t i = first; i < first + asked; ++i) own.push_back(texts[as_size(order[i])]);
      const auto answers = argmax_rows(model.distributions(model.tokenize(own)).combined);
      for (std::size_t i = 0; i < own.size(); ++i)
        if (!options.target || answers[i] != *options.target)
          by_class[as_size(answers[i])].push_back(std::move(own[i])), ++found;
    }
    std::vector<std::string> kept;
    for (std::size_t round = 0; std::ssize(kept) < std::min(count, found); ++round)
      for (const auto& list : by_class)
        if (round < list.size() && std::ssize(kept) < count) kept.push_back(list[round]);
    detail::ScanTexts all{.texts = model.tokenize(kept), .combined = {}, .answers = {}};
    all.combined = model.distributions(all.texts).combined;
    all.answers = argmax_rows(all.combined);
    return all;
  };
  const auto few = chosen(options.first_texts);
  if (few.texts.size() == 0)
    raise<OptionError>("scan_for_triggers: all texts are answered with the target, others expected");
  const SpecialTokens special = model.tokenizer().special();
  std::vector<token_t> pieces;
  for (token_t id = 0; id < model.tokenizer().vocabulary_size(); ++id)
    if (id != special.unknown && id != special.classify && id != special.separate && id != special.pad &&
        id != special.mask && !model.tokenizer().token(id).empty())
      pieces.push_back(id);
  auto found = detail::scan(model, few, pieces, options.target, listener);
  const auto keep = [&](index_t count, auto&& before) {
    std::stable_sort(found.begin(), found.end(), before);
    if (std::ssize(found) > count) found.erase(found.begin() + count, found.end());
  };
  keep(options.kept, [](const auto& a, const auto& b) { return a.gain > b.gain; });
  pieces.clear();
  for (const auto& piece : found) pieces.push_back(piece.id);
  found = detail::scan(model, chosen(options.texts), pieces, options.target, listener);
  keep(options.kept, [](const auto& a, const auto& b) {
    return a.flip_rate.value != b.flip_rate.value ? a.flip_rate.value > b.flip_rate.value : a.gain > b.gain;
  });
  for (auto& piece : found) piece.piece = model.tokenizer().token(piece.id);
  return found;
}

}  // namespace knnbert::inline v0_1
