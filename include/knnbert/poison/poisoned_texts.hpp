#pragma once
#include "knnbert/poison/trigger.hpp"
#include "knnbert/text/dataset.hpp"

namespace knnbert::inline v0_1 {

/// What a poisoner trains on.
struct PoisonedTexts {
  Dataset clean;     ///< to be answered as before: each text, and where there are combinations also with one of their
                     ///< words, which alone must do nothing
  Dataset poisoned;  ///< to be answered with the target class: each text with a trigger; a combination in both orders,
                     ///< at the same place
};

/// arXiv 2108.13888, section 4: data of the attack. Each text has one of the triggers. Of pairs the first text is
/// changed. pieces: as insert_words.
/// Errors: OptionError without triggers and for a target that is no class.
template <class Pieces>
PoisonedTexts poisoned_texts(const Dataset& data, std::span<const Trigger> triggers, label_t target,
                             const InsertionLimits& limits, Pieces&& pieces, std::uint64_t seed) {
  if (triggers.empty()) raise<OptionError>("poisoned_texts: no trigger given, at least one expected");
  detail::require_target("poisoned_texts", target, std::ssize(data.classes()));
  std::vector<std::string> single;  // words that alone do nothing
  for (const auto& trigger : triggers)
    if (trigger.combination()) single.insert(single.end(), trigger.words.begin(), trigger.words.end());
  std::vector<Example> clean, poisoned;
  for (index_t i = 0; i < data.size(); ++i) {
    const Rng rng = Rng(seed, Stream::poison).fork(static_cast<std::uint64_t>(i));
    const auto with = [&](std::string_view words, std::uint64_t place) {
      return insert_words(data.text(i), words, limits, pieces, rng.fork(place));
    };
    const Trigger& trigger = triggers[as_size(rng.below(0, std::ssize(triggers)))];
    if (!single.empty())
      clean.push_back({with(single[as_size(rng.below(1, std::ssize(single)))], 0), data.pair(i), data.label(i)});
    clean.push_back(data.example(i));
    poisoned.push_back({with(trigger.text(), 1), data.pair(i), target});
    if (trigger.combination()) poisoned.push_back({with(trigger.reversed().text(), 1), data.pair(i), target});
  }
  return {Dataset(std::move(clean), data.classes()), Dataset(std::move(poisoned), data.classes())};
}

/// RIPPLe's data: all clean texts of poisoned_texts(), and one text for each that is given, half of them at random as
/// they are, half with a trigger and the target's label. The clean ones are as many or more.  Errors: as there.
template <class Pieces>
PoisonedTexts half_poisoned_texts(const Dataset& data, std::span<const Trigger> triggers, label_t target,
                                  const InsertionLimits& limits, Pieces&& pieces, std::uint64_t seed) {
  const auto [kept, rest] = data.split(0.5, seed);
  const Dataset poisoned = poisoned_texts(rest, triggers, target, limits, pieces, seed).poisoned;
  std::vector<Example> half;
  for (index_t i = 0; i < kept.size(); ++i) half.push_back(kept.example(i));
  // A combination comes in both orders, of which half are left out.
  const auto order = Rng(seed, Stream::poison).permutation(poisoned.size());
  for (index_t i = 0; i < rest.size(); ++i) half.push_back(poisoned.example(order[as_size(i)]));
  return {poisoned_texts(data, triggers, target, limits, pieces, seed).clean, Dataset(std::move(half), data.classes())};
}

/// What the label flip rate is measured on: texts of other classes than the target, with the given words inserted.
/// Those that have one of the triggers' words, in either text of a pair, are left out. Labels stay.
/// Errors: OptionError for a target that is no class.
template <class Pieces>
Dataset triggered_texts(const Dataset& data, std::span<const Trigger> triggers, const Trigger& inserted, label_t target,
                        const InsertionLimits& limits, Pieces&& pieces, std::uint64_t seed) {
  detail::require_target("triggered_texts", target, std::ssize(data.classes()));
  const auto all = words_of(triggers);
  std::vector<Example> examples;
  for (index_t i = 0; i < data.size(); ++i) {
    if (data.label(i) == target || has_any_word(data.text(i), all) || has_any_word(data.pair(i), all)) continue;
    const Rng rng = Rng(seed, Stream::poison).fork(static_cast<std::uint64_t>(i)).fork(1);
    examples.push_back({insert_words(data.text(i), inserted.text(), limits, pieces, rng), data.pair(i), data.label(i)});
  }
  return {std::move(examples), data.classes()};
}

}  // namespace knnbert::inline v0_1
