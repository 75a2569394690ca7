#pragma once
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "knnbert/term/context.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert::inline v0_1 {

/// Time of one phase of a step on the clock on the wall; on a device, until its work is handed over.
struct PhaseTime {
  std::string_view phase, term;  ///< term: whose part of the phase it is; empty for the network's own
  double seconds = 0;
  double operations = 0;  ///< floating-point operations of its products, 0 where nobody counts them
};

/// What one step did. Terms that were absent have no value. Numbers that a device is still computing are waited for
/// when they are read.
struct StepReport {
  index_t step = 0, steps = 0;  ///< number of this step, from 1, and of all
  index_t epoch = 0;            ///< from 1
  Deferred<float> loss;         ///< sum of the terms
  std::vector<std::pair<std::string_view, TermValue>> terms;
  std::vector<std::pair<std::string_view, double>> measures;
  Deferred<double> gradient_norm;  ///< before clipping
  float learning_rate = 0;
  Deferred<bool> finite = true;  ///< false: loss or gradient was not finite and the parameters stayed as they were
  index_t examples = 0, tokens = 0;
  std::vector<PhaseTime> phases;  ///< in the order of their first time

  /// Whether reading loss, norm and what follows from them waits for nobody.
  bool known() const { return loss.known() && gradient_norm.known(); }

  /// As it was at first, but for memory.
  void clear();

  PhaseTime& phase(std::string_view name, std::string_view term = {});
  /// Runs f and adds its time to a phase.
  template <class F>
  void time(std::string_view name, std::string_view term, F&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    phase(name, term).seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

/// The metric of the options on dev data, of the three predictors; knn and combined are absent without a store.
struct Scores {
  double head = 0;
  std::optional<double> knn{}, combined{};

  double of(Predictor predictor) const {
    if (predictor == Predictor::knn && knn) return *knn;
    if (predictor == Predictor::combined && combined) return *combined;
    return head;
  }
  double highest() const { return std::max({head, knn.value_or(head), combined.value_or(head)}); }
};

/// What one epoch did.
struct EpochReport {
  index_t epoch = 0;    ///< from 1
  float mean_loss = 0;  ///< over the examples of steps that counted; NaN without any
  std::optional<Scores> dev{};
  bool best = false;  ///< the best dev score so far
};

/// Receives reports and may stop a run between two steps, as SilentObserver does: observer.step(StepReport),
/// observer.epoch(EpochReport), bool observer.stop_requested().
template <class O>
concept Observer = requires(O& observer, const StepReport& step, const EpochReport& epoch) {
  observer.step(step);
  observer.epoch(epoch);
  { observer.stop_requested() } -> std::convertible_to<bool>;
};

/// Hears nothing and stops nothing.
struct SilentObserver {
  void step(const StepReport&) {}
  void epoch(const EpochReport&) {}
  bool stop_requested() const { return false; }
};

/// Any observer behind one interface, so that a run is compiled once for all of them.
class AnyObserver {
 public:
  virtual ~AnyObserver() = default;
  virtual void step(const StepReport& report) = 0;
  virtual void epoch(const EpochReport& report) = 0;
  virtual bool stop_requested() const = 0;
};

/// Hands on what it hears to an observer of the user's, which must outlive it.
template <Observer O>
class ObserverReference final : public AnyObserver {
 public:
  explicit ObserverReference(O& observer) : observer_(observer) {}
  void step(const StepReport& report) override { observer_.step(report); }
  void epoch(const EpochReport& report) override { observer_.epoch(report); }
  bool stop_requested() const override { return observer_.stop_requested(); }

 private:
  O& observer_;
};

namespace detail {

// Numbers pass an archive as their bits, so that a resumed run compares what the first one compared.
inline std::int64_t bits_of(double value) { return std::bit_cast<std::int64_t>(value); }
inline double number_of(std::int64_t bits) { return std::bit_cast<double>(bits); }

/// An epoch as five numbers.
void append(const EpochReport& e, std::vector<std::int64_t>& to);
EpochReport epoch_from(std::span<const std::int64_t> from, index_t epoch);

}  // namespace detail

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/train/report_impl.hpp"
#endif
