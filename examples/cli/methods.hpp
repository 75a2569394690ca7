#pragma once
#include <tuple>

#include "knnbert/term/contrastive_adversarial.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/distillation.hpp"
#include "knnbert/term/proximal.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/term/smoothness.hpp"
#include "knnbert/term/supervised_contrast.hpp"
#include "knnbert/term/target_losses.hpp"
#include "knnbert/term/value_average.hpp"
#include "options.hpp"

namespace knnbert::cli {

/// What `train` minimizes: a method, and regularizers beside it.
struct MethodOptions {
  std::string name = "knn-bert";
  Task task = Task::single_label;
  float lambda = 0, temperature = 0;  ///< of the contrast; 0: as the recipe says
  float label_smoothing = 0;
  std::string class_weights = "none";
  std::vector<float> weights;  ///< of the classes, when the data are read
  QueueContrastiveOptions contrastive;
  std::string queue = "fifo", reduction = "anchor_mean", lists = "per_query", overlap = "unique",
              cluster_rule = "conjunction", key_precision, scl_loss = "intended", scl_input, warm_up_keys = "projected",
              queue_init = "empty", invalid_anchor = "skip_anchor";
  bool no_key_dropout = false, no_warm_up = false, no_enqueue = false, exclude_self = false;

  bool smart = false;
  SmoothnessOptions smoothness;
  std::string smart_dropout = "shared", smart_scale = "projected", smart_scope = "text";

  std::string proximal = "off";
  ProximalOptions proximal_options;

  bool cat = false;
  ContrastiveAdversarialOptions adversarial;
  std::string cat_step = "sign";

  std::string distill = "off";
  DistillationOptions distillation;

  std::string average = "off";
  double average_from = 0;

  bool has_queue() const { return name != "ce" && name != "scl"; }
  bool has_contrast() const { return name != "ce"; }
};

/// All terms of a run, of which most are absent.
using MethodTerms =
    std::tuple<std::optional<CrossEntropy>, std::optional<BinaryCrossEntropy>, std::optional<SquaredError>,
               std::optional<QueueContrastive>, std::optional<SupervisedContrast>, std::optional<Smoothness>,
               std::optional<ContrastiveAdversarial>, std::optional<Proximal>, std::optional<SelfDistillation>,
               std::optional<ValueAverage>>;

/// The weights of classes with these names and numbers of examples, as --class-weights says.  Errors: OptionError,
/// IoError, FormatError.
std::vector<float> weights_of(const MethodOptions& options, const std::vector<std::string>& classes,
                              std::span<const index_t> counts);

void add_method_options(CLI::App& verb, MethodOptions& options);

/// The values of the papers for a method's options that a recipe decides, where the user gave none.
struct MethodDefaults {
  float lambda = 0.1f, temperature = 0.07f, momentum = 0.999f;
  index_t positives = 16;
};
MethodDefaults paper_defaults(const std::string& method);

/// The queue of a method.  Errors: OptionError for another one than it has.
QueueChoice choice_of(const MethodOptions& options);
/// The contrast of a method that has a queue, when the recipe has decided.  Errors: OptionError.
QueueContrastiveOptions contrastive_options(const MethodOptions& options);
/// Errors: OptionError for what another task than one class a text does not have.
void require_task(const MethodOptions& options);
/// Errors: OptionError for combinations that mean nothing.
MethodTerms terms_of(const MethodOptions& options);

}  // namespace knnbert::cli
