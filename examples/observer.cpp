// Watching and ending long calls: training that stops after a number of steps, and a call that says how far it is.
#include <cstdio>
#include <knnbert/knnbert.hpp>

/// Any type with these members observes a training.
struct FirstSteps {
  knnbert::index_t most, seen = 0;
  void step(const knnbert::StepReport& report) {
    seen = report.step;
    std::printf("step %td of %td\n", report.step, report.steps);
  }
  void epoch(const knnbert::EpochReport&) {}
  bool stop_requested() const { return seen == most; }
};

struct Percent : knnbert::ProgressListener {
  void progress(knnbert::index_t done, knnbert::index_t total) override { std::printf("%td %%\n", 100 * done / total); }
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: observer ENCODER TRAIN.tsv\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<> model(argv[1], train.classes());
  const FitReport report =
      Trainer(model, {.epochs = 9, .batch_size = 8}, CrossEntropy{}).fit(train, {}, FirstSteps{.most = 3});
  std::printf("%s\n", report.interrupted ? "stopped" : "done");
  Percent percent;
  model.index(train, {}, &percent);
}
