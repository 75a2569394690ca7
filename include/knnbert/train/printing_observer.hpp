#pragma once
#include "knnbert/train/report.hpp"

namespace knnbert::inline v0_1 {

/// Writes a line every `every` steps, whose loss is the mean since the last line, and one at the end of each epoch, to
/// anything that takes strings by <<:
///   Trainer(model, options, CrossEntropy{}).fit(train, dev, PrintingObserver(std::cerr));
template <class Stream>
class PrintingObserver {
 public:
  /// Errors: OptionError for every < 1.
  explicit PrintingObserver(Stream& out, index_t every = 10) : out_(out), every_(every) {
    if (every < 1) raise<OptionError>("PrintingObserver: every {} steps given, 1 or more expected", every);
  }

  void step(const StepReport& report) {
    losses_.push_back(report.loss);
    if (report.step % every_ != 0 && report.step != report.steps) return;
    out_ << format("step {} of {}, epoch {}: loss {}, learning rate {}\n", report.step, report.steps, report.epoch,
                   mean(), report.learning_rate);
    losses_.clear();
  }
  void epoch(const EpochReport& report) {
    out_ << format("epoch {}: mean loss {}", report.epoch, report.mean_loss);
    if (report.dev) {
      out_ << format(", dev score of the head {}", report.dev->head);
      if (report.dev->combined) out_ << format(", combined {}", *report.dev->combined);
      if (report.best) out_ << std::string(", the best so far");
    }
    out_ << std::string("\n");
  }
  bool stop_requested() const { return false; }

 private:
  /// Waits for a device only when a line is due.
  float mean() const {
    double sum = 0;
    for (const auto& loss : losses_) sum += static_cast<float>(loss);
    return static_cast<float>(sum / static_cast<double>(losses_.size()));
  }

  Stream& out_;
  index_t every_;
  std::vector<Deferred<float>> losses_;
};

}  // namespace knnbert::inline v0_1
