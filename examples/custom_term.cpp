// A training term of one's own: embeddings are kept short, by half of the mean squared norm.
#include <cstdio>
#include <knnbert/knnbert.hpp>

struct ShortEmbeddings {
  static constexpr std::string_view name = "short";
  float weight = 0.01f;

  template <class Context>
  knnbert::TermValue add(Context& c) {
    const knnbert::ConstView x = c.embedding;  // [B, H]
    const knnbert::View d = c.d_embedding;     // to add to
    float sum = 0;
    for (knnbert::index_t i = 0; i < x.rows(); ++i)
      for (knnbert::index_t j = 0; j < x.cols(); ++j) {
        sum += x(i, j) * x(i, j);
        d(i, j) += weight * x(i, j) / float(c.step_examples);
      }
    return weight * sum / (2 * float(c.step_examples));
  }
};

/// Writes the mean of the terms of each epoch.
struct Printer : knnbert::SilentObserver {
  float sum = 0;
  knnbert::index_t steps = 0;
  void step(const knnbert::StepReport& report) {
    for (const auto& [name, value] : report.terms)
      if (name == "short" && value) sum += float(*value), ++steps;
  }
  void epoch(const knnbert::EpochReport& report) {
    std::printf("epoch %td: %.4f\n", report.epoch, double(sum / float(steps)));
    sum = 0, steps = 0;
  }
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_term ENCODER TRAIN.tsv\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<> model(argv[1], train.classes());
  Printer printer;
  Trainer(model, {.epochs = 3, .batch_size = 8}, CrossEntropy{}, ShortEmbeddings{0.1f}).fit(train, {}, printer);
}
