#pragma once
#include <set>

#include "augment.hpp"
#include "distributed.hpp"
#include "knnbert/model/options.hpp"
#include "knnbert/train/options.hpp"
#include "knnbert/train/recipe.hpp"
#include "methods.hpp"
#include "options.hpp"

namespace knnbert::cli {

/// What `train` was asked for; then, completed by its task, method and recipe, what it does.
struct TrainOptions {
  CommonOptions common;
  DistributedOptions distributed;
  DataOptions data;
  ClassifierOptions classifier;
  TrainerOptions trainer;
  MethodOptions method;
  AugmentOptions augment;
  std::string encoder, train, dev, output, head = "mlp", pooling, feature = "automatic", schedule = "linear";
  std::string voting = "count", selection = "combined", store = "rebuilt", metric = "accuracy", positive,
              sampling = "shuffled", task = "single-label", separator = "|";
  float phi = 0.1f, voting_temperature = 0.1f, pretrained_weight = 0;
  OrderedJson typed;  ///< every option by its name
  std::string recipe = "auto";
  std::set<std::string> given;                 ///< names of options that the user set
  std::set<std::string> changed;               ///< those of them that say something else than the default
  OrderedJson chosen = OrderedJson::object();  ///< the others that a recipe decides, with their values
  bool no_dropout = false, no_dev_store = false, profile = false;
};

/// Errors: OptionError.
ClassifierOptions classifier_options(const TrainOptions& o);
/// lock: of the output folder, or null.  Errors: OptionError.
TrainerOptions trainer_options(const TrainOptions& o, const std::shared_ptr<const DirectoryLock>& lock);
/// What the dev scores are called.
std::string metric_name(const TrainOptions& o);

/// With the method and the data that a task has.  Errors: OptionError.
TrainOptions with_task(TrainOptions o);
/// With a method, where it is left to the recipe: knn-bert, or what does better with few texts of few classes unless an
/// option asks for a queue, its features or parts of a batch.
TrainOptions with_method(TrainOptions o, const TrainingFacts& facts);
/// The options that --recipe decides, with what it decides where the user did not. `chosen` says what that was.
TrainOptions with_recipe(TrainOptions o, const TrainingFacts& facts);

/// Says which options that were given do nothing in this run.
void warn_of_unused(const TrainOptions& o);
/// What the recipe saw and decided, if anything, in two lines, or as a line of JSON.
void print_recipe(const TrainOptions& o, const TrainingFacts& facts);

}  // namespace knnbert::cli
