#pragma once
#include <cmath>
#include <string_view>

#include "knnbert/model/classifier.hpp"
#include "knnbert/model/model_file.hpp"

/// What a run checks before it begins, so that a model stays as it is where it cannot.
namespace knnbert::inline v0_1::detail {

/// Puts a regression's scale back unless the run begins.
template <class Stack>
class ScaleGuard {
 public:
  explicit ScaleGuard(Classifier<Stack>& model) : model_(model), mean_(model.task().mean), scale_(model.task().scale) {}
  ScaleGuard(const ScaleGuard&) = delete;
  ScaleGuard& operator=(const ScaleGuard&) = delete;
  ~ScaleGuard() {
    if (!begun_) model_.set_scale(mean_, scale_);
  }
  void begin() { begun_ = true; }

 private:
  Classifier<Stack>& model_;
  float mean_, scale_;
  bool begun_ = false;
};

/// Errors: ShapeError without examples; OptionError for more epochs than have steps that can be counted.
inline void require_steps(index_t examples, index_t epochs, index_t steps_an_epoch) {
  if (examples == 0) raise<ShapeError>("Trainer::fit: 0 examples given, at least 1 expected");
  if (const index_t most = (index_t{1} << 48) / steps_an_epoch; epochs > most)
    raise<OptionError>("TrainerOptions::epochs: {} given, at most {} expected", epochs, most);
}

/// Any loss would make something of the targets of another task, and nothing good.  Errors: OptionError.
inline void require_loss_of(Task task, std::string_view term) {
  const auto require = [&](std::string_view loss, Task own) {
    if (term == loss && task != own)
      raise<OptionError>(
          "Trainer: {} given, cross_entropy expected for classes, binary_cross_entropy for sets of them, squared_error "
          "for numbers",
          loss);
  };
  require("cross_entropy", Task::single_label), require("binary_cross_entropy", Task::multi_label);
  require("squared_error", Task::regression);
}

/// Errors: OptionError for a term that says it cannot read the targets of the model's task.
template <class T>
void require_task_of(Task task, const T& term) {
  if constexpr (requires { T::serves(task); })
    if (!T::serves(task))
      raise<OptionError>("Trainer: {} given for a model of {}, whose targets it cannot read", term.name,
                         name_in(task_names, task));
}

/// Errors: OptionError for a term that counts another number of updates of a batch than the trainer makes.
template <class T>
void require_updates_per_batch(index_t updates, const T& term) {
  if constexpr (requires { term.updates_per_batch == updates; })
    if (term.updates_per_batch != updates)
      raise<OptionError>("Trainer: {} with {} updates a batch given, {} expected, as TrainerOptions has it", term.name,
                         term.updates_per_batch, updates);
}

/// Errors: OptionError for a term whose weight is no number.
template <class T>
void require_finite_weight(const T& term) {
  if constexpr (requires { std::isfinite(term.weight); })
    if (!std::isfinite(term.weight))
      raise<OptionError>("Trainer: {} with weight {} given, a finite number expected", term.name, term.weight);
}

/// Errors: FormatError for an example of a class that was added after training.
template <class Stack>
void require_known_classes(const Classifier<Stack>& model, const Dataset& train) {
  if (model.task().task != Task::single_label) return;
  for (index_t i = 0; i < train.size(); ++i)
    if (train.label(i) >= model.network().classes())
      raise<FormatError>("{}: class '{}' was added after training: the head does not know it", train.location(i),
                         train.classes()[as_size(train.label(i))]);
}

}  // namespace knnbert::inline v0_1::detail
