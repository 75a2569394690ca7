// A schedule and an optimizer of one's own: steps by the sign of the gradient, at a rate that halves four times.
#include <cmath>
#include <cstdio>
#include <knnbert/knnbert.hpp>

struct Halving {
  knnbert::ScheduleOptions run;
  explicit Halving(const knnbert::ScheduleOptions& options) : run(options) {}
  double operator()(knnbert::index_t updates) const { return std::pow(0.5, double(5 * updates / run.total)); }
};

struct SignDescent {
  void step(knnbert::ParameterBlock& values, knnbert::Gradients& gradients, float rate, const knnbert::Workers&,
            std::span<const float> multipliers) {
    float* const v = values.data();
    const float* const g = std::as_const(gradients).data();
    for (std::size_t p = 0; p < values.table().all().size(); ++p) {
      const knnbert::Parameter& parameter = values.table().all()[p];
      const float own = rate * (multipliers.empty() ? 1.0f : multipliers[p]);
      for (auto i = parameter.offset; i < parameter.offset + parameter.size; ++i)
        v[i] -= own * float((g[i] > 0) - (g[i] < 0));
    }
  }
  static SignDescent make(float) { return {}; }  // without decay
};

struct MyStack : knnbert::DefaultStack {
  using schedule_type = Halving;
  using optimizer_type = SignDescent;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_schedule ENCODER TRAIN.tsv\n", stderr), 2;
  struct Printer : SilentObserver {
    float last = 0;
    void step(const StepReport& report) {
      if (report.learning_rate != last) std::printf("step %td: rate %.6f\n", report.step, double(report.learning_rate));
      last = report.learning_rate;
    }
  } printer;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes());
  Trainer(model, {.epochs = 2, .batch_size = 8, .learning_rate = 1e-3f}, CrossEntropy{}).fit(train, {}, printer);
}
