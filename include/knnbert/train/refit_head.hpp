#pragma once
#include <algorithm>
#include <cmath>

#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/model/interpolation.hpp"
#include "knnbert/train/sampler.hpp"

namespace knnbert::inline v0_1 {

struct RefitOptions {
  index_t epochs = 20;
  index_t least_steps = 1000;  ///< more epochs where examples are few
  index_t batch_size = 64;
  float learning_rate = 1e-3f;  ///< of the first step, falling to 0
  std::uint64_t seed = 42;

  /// Errors: OptionError.
  void validate() const {
    if (epochs < 0 || least_steps < 0)
      raise<OptionError>("RefitOptions: {} epochs and {} steps given, at least 0 expected", epochs, least_steps);
    if (batch_size < 1) raise<OptionError>("RefitOptions::batch_size: {} given, at least 1 expected", batch_size);
    if (!(learning_rate >= 0 && std::isfinite(learning_rate)))
      raise<OptionError>("RefitOptions::learning_rate: {} given, a finite number from 0 expected", learning_rate);
  }
};

/// Trains the classification head alone on the embeddings that the encoder gives now, for a model whose encoder is not
/// the one that its head was trained with, as after interpolate(), or for a linear probe. All texts are encoded once,
/// so that many steps cost little. loss(logits, classes or values, d_logits) is that of the model's task:
/// CrossEntropyLoss, BinaryCrossEntropyLoss, SquaredErrorLoss. In a team each process encodes a part of the texts, and
/// all make the same steps.  Memory: O(examples * H).  Errors: OptionError, also for the loss of another task;
/// ShapeError for a label that the head does not know; those of Classifier::embed and of the loss.
template <class Stack, class Loss = CrossEntropyLoss>
void refit_head(Classifier<Stack>& model, const TrainingData& train, const RefitOptions& options = {},
                const Loss& loss = {}, const Team& team = {}) {
  options.validate();
  constexpr bool of_classes = std::is_invocable_v<const Loss&, Matrix&, std::span<const label_t>, Matrix&>;
  if (of_classes != (model.task().task == Task::single_label))
    raise<OptionError>(
        "refit_head: a loss of {} given, CrossEntropyLoss expected for classes, BinaryCrossEntropyLoss for sets of "
        "them, SquaredErrorLoss for numbers",
        of_classes ? "classes" : "values");
  for (const label_t label : train.labels())
    if (of_classes && (label < 0 || label >= model.network().classes()))
      raise<ShapeError>("refit_head: label {} given, 0 to {} expected", label, model.network().classes() - 1);
  const index_t examples = train.size();
  if (examples == 0) return;
  const Matrix embeddings = model.embed(train.tokens(), team);
  auto& network = model.network();
  ParameterBlock& values = network.values();
  Gradients gradients(values.shared_table());
  if constexpr (requires { network.encoder().to_device(gradients.block()); })
    network.encoder().to_device(gradients.block());
  const auto parameters = values.table().all();
  gradients.freeze_before(std::ranges::find_if_not(parameters, of_encoder)->offset);
  auto optimizer = Network<Stack>::optimizer_type::make(0);
  typename Network<Stack>::head_tape_type tape;
  Matrix rows, logits, d_logits, d_rows;
  Batch tokens;
  Targets targets;
  const index_t an_epoch = ShuffledBatches::count(examples, options.batch_size),
                epochs = std::max(options.epochs, (options.least_steps + an_epoch - 1) / an_epoch);
  for (index_t epoch = 0, step = 0; epoch < epochs; ++epoch) {
    const ShuffledBatches batches(examples, options.batch_size, options.seed, as_size(epoch));
    for (index_t b = 0; b < an_epoch; ++b, ++step) {
      const auto chosen = batches[b];
      train.assign(chosen, StepClock(), tokens, targets);
      rows.resize(std::ssize(chosen), embeddings.cols());
      logits.resize(rows.rows(), network.classes());
      d_logits.resize(rows.rows(), network.classes());
      d_rows.resize(rows.rows(), rows.cols());
      for (index_t i = 0; i < rows.rows(); ++i) {
        const auto row = embeddings.row(chosen[as_size(i)]);
        std::copy(row.begin(), row.end(), rows.row(i).begin());
      }
      const Rng dropout(options.seed, Stream::dropout, as_size(epoch), as_size(b));
      network.head().forward(values, rows, dropout, 0, tape, logits);
      if constexpr (of_classes) loss(logits, std::span<const label_t>(targets.classes), d_logits);
      else loss(logits, targets.values, d_logits);
      gradients.clear();
      d_rows.fill(0);
      network.head().backward(values, tape, d_logits, &gradients, d_rows, network.workers());
      const float left = 1 - static_cast<float>(step) / static_cast<float>(epochs * an_epoch);
      optimizer.step(values, gradients, options.learning_rate * left, network.workers());
    }
  }
  network.lower(values);
  if (epochs > 0) model.set_head_trained(true);
}

}  // namespace knnbert::inline v0_1
