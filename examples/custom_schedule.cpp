// A schedule and an optimizer of one's own choice: gradient descent with momentum, whose rate halves four times.
#include <cmath>
#include <cstdio>
#include <knnbert/knnbert.hpp>
#include <knnbert/optimizer/sgd.hpp>

struct Halving {
  knnbert::ScheduleOptions run;
  explicit Halving(const knnbert::ScheduleOptions& options) : run(options) {}
  double operator()(knnbert::index_t updates) const { return std::pow(0.5, double(5 * updates / run.total)); }
};

struct Momentum : knnbert::Sgd {
  using BasicSgd::BasicSgd;
  static Momentum make(float) { return Momentum({.momentum = 0.9f}); }
};

struct MyStack : knnbert::DefaultStack {
  using schedule_type = Halving;
  using optimizer_type = Momentum;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_schedule ENCODER TRAIN.tsv\n", stderr), 2;
  struct Printer : SilentObserver {
    float last = 0;
    void step(const StepReport& report) {
      if (report.learning_rate != last) std::printf("step %td: rate %.5f\n", report.step, double(report.learning_rate));
      last = report.learning_rate;
    }
  } printer;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes());
  Trainer(model, {.epochs = 2, .batch_size = 8, .learning_rate = 0.01f}, CrossEntropy{}).fit(train, {}, printer);
}
