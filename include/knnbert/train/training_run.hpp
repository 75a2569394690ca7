#pragma once
#include "knnbert/distributed/broadcast_archive.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/model/other_examples.hpp"
#include "knnbert/train/checkpoint.hpp"
#include "knnbert/train/dev_data.hpp"
#include "knnbert/train/identity_of_run.hpp"
#include "knnbert/train/other_values.hpp"
#include "knnbert/train/run_checks.hpp"
#include "knnbert/train/sampler.hpp"
#include "knnbert/train/skipped_steps.hpp"
#include "knnbert/train/stepper.hpp"

namespace knnbert::inline v0_1 {

/// What a run did.
struct FitReport {
  std::vector<EpochReport> epochs;
  index_t best_epoch = 0;    ///< whose parameters the model has now, unless interrupted; 0: the last ones
  bool interrupted = false;  ///< an observer asked to stop before the end
  RunIdentity identity;      ///< what the run's checkpoints belong to
};

/// One call of Trainer::fit().
template <class Stack, class... Terms>  // as they train: see bound_term
class TrainingRun {
 public:
  /// The options must outlive it.  Errors: as Trainer::fit.
  TrainingRun(Classifier<Stack>& model, const TrainerOptions& options, const Dataset& train, const Dataset& dev,
              const Team& team, Terms... terms)
      : model_(model), scale_(model), team_(team), options_(options), train_(train.with_classes(*model_.classes())),
        dev_(model, dev, options_), data_(scaled(model_, train_)), first_head_(head_values()),
        stepper_(model_.network(), data_, options_, std::move(terms)...) {
    detail::require_steps(data_.size(), options_.epochs, steps_an_epoch());
    const auto require = [&](const auto& term) {
      detail::require_loss_of(model_.task().task, term.name);
      detail::require_task_of(model_.task().task, term);
      detail::require_updates_per_batch(options_.updates_per_batch, term);
      detail::require_finite_weight(term);
    };
    std::apply([&](const auto&... term) { (detail::if_present(term, require), ...); }, stepper_.terms());
    report_.identity = identity_of_run(model_, options_, stepper_.terms(), data_, train_, dev_.tokens(), dev_.data());
    if (team_.size() > 1) stepper_.join(team_), require_same_run(team_, "Trainer::fit", report_.identity);
    if (!options_.checkpoints.empty()) {
      team_.on_first("Trainer::fit", [&] {
        lock_ = options_.lock ? options_.lock : std::make_shared<const DirectoryLock>(options_.checkpoints);
      });
      if (options_.resume) resume();
    }
    scale_.begin();
  }

  FitReport finish(AnyObserver& observer) {
    try {
      while (epoch_ < options_.epochs && !report_.interrupted && !out_of_patience()) run_epoch(observer);
    } catch (...) {  // the parameters are those of the last step
      judge_head();
      throw;
    }
    if (!report_.interrupted && report_.best_epoch) model_.network().values() = best_;
    else if (const ParameterBlock* values = stepper_.values_to_evaluate()) model_.network().values() = *values;
    model_.network().lower(model_.network().values());
    judge_head();
    return report_;
  }

  /// The terms as the run left them, and the parameters that they declared.
  std::tuple<Terms...>& terms() { return stepper_.terms(); }
  const ParameterBlock& own_values() const { return stepper_.own_values(); }

 private:
  static constexpr index_t most_unread = 64;
  struct StepLoss {
    Deferred<float> loss;
    Deferred<bool> finite;
    index_t examples;
  };

  static TrainingData scaled(Classifier<Stack>& model, const Dataset& train) {
    detail::require_known_classes(model, train);
    model.set_scale(train);
    return model.tokenize(train);
  }

  void resume() {
    team_.on_first("Trainer::fit", [&] {
      const auto newest = newest_checkpoint(options_.checkpoints, report_.identity);
      if (!newest) return;
      read_checkpoint(*newest, report_.identity, [&](auto& ar) { archive(ar); });
      checkpointed_ = newest->step;
    });
    checkpointed_ = broadcast_value(team_, checkpointed_);
    if (checkpointed_ < 0 || team_.size() == 1) return;
    BroadcastArchive to_all(team_);
    archive(to_all);
  }

  index_t steps_an_epoch() const {
    return options_.updates_per_batch * ShuffledBatches::count(data_.size(), options_.batch_size);
  }
  index_t steps() const { return options_.epochs * steps_an_epoch(); }  // batch_ counts those of an epoch
  bool out_of_patience() const {
    return options_.patience > 0 && report_.best_epoch && epoch_ - report_.best_epoch >= options_.patience;
  }

  float rate(index_t step) const {
    const auto warmup = static_cast<index_t>(static_cast<double>(options_.warmup) * static_cast<double>(steps()));
    const typename Stack::schedule_type schedule(
        ScheduleOptions{.kind = options_.schedule, .warmup = warmup, .total = steps()});
    return static_cast<float>(options_.learning_rate * static_cast<double>(schedule(step)));
  }

  void run_epoch(AnyObserver& observer) {
    const ShuffledBatches batches(data_, options_.batch_size, options_.seed, static_cast<std::uint64_t>(epoch_),
                                  options_.sampling);
    while (batch_ < steps_an_epoch()) {
      if (team_.any(observer.stop_requested())) return interrupt();
      const StepClock clock{options_.seed, static_cast<std::uint64_t>(epoch_), static_cast<std::uint64_t>(step_),
                            static_cast<std::uint64_t>(steps())};
      StepReport& step = stepper_.step(clock, batches[batch_ / options_.updates_per_batch], rate(step_));
      ++batch_, ++step_;
      step.step = step_, step.steps = steps(), step.epoch = epoch_ + 1;
      unread_.push_back({step.loss, step.finite, step.examples});
      if (step.known() || std::ssize(unread_) == most_unread) read_losses();
      observer.step(step);
      if (options_.checkpoint_every > 0 && step_ % options_.checkpoint_every == 0 && batch_ < steps_an_epoch())
        checkpoint();
    }
    close_epoch(observer);
  }

