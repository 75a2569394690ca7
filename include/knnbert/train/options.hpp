#pragma once
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"
#include "knnbert/evaluate/metrics.hpp"
#include "knnbert/io/directory_lock.hpp"
#include "knnbert/model/answers.hpp"
#include "knnbert/optimizer/concept.hpp"

namespace knnbert::inline v0_1 {

inline constexpr const char* schedule_names[] = {"constant", "linear", "cosine"};

/// Which examples an epoch has: each one once, or as many draws, of which each class that has examples gets the same
/// number.
enum class Sampling { shuffled, balanced };
inline constexpr const char* sampling_names[] = {"shuffled", "balanced"};

struct TrainerOptions {
  index_t epochs = 3;
  index_t batch_size = 32;        ///< examples of a step
  index_t part_size = 0;          ///< examples of a forward and backward pass; 0: the whole step
  index_t updates_per_batch = 1;  ///< steps on the same examples before the next ones: see Proximal
  bool recompute = false;         ///< keep only the inputs of the encoder's blocks and compute the rest again for
                                  ///< the backward pass: the same bits, less memory, one forward pass more
  float learning_rate = 5e-5f;
  float head_learning_rate = 0;                  ///< of both heads; 0: the same
  ScheduleKind schedule = ScheduleKind::linear;  ///< where the stack's schedule_type lets it be chosen
  float warmup = 0;                              ///< fraction of all steps
  index_t frozen_layers = 0;                     ///< blocks, from the first, that keep their values, as the embedding
                                                 ///< then does: no pass goes back into them; 0: all train
  float weight_decay = 0;                        ///< not on biases and normalizations
  float adam_epsilon = 1e-8f;                    ///< where the stack's optimizer is Adam
  float clip_norm = 1;                           ///< global norm of all gradients; 0: no clipping
  bool dropout = true;                           ///< false: train without dropout, whatever the encoder's rates
  std::uint64_t seed = 42;
  bool rebuild_store = true;  ///< dev scores of an epoch use a store rebuilt from the training data, else none
  Sampling sampling = Sampling::shuffled;
  Predictor selection = Predictor::combined;    ///< the best epoch is the one with the highest dev score of it
  bool select_any = false;                      ///< of any predictor in its place, as released: optimistic
  Score metric = Score::accuracy;               ///< what dev scores are
  label_t positive = 1;                         ///< the class of Score::f1
  index_t patience = 0;                         ///< epochs without a better dev score before training stops; 0: never
  std::filesystem::path checkpoints{};          ///< folder for checkpoint-N; none are written without it
  index_t checkpoint_every = 0;                 ///< steps between checkpoints; 0: one at the end of every epoch
  index_t checkpoints_kept = 1;                 ///< older ones are removed
  std::shared_ptr<const DirectoryLock> lock{};  ///< of that folder, where the caller holds it; else fit() does
  bool resume = false;                          ///< continue from the run's newest checkpoint, if the folder has any
  /// More that a resumed run must agree with, as name and value, such as {"encoder", a checksum of its file}: nothing
  /// else tells encoders of one shape apart.
  std::vector<std::pair<std::string, std::string>> settings{};

  /// Errors: OptionError.
  void validate() const {
    const auto at_least = [](std::string_view name, auto value, auto least) {
      if (!(value >= least))
        raise<OptionError>("TrainerOptions::{}: {} given, at least {} expected", name, value, least);
    };
    at_least("epochs", epochs, index_t{0});
    at_least("batch_size", batch_size, index_t{1});
    at_least("part_size", part_size, index_t{0});
    at_least("updates_per_batch", updates_per_batch, index_t{1});
    at_least("frozen_layers", frozen_layers, index_t{0});
    at_least("learning_rate", learning_rate, 0.0f);
    at_least("head_learning_rate", head_learning_rate, 0.0f);
    at_least("warmup", warmup, 0.0f);
    at_least("weight_decay", weight_decay, 0.0f);
    if (!(adam_epsilon > 0))
      raise<OptionError>("TrainerOptions::adam_epsilon: {} given, a positive number expected", adam_epsilon);
    at_least("clip_norm", clip_norm, 0.0f);
    at_least("patience", patience, index_t{0});
    at_least("checkpoint_every", checkpoint_every, index_t{0});
    if (resume && checkpoints.empty())
      raise<OptionError>("TrainerOptions::resume: true given, but no checkpoints, the folder where they are");
    at_least("checkpoints_kept", checkpoints_kept, index_t{1});
    for (const auto& [name, value] : {std::pair("learning_rate", learning_rate),
                                      {"head_learning_rate", head_learning_rate},
                                      {"weight_decay", weight_decay}})
      if (!std::isfinite(value))
        raise<OptionError>("TrainerOptions::{}: {} given, a finite number expected", name, value);
    if (head_learning_rate > 0 && !(learning_rate > 0 && std::isfinite(head_learning_rate / learning_rate)))
      raise<OptionError>(
          "TrainerOptions::head_learning_rate: {} given where TrainerOptions::learning_rate is {}, a larger one "
          "expected",
          head_learning_rate, learning_rate);
    if (warmup > 1) raise<OptionError>("TrainerOptions::warmup: {} given, at most 1 expected", warmup);
  }
};

}  // namespace knnbert::inline v0_1
