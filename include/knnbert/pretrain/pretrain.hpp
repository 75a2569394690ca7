#pragma once
#include "knnbert/optimizer/schedule.hpp"
#include "knnbert/pretrain/masked_language.hpp"
#include "knnbert/pretrain/masked_scores.hpp"
#include "knnbert/pretrain/masking.hpp"
#include "knnbert/pretrain/options.hpp"
#include "knnbert/train/checkpoint.hpp"
#include "knnbert/train/sampler.hpp"
#include "knnbert/train/skipped_steps.hpp"
#include "knnbert/train/stepper.hpp"

namespace knnbert::inline v0_1 {

struct PretrainReport {
  index_t steps = 0, tokens = 0;  ///< done; special tokens count
  index_t skipped = 0;            ///< steps since a start or resume that changed nothing: loss or gradient not finite
  bool interrupted = false;
  RunIdentity identity = {};  ///< what its checkpoints belong to; empty if there are none
};

/// All that the bits of a run depend on: of the model as it is before the run.
template <class Stack>
RunIdentity identity_of_pretraining(const BasicMaskedLanguageModel<Stack>& model, const Batch& sequences,
                                    const Masker& masker, const PretrainOptions& options) {
  RunIdentity run = identity_of(options.trainer());
  run.add("steps", options.steps);
  run.add("head_only_steps", options.head_only_steps);
  run.add("head_only_learning_rate", options.head_learning_rate);
  run.add("mask_probability", masker.options().probability);
  run.add("mask_unit", masker.options().unit == MaskUnit::word ? "word" : "piece");
  run.add("mask_shares", format("{} {}", masker.options().masked, masker.options().random));
  const auto& network = model.network();
  run.add("precision", name_of(network.options().precision));
  if constexpr (requires { network.encoder().instruction_set(); })
    run.add("instruction_set", network.encoder().instruction_set());
  if constexpr (requires { network.encoder().config().num_attention_heads; }) {  // which no shape tells
    run.add("heads", network.encoder().config().num_attention_heads);
    run.add("layers", network.encoder().config().num_hidden_layers);
    run.add("hidden", network.encoder().config().hidden_size);
  }
  std::uint64_t vocabulary = 0;
  for (token_t id = 0; id < model.tokenizer().vocabulary_size(); ++id)
    vocabulary = detail::mix_bytes(vocabulary, std::as_bytes(std::span(model.tokenizer().token(id))));
  run.add("vocabulary", detail::hex_digits(vocabulary));
  run.add("parameters", identity_of(network.values().table()));
  run.add("start", fingerprint(network.values()) + " " + fingerprint(model.head_values()));
  run.add("train_data", identity_of(sequences, {}));
  return run;
}

namespace detail {

/// Steps of the head alone: one forward pass each, nothing flows back into the encoder.
template <class Stack>
class HeadOnlyStepper {
 public:
  HeadOnlyStepper(BasicMaskedLanguageModel<Stack>& model, const MaskedSequences& data, const PretrainOptions& options)
      : model_(model), data_(data), options_(options), gradients_(model.head_values().shared_table()),
        optimizer_(
            make_optimizer<typename Network<Stack>::optimizer_type>(options.weight_decay, options.adam_epsilon)) {
    words_.assign(table(), model_.network().workers());
  }

  StepReport step(const StepClock& clock, std::span<const index_t> examples, float rate) {
    StepReport report;
    const auto& network = model_.network();
    const Workers& workers = network.workers();
    data_.assign(examples, clock, batch_, targets_);
    network.forward(std::as_const(network).values(), batch_, {.keep = Keep::hidden}, pass_);
    std::vector<label_t> labels;
    const ConstView hidden = pass_.hidden(pass_.layers());
    const auto chosen =
        std::count_if(targets_.classes.begin(), targets_.classes.end(), [](label_t l) { return l >= 0; });
    tape_.rows.resize(chosen, network.width());
    for (index_t t = 0; t < batch_.tokens(); ++t)
      if (targets_.classes[as_size(t)] >= 0) {
        copy(hidden.row_range(t, 1), View(tape_.rows).row_range(std::ssize(labels), 1));
        labels.push_back(targets_.classes[as_size(t)]);
      }
    report.examples = std::ssize(examples), report.tokens = batch_.tokens(), report.learning_rate = rate;
    if (labels.empty()) return report;
    gradients_.clear();
    ParameterBlock& values = model_.head_values();
    const auto& head = model_.head();
    head.forward(std::as_const(values), tape_, workers);
    tape_.d_output.resize(tape_.rows.rows(), network.width());
    tape_.d_output.fill(0);
    const float share = 1.0f / static_cast<float>(labels.size());
    const double loss = decoder_.add_loss(tape_.output, words_, table(), std::as_const(values).slice(head.bias), labels,
                                          share, tape_.d_output, {}, gradients_.slice(head.bias), workers);
    head.backward(std::as_const(values), tape_, gradients_, workers);
    report.loss = static_cast<float>(loss) * share;
    const auto norm = optimizer_.norm(values, gradients_, workers);
    optimizer_.clipped_step(norm, values, gradients_, options_.clip_norm, rate, workers, {}, std::isfinite(loss));
    report.gradient_norm = optimizer_.read_norm(norm);
    report.finite = std::isfinite(loss) && std::isfinite(static_cast<double>(report.gradient_norm));
    return report;
  }

  template <class Archive>
  void archive(Archive& ar) {
    ar("values", archived_floats<Archive>(model_.head_values()));
    gradients_.archive_rows(ar);
    auto optimizer = ar.scope("optimizer");
    if constexpr (requires { optimizer_.archive(optimizer); }) optimizer_.archive(optimizer);
  }