  /// Adds losses to the epoch's, all those at once that a device was still computing.
  void read_losses() {
    for (const StepLoss& step : unread_) {
      if (step.finite)
        epoch_loss_ += static_cast<double>(step.loss) * static_cast<double>(step.examples),
            epoch_examples_ += step.examples;
      skipped_.add(step.finite, step_);
    }
    unread_.clear();
  }

  void close_epoch(AnyObserver& observer) {
    read_losses();
    if (epoch_examples_ == 0 && skipped_.in_row() > 0) skipped_.refuse(step_);
    require_same_values(team_, "Trainer::fit: parameters", model_.network().values());
    EpochReport epoch{.epoch = epoch_ + 1,
                      .mean_loss = static_cast<float>(epoch_loss_ / static_cast<double>(epoch_examples_))};
    if (dev_.size() > 0) evaluate(epoch);
    report_.epochs.push_back(epoch);
    ++epoch_, batch_ = 0, epoch_loss_ = 0, epoch_examples_ = 0;
    observer.epoch(epoch);
    const bool last = epoch_ == options_.epochs || out_of_patience();
    if (last || options_.checkpoint_every == 0 || step_ % options_.checkpoint_every == 0) checkpoint();
  }

  /// Dev scores of the model, or of the values that a term has in their place; the best ones are kept.
  void evaluate(EpochReport& epoch) {
    ParameterBlock& values = model_.network().values();
    const ParameterBlock* other = stepper_.values_to_evaluate();
    const OtherValues guard(values, other);
    if (other) model_.network().lower(values);
    epoch.dev = scores();
    const double score = options_.select_any ? epoch.dev->highest() : epoch.dev->of(options_.selection);
    if (report_.best_epoch == 0 || score > best_score_) {
      epoch.best = true;
      best_score_ = score;
      report_.best_epoch = epoch.epoch;
      best_ = values;
    }
  }

  /// The bias of the head's output, which nothing but a loss of its logits changes: weights also decay.
  std::vector<float> head_values() const {
    const ParameterBlock& values = std::as_const(model_.network()).values();
    const Parameter& p = values.table()[model_.network().head().output().bias];
    return {values.data() + p.offset, values.data() + p.offset + p.size};
  }
  /// Under a contrastive loss alone the head stays random; then neighbors go on deciding.
  void judge_head() {
    if (!model_.head_trained()) model_.set_head_trained(head_values() != first_head_);
  }

  /// On the dev data, with a store of the training data.
  Scores scores() {
    judge_head();
    const OtherExamples own(model_);
    if (options_.rebuild_store) model_.index(train_, data_.tokens(), team_);
    return dev_.scores(model_, team_);
  }

  void interrupt() {
    report_.interrupted = true;
    checkpoint();
  }
  void checkpoint() {
    read_losses();
    if (options_.checkpoints.empty() || checkpointed_ == step_) return;
    stepper_.start();
    checkpointed_ = step_;
    team_.on_first("Trainer::fit", [&] {
      write_checkpoint(*lock_, step_, report_.identity, [&](auto& ar) { archive(ar); });
      remove_old_checkpoints(*lock_, report_.identity, step_, options_.checkpoints_kept);
    });
  }

  template <class Archive>
  void archive(Archive& ar) {
    stepper_.archive(ar);
    std::vector<std::int64_t> place{epoch_, batch_, step_, report_.best_epoch, epoch_examples_},
        sums{detail::bits_of(best_score_), detail::bits_of(epoch_loss_)}, epochs;
    for (const auto& e : report_.epochs) detail::append(e, epochs);
    ar("place", place), ar("sums", sums), ar("epochs", epochs);
    if (place.size() != 5 || sums.size() != 2 || epochs.size() % 5)
      raise<FormatError>("Trainer::archive: damaged progress");
    epoch_ = place[0], batch_ = place[1], step_ = place[2], report_.best_epoch = place[3], epoch_examples_ = place[4];
    best_score_ = detail::number_of(sums[0]), epoch_loss_ = detail::number_of(sums[1]);
    report_.epochs.clear();
    for (std::size_t i = 0; i < epochs.size(); i += 5)
      report_.epochs.push_back(detail::epoch_from(std::span(epochs).subspan(i, 5), std::ssize(report_.epochs) + 1));
    if (report_.best_epoch == 0) return;
    if (best_.size() == 0) best_ = model_.network().values();
    ar("best_values", archived_floats<Archive>(best_));
  }

  Classifier<Stack>& model_;
  detail::ScaleGuard<Stack> scale_;
  Team team_;
  const TrainerOptions& options_;
  Dataset train_;
  DevData<Stack> dev_;
  TrainingData data_;
  std::vector<float> first_head_;
  Stepper<Network<Stack>, TrainingData, Terms...> stepper_;
  std::shared_ptr<const DirectoryLock> lock_;
  FitReport report_;
  ParameterBlock best_;
  std::vector<StepLoss> unread_;
  SkippedSteps skipped_{"Trainer::fit", "TrainerOptions::learning_rate", options_.learning_rate};
  double best_score_ = 0, epoch_loss_ = 0;
  index_t epoch_ = 0, batch_ = 0, step_ = 0, epoch_examples_ = 0, checkpointed_ = -1;
};

}  // namespace knnbert::inline v0_1
