#pragma once
#include <algorithm>
#include <cmath>
#include <optional>

#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/text/dataset.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert::inline v0_1 {

/// What a recipe is chosen by.
struct TrainingFacts {
  index_t examples = 1;
  index_t classes = 1;  ///< that have examples
  index_t width = 384;  ///< of the encoder
  index_t copies = 0;   ///< that training has of each example beside it: see augmented() in attack/augmentation.hpp

  index_t per_class() const { return std::max<index_t>(1, examples / classes); }
};

inline TrainingFacts training_facts(const Dataset& data, index_t width = 384) {
  const auto counts = data.class_counts();
  const auto empty = std::count(counts.begin(), counts.end(), 0);
  return {data.size(), std::max<index_t>(1, std::ssize(counts) - empty), width};
}

/// The contrast of a batch's own examples, SupervisedContrast, in place of a queue's: it learns in fewer steps.
struct InBatchRecipe {
  float weight = 0.9f, temperature = 0.3f;
  float learning_rate = 0, head_learning_rate = 0;
  index_t epochs = 1;
};

/// Hyper-parameters for a set of labeled texts, chosen by rules that are smooth in its counts:
///   Recipe r = recommended(train, model.network().width());
///   Trainer(model, r.trainer, CrossEntropy{.weight = 1 - r.contrastive.weight},
///   QueueContrastive(r.contrastive)).fit(train); model.set_neighbors(r.neighbors);
struct Recipe {
  TrainerOptions trainer;
  QueueContrastiveOptions contrastive;
  std::optional<InBatchRecipe> in_batch{};  ///< where that does better: few texts a class, but several in a batch
  index_t neighbors = 10;                   ///< of the vote, which should be a SoftmaxWeighted one
  float voting_temperature = 0.1f;
  index_t steps = 0;  ///< of the whole run
};

namespace detail {

inline constexpr index_t most_for_in_batch = 16;  // examples a class
inline constexpr index_t in_batch_steps = 100;

inline float three_digits(double value) { return static_cast<float>(std::round(1000 * value) / 1000); }

/// 2,500 texts and more afford larger batches, which are faster; small sets need the steps.
inline index_t recipe_batch(index_t examples) { return examples < 2500 ? 16 : 32; }

/// About 320 / sqrt(examples), 13 for 640 and 3 for 10,000: the work grows with the root of the data, and one pass is
/// enough from 45,512 on. A small set gets at least 200 steps, for heads that start from random numbers.
inline index_t recipe_epochs(index_t examples, index_t batch) {
  constexpr index_t fewest_steps = 200;
  const index_t steps_an_epoch = (examples + batch - 1) / batch;
  const auto by_root = static_cast<index_t>(std::lround(320 / std::sqrt(static_cast<double>(examples))));
  return std::max({index_t{1}, by_root, (fewest_steps + steps_an_epoch - 1) / steps_an_epoch});
}

/// The key encoder averages over the last tenth of the run, but never over more than the paper's 1,000 steps.
inline float recipe_momentum(index_t steps) {
  return three_digits(std::clamp(1 - 10.0 / static_cast<double>(std::max<index_t>(steps, 1)), 0.9, 0.999));
}

}  // namespace detail

/// Heads start from random numbers: ten times the encoder's rate, but no more than ten times the one that suits it.
inline float recommended_head_rate(double learning_rate) {
  return static_cast<float>(std::max(learning_rate, 10 * std::min(learning_rate, 1e-4)));
}

/// The recipe for these counts. The number of epochs and the size of a batch may be given; what follows from them then
/// does.
/// Errors: OptionError for counts below 1 or for a batch below 1.
inline Recipe recommended(const TrainingFacts& facts, std::optional<index_t> epochs = {},
                          std::optional<index_t> batch_size = {}) {
  for (const index_t count : {facts.examples, facts.classes, facts.width, facts.copies + 1, batch_size.value_or(1)})
    if (count < 1) raise<OptionError>("recommended: a count of {} given, at least 1 expected", count);
  Recipe r;
  const index_t each = facts.per_class();
  auto& t = r.trainer;
  auto& c = r.contrastive;
  const double few = std::min(1.0, 8 / static_cast<double>(each));  // 1: the neighbors know as much as a head can learn
  t.batch_size = batch_size.value_or(detail::recipe_batch(facts.examples));
  const auto steps_of = [&](index_t examples) { return (examples + t.batch_size - 1) / t.batch_size; };
  const index_t steps_an_epoch = steps_of(facts.examples * (facts.copies + 1));
  const index_t steps = detail::recipe_epochs(facts.examples, t.batch_size) * steps_of(facts.examples);
  t.epochs = epochs.value_or(std::max<index_t>(1, (steps + steps_an_epoch / 2) / steps_an_epoch));  // as many steps
  r.steps = t.epochs * steps_an_epoch;
  const double rate = 1e-4 * std::min(1.0, 384 / static_cast<double>(facts.width));  // wide encoders move further
  t.learning_rate = static_cast<float>(rate), t.head_learning_rate = recommended_head_rate(rate);
  t.warmup = 0.1f;
  t.checkpoint_every = steps_an_epoch < 100 ? 100 : 0;  // epochs of a small set are shorter than the time of a
                                                        // checkpoint
  c.weight = std::max(0.01f, detail::three_digits(0.5 * std::sqrt(few)));  // the contrast helps where texts are few
  if (2 <= each && each <= detail::most_for_in_batch && 2 * facts.classes <= t.batch_size)
    r.in_batch = {.learning_rate = static_cast<float>(rate / 2),
                  .head_learning_rate = recommended_head_rate(rate / 2),
                  .epochs = epochs.value_or((detail::in_batch_steps + steps_an_epoch - 1) / steps_an_epoch)};
  c.momentum = detail::recipe_momentum(r.steps);
  c.positives = 1;  // each costs a third of the training
  c.capacity = std::clamp<index_t>(facts.examples, std::clamp<index_t>(t.batch_size, 1000, 32000), 32000);
  c.contrast.most_similar = std::min<index_t>(10, each);
  c.clusters = std::clamp<index_t>(facts.examples / 16, 1, 1000);  // of a clustered queue
  const auto root = static_cast<index_t>(std::sqrt(static_cast<double>(each)));
  r.neighbors = std::clamp<index_t>(each, 3, std::clamp<index_t>(root, 10, 30));  // 3: evidence also where a class has
                                                                                  // one
  return r;
}

inline Recipe recommended(const Dataset& data, index_t width = 384) { return recommended(training_facts(data, width)); }

}  // namespace knnbert::inline v0_1