 private:
  ConstView table() const {
    const auto& network = model_.network();
    return {std::as_const(network).values().slice(network.encoder().layers().words), model_.words(), network.width()};
  }

  BasicMaskedLanguageModel<Stack>& model_;
  const MaskedSequences& data_;
  const PretrainOptions& options_;
  Gradients gradients_;
  clipping_optimizer<typename Network<Stack>::optimizer_type> optimizer_;
  PackedWords words_;
  TiedDecoder<> decoder_;
  MaskedHeadTape tape_;
  typename Network<Stack>::pass_type pass_;
  Batch batch_;
  Targets targets_;
};

}  // namespace detail

/// Trains a masked language model on sequences: first the head alone, if options say so, then all; each with a linear
/// warm-up and a linear decay to 0. The observer hears of steps, numbered through both, and may ask to stop.
/// The same sequences, options and seed give the same bits for any number of threads, also if the run was stopped and
/// resumed.  Errors: OptionError; ShapeError without sequences; Error and NonFiniteError where the parameters diverge;
/// as write_checkpoint and newest_checkpoint.
template <class Stack, class Observer>
PretrainReport pretrain(BasicMaskedLanguageModel<Stack>& model, const Batch& sequences, const Masker& masker,
                        const PretrainOptions& options, Observer&& observer) {
  options.validate();
  if (sequences.size() == 0) raise<ShapeError>("pretrain: 0 sequences given, at least 1 expected");
  const MaskedSequences data(sequences, masker);
  const index_t an_epoch = ShuffledBatches::count(data.size(), options.batch_size);
  const index_t own_steps = options.steps ? options.steps : options.epochs * an_epoch;
  const index_t all_steps = options.head_only_steps + own_steps;
  PretrainReport report;
  std::shared_ptr<const DirectoryLock> lock;
  std::optional<Checkpoint> from;
  if (!options.checkpoints.empty()) {
    report.identity = identity_of_pretraining(model, sequences, masker, options);
    lock = options.lock ? options.lock : std::make_shared<const DirectoryLock>(options.checkpoints);
    if (options.resume) from = newest_checkpoint(options.checkpoints, report.identity);
    if (from) report.steps = from->step;
  }
  std::optional<ShuffledBatches> batches;
  const auto run = [&](auto& stepper, index_t before, index_t count, std::string_view option, float highest) {
    SkippedSteps skipped("pretrain", option, highest);
    const auto archive = [&](auto& ar) {
      std::vector<std::int64_t> place{report.steps, report.tokens};
      ar("place", place);
      if (place.size() != 2 || place[0] != report.steps) raise<FormatError>("pretrain: damaged progress");
      report.tokens = place[1];
      stepper.archive(ar);
    };
    if (from) read_checkpoint(*std::exchange(from, std::nullopt), report.identity, archive);
    const SelectedSchedule schedule(ScheduleOptions{
        .kind = ScheduleKind::linear,
        .warmup = static_cast<index_t>(static_cast<double>(options.warmup) * static_cast<double>(count)),
        .total = count});
    for (index_t i = report.steps - before; i < count && !report.interrupted; ++i) {
      const index_t epoch = report.steps / an_epoch, batch = report.steps % an_epoch;
      if (batch == 0 || !batches)
        batches.emplace(data.size(), options.batch_size, options.seed, static_cast<std::uint64_t>(epoch));
      const StepClock clock{options.seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(report.steps),
                            static_cast<std::uint64_t>(all_steps)};
      StepReport step =
          stepper.step(clock, (*batches)[batch],
                       static_cast<float>(static_cast<double>(highest) * static_cast<double>(schedule(i))));
      ++report.steps, report.tokens += step.tokens;
      step.step = report.steps, step.steps = all_steps, step.epoch = epoch + 1;
      observer.step(step);
      skipped.add(step.finite, report.steps);
      report.skipped += !step.finite;
      report.interrupted = observer.stop_requested();
      const bool due = options.checkpoint_every > 0 && report.steps % options.checkpoint_every == 0;
      if (!lock || !(due || report.interrupted)) continue;
      write_checkpoint(*lock, report.steps, report.identity, archive);
      remove_old_checkpoints(*lock, report.identity, report.steps, 1);
    }
  };
  if (options.head_only_steps > 0 && report.steps <= options.head_only_steps) {
    detail::HeadOnlyStepper<Stack> stepper(model, data, options);
    run(stepper, 0, options.head_only_steps, "PretrainOptions::head_learning_rate", options.head_learning_rate);
  }
  if (!report.interrupted && own_steps > 0) {
    const ParameterBlock start = model.head_values();
    Stepper stepper(model.network(), data, options.trainer(), MaskedLanguage(start));
    const auto take = [&] {
      const ParameterBlock& trained = std::as_const(stepper).own_values();
      std::copy_n(trained.data(), trained.size(), model.head_values().data());
    };
    try {
      run(stepper, options.head_only_steps, own_steps, "PretrainOptions::learning_rate", options.learning_rate);
    } catch (...) {  // the model is that of the last step
      take(), model.refresh();
      throw;
    }
    take();
  }
  model.refresh();
  constexpr index_t asked = 32;  // whether the last steps went too far, fewer than are refused at once
  masked_scores(model, sequences.slice(0, std::min(asked, sequences.size())), masker, options.seed);
  return report;
}

}  // namespace knnbert::inline v0_1
