#pragma once
#include "knnbert/evaluate/judge.hpp"
#include "knnbert/poison/defense.hpp"
#include "knnbert/poison/poisoned_texts.hpp"

namespace knnbert::inline v0_1 {

/// How often a model gives the target class to texts of other classes.
struct FlipRate {
  Trigger inserted;           ///< into the texts; no words: nothing
  index_t texts = 0;          ///< of other classes
  Ratio rejected;             ///< of these, by a defense
  Ratio knn, head, combined;  ///< of these, answered with the target class; undefined where there is no text
};

/// Errors: ShapeError; as Classifier::predict.
template <class Stack>
FlipRate flip_rate(const Classifier<Stack>& model, const DefendedTexts& triggered, const Trigger& inserted,
                   label_t target) {
  const Dataset& texts = triggered.texts;
  require_defended(triggered, texts.size());
  const auto all = model.answers(model.tokenize(texts.texts(), texts.pairs())).distributions;
  const auto n = static_cast<double>(texts.size());
  const auto share = [&](const Matrix& rows) {
    double flipped = 0;
    for (index_t i = 0; i < rows.rows(); ++i)
      flipped += !triggered.rejected[as_size(i)] && argmax(rows.row(i)) == target;
    return ratio(flipped, n);
  };
  const auto rejected = static_cast<double>(std::count(triggered.rejected.begin(), triggered.rejected.end(), 1));
  return {.inserted = inserted,
          .texts = texts.size(),
          .rejected = ratio(rejected, n),
          .knn = share(all.knn),
          .head = share(all.head),
          .combined = share(all.combined)};
}

/// Counts a model's tokens of a part of a text, for insert_words.
template <class Stack>
auto pieces_of(const Classifier<Stack>& model) {
  return [&model](std::string_view text) {
    Batch batch;
    model.tokenizer().append(text, batch, 0);
    return batch.tokens() - 2;
  };
}

/// How a model's triggers are inserted so that it reads them.
template <class Stack>
InsertionLimits insertion_limits(const Classifier<Stack>& model, bool has_pairs) {
  const index_t pieces = model.options().max_length - 2;
  return {.pieces = has_pairs ? pieces / 2 : pieces};
}

/// The label flip rate of every trigger, of a combination in its two orders and of each of its words alone, and of the
/// texts as they are, behind a defense. data: with the model's classes.
template <class Stack, TextDefense Defense = NoDefense>
std::vector<FlipRate> flip_rates(const Classifier<Stack>& model, const Dataset& data, std::span<const Trigger> triggers,
                                 label_t target, std::uint64_t seed, const Defense& defense = {}) {
  std::vector<Trigger> inserted{{}};
  for (const auto& trigger : triggers) {
    inserted.push_back(trigger);
    if (!trigger.combination()) continue;
    inserted.push_back(trigger.reversed());
    for (const auto& word : trigger.words) inserted.push_back({{word}});
  }
  std::vector<FlipRate> rates;
  const InsertionLimits limits = insertion_limits(model, data.has_pairs());
  for (const auto& trigger : inserted) {
    const Dataset triggered = triggered_texts(data, triggers, trigger, target, limits, pieces_of(model), seed);
    const DefendedTexts defended = defense(triggered);
    require_defended(defended, triggered.size());
    rates.push_back(flip_rate(model, defended, trigger, target));
  }
  return rates;
}

/// What a defense leaves of a model's answers to labeled texts.
struct DefendedAccuracy {
  Ratio rejected;             ///< of all texts
  Ratio knn, head, combined;  ///< of those that are not, answered rightly
};

/// data: with the model's classes.  Errors: as judge.
template <class Stack, TextDefense Defense>
DefendedAccuracy defended_accuracy(const Classifier<Stack>& model, const Dataset& data, const Defense& defense) {
  const DefendedTexts defended = defense(data);
  require_defended(defended, data.size());
  std::vector<Example> accepted;
  for (index_t i = 0; i < data.size(); ++i)
    if (!defended.rejected[as_size(i)]) accepted.push_back(defended.texts.example(i));
  const auto left = static_cast<double>(accepted.size()), all = static_cast<double>(data.size());
  if (accepted.empty()) return {ratio(all, all), {}, {}, {}};
  const auto evaluation = evaluate(model, Dataset(std::move(accepted), data.classes()));
  return {ratio(all - left, all), evaluation.knn.accuracy, evaluation.head.accuracy, evaluation.combined.accuracy};
}

}  // namespace knnbert::inline v0_1
