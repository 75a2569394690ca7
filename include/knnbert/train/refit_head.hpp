#pragma once
#include <algorithm>
#include <cmath>

#include "knnbert/loss/binary_cross_entropy.hpp"
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/loss/squared_error.hpp"
#include "knnbert/model/new_head.hpp"
#include "knnbert/model/stored_examples.hpp"
#include "knnbert/train/class_weights.hpp"
#include "knnbert/train/run_checks.hpp"
#include "knnbert/train/sampler.hpp"

namespace knnbert::inline v0_1 {

struct RefitOptions {
  index_t epochs = 20;
  index_t least_steps = 1000;  ///< more epochs where examples are few
  index_t batch_size = 64;
  float learning_rate = 1e-3f;  ///< of the first step, falling to 0
  std::uint64_t seed = 42;
  ClassWeighting weighting = ClassWeighting::square_root;  ///< of the classes of a datastore
  float label_smoothing = 0.1f;                            ///< over the classes of a datastore

  /// Errors: OptionError.
  void validate() const {
    if (epochs < 0 || least_steps < 0)
      raise<OptionError>("RefitOptions: {} epochs and {} steps given, at least 0 expected", epochs, least_steps);
    if (batch_size < 1) raise<OptionError>("RefitOptions::batch_size: {} given, at least 1 expected", batch_size);
    if (!(learning_rate >= 0 && std::isfinite(learning_rate)))
      raise<OptionError>("RefitOptions::learning_rate: {} given, a finite number from 0 expected", learning_rate);
  }
};

namespace detail {

/// Trains a network's classification head alone on embeddings [N, H] of the texts.
template <class Stack, class Loss>
void fit_head(Network<Stack>& network, const Matrix& embeddings, const TrainingData& train, const RefitOptions& options,
              const Loss& loss) {
  constexpr bool of_classes = std::is_invocable_v<const Loss&, Matrix&, std::span<const label_t>, Matrix&>;
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
  const index_t an_epoch = ShuffledBatches::count(train.size(), options.batch_size),
                epochs = std::max(options.epochs, (options.least_steps + an_epoch - 1) / an_epoch);
  for (index_t epoch = 0, step = 0; epoch < epochs; ++epoch) {
    const ShuffledBatches batches(train.size(), options.batch_size, options.seed, as_size(epoch));
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
}

/// The examples that have a text.  Errors: StateError for what the docstring of refit_head(model) says.
inline std::vector<index_t> with_texts(const Dataset& all, bool by_class) {
  std::vector<index_t> found, missing(as_size(by_class ? std::ssize(all.classes()) : 1)), counts(missing.size());
  for (index_t i = 0; i < all.size(); ++i) {
    const std::size_t group = by_class ? as_size(all.label(i)) : 0;
    ++counts[group];
    if (all.text(i).empty() && all.pair(i).empty()) ++missing[group];
    else found.push_back(i);
  }
  if (all.size() == 0) raise<StateError>("refit_head: 0 examples in the datastore, at least one with a text expected");
  for (std::size_t group = 0; group < counts.size(); ++group)
    if (missing[group] > 0 && 2 * missing[group] >= counts[group])
      raise<StateError>(
          "refit_head: {} of the {} examples in the datastore have no text{}, from which the head would learn nothing: "
          "`index` from data gives them texts",
          all.size() - std::ssize(found), all.size(),
          by_class
              ? format(", {} of the {} of class '{}' among them", missing[group], counts[group], all.classes()[group])
              : "");
  return found;
}

}  // namespace detail

/// Trains the classification head alone on the embeddings that the encoder gives now, for a model whose encoder is not
/// the one that its head was trained with, as after interpolate(), or for a linear probe. All texts are encoded once,
/// so that many steps cost little. loss(logits, classes or values, d_logits) is that of the model's task:
/// CrossEntropyLoss, BinaryCrossEntropyLoss, SquaredErrorLoss. In a team each process encodes a part of the texts, and
/// all make the same steps. To be called before index().  Memory: O(examples * H).  Errors: OptionError, also for the
/// loss of another task; ShapeError for a label that the head does not know; those of Classifier::embed and of the
/// loss.
template <class Stack, class Loss = CrossEntropyLoss>
void refit_head(Classifier<Stack>& model, const TrainingData& train, const RefitOptions& options = {},
                const Loss& loss = {}, const Team& team = {}) {
  options.validate();
  std::as_const(model).network().values().require_complete("refit_head");
  constexpr bool of_classes = std::is_invocable_v<const Loss&, Matrix&, std::span<const label_t>, Matrix&>;
  if (of_classes != (model.task().task == Task::single_label))
    raise<OptionError>(
        "refit_head: a loss of {} given, CrossEntropyLoss expected for classes, BinaryCrossEntropyLoss for sets of "
        "them, SquaredErrorLoss for numbers",
        of_classes ? "classes" : "values");
  for (const label_t label : train.labels())
    if (of_classes && (label < 0 || label >= model.network().classes()))
      raise<ShapeError>("refit_head: label {} given, 0 to {} expected", label, model.network().classes() - 1);
  if (train.size() == 0) return;
  detail::fit_head(model.network(), model.embed(train.tokens(), team), train, options, loss);
  if (options.epochs > 0 || options.least_steps > 0) model.set_head_trained(true);
}

/// Fits a new head to the examples of the datastore: from then on it knows the classes that were added. The encoder
/// and the keys stay as they are, so that this takes one pass over the texts and seconds of small steps. An example of
/// a class weighs by the root of how few there are, unless options.weighting says otherwise, so that ten are heard
/// beside a hundred. In whatever order examples came, the head is the same but for rounding. Thresholds of sets go; the
/// scale of numbers is that of the examples. Examples without a text are left out. The model stays as it was if
/// anything fails.  Memory: O(examples * H), and the parameters twice.  Errors: OptionError; StateError without
/// examples and where half or more of a class, or of all sets or numbers, are without a text, as keys of a queue are;
/// those of Classifier::embed.
template <class Stack>
void refit_head(Classifier<Stack>& model, const RefitOptions& options = {}, const Team& team = {}) {
  options.validate();
  const Dataset all = stored_examples(model);
  std::vector<index_t> order = detail::with_texts(all, model.task().task == Task::single_label);
  const auto& names = all.classes();
  const auto place = [&](index_t i) { return std::tie(names[as_size(all.label(i))], all.text(i), all.pair(i)); };
  std::ranges::sort(order, [&](index_t a, index_t b) { return place(a) < place(b); });
  const Dataset examples = all.select(order);
  auto network = with_new_head(std::as_const(model).network(), std::ssize(*model.outputs()));
  if (model.task().task == Task::single_label) {
    const TrainingData train(model.tokenize(examples.texts(), examples.pairs()),
                             {examples.labels().begin(), examples.labels().end()}, network.classes());
    const auto weights = class_weights(examples.class_counts(), options.weighting);
    detail::fit_head(network, model.embed(train.tokens(), team), train, options,
                     CrossEntropyLoss{options.label_smoothing, weights});
  } else {
    detail::ScaleGuard scale(model);
    model.set_scale(examples);
    const TrainingData train = model.tokenize(examples);
    const Matrix embeddings = model.embed(train.tokens(), team);
    if (model.task().task == Task::regression)
      detail::fit_head(network, embeddings, train, options, SquaredErrorLoss());
    else detail::fit_head(network, embeddings, train, options, BinaryCrossEntropyLoss());
    scale.begin();
  }
  model.set_network(std::move(network));
  model.set_thresholds({});
  model.set_head_trained(true);
}

}  // namespace knnbert::inline v0_1
