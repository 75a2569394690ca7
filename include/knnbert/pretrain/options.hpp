#pragma once
#include <filesystem>
#include <memory>

#include "knnbert/train/options.hpp"

namespace knnbert::inline v0_1 {

struct PretrainOptions {
  index_t steps = 0;            ///< of encoder and head; 0: as `epochs` says
  index_t epochs = 1;           ///< passes over the sequences
  index_t head_only_steps = 0;  ///< before those, of the head alone
  index_t batch_size = 32;      ///< sequences of a step
  index_t part_size = 0;        ///< sequences of a forward and backward pass; 0: the whole step
  float learning_rate = 1e-4f;
  float head_learning_rate = 5e-4f;  ///< in steps of the head alone
  float warmup = 0.06f;              ///< fraction of the steps, of either sort
  float weight_decay = 0.01f;
  float adam_epsilon = 1e-6f;
  float clip_norm = 1;
  bool dropout = true;
  std::uint64_t seed = 42;
  std::filesystem::path checkpoints{};          ///< folder for checkpoint-N; none are written without it
  index_t checkpoint_every = 0;                 ///< steps between checkpoints; 0: one where training is stopped
  std::shared_ptr<const DirectoryLock> lock{};  ///< of that folder, where the caller holds it; else pretrain() does
  bool resume = false;                          ///< continue from the run's newest checkpoint, if the folder has any

  /// Errors: OptionError.
  void validate() const {
    trainer().validate();
    for (const auto& [name, value] :
         {std::pair("steps", steps), {"head_only_steps", head_only_steps}, {"checkpoint_every", checkpoint_every}})
      if (value < 0) raise<OptionError>("PretrainOptions::{}: {} given, at least 0 expected", name, value);
    if (!(head_learning_rate > 0))
      raise<OptionError>("PretrainOptions::head_learning_rate: {} given, a positive number expected",
                         head_learning_rate);
  }
  TrainerOptions trainer() const {
    return {.epochs = epochs,
            .batch_size = batch_size,
            .part_size = part_size,
            .learning_rate = learning_rate,
            .warmup = warmup,
            .weight_decay = weight_decay,
            .adam_epsilon = adam_epsilon,
            .clip_norm = clip_norm,
            .dropout = dropout,
            .seed = seed};
  }
};

}  // namespace knnbert::inline v0_1
