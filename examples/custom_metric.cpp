// A user's own metric: nothing else changes, queue and datastore follow.
#include <cmath>
#include <cstdio>
#include <knnbert/knnbert.hpp>

struct Manhattan {  // larger is closer, hence the minus
  float operator()(std::span<const float> a, std::span<const float> b) const {
    float distance = 0;
    for (std::size_t i = 0; i < a.size(); ++i) distance += std::fabs(a[i] - b[i]);
    return -distance;
  }
};

struct MyStack : knnbert::DefaultStack {
  using metric_type = knnbert::Pairwise<Manhattan>;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_metric ENCODER TRAIN.tsv\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes(), {.feature = Feature::embedding});
  model.index(train);
  for (const Evidence& n : model.predict(train.text(0)).neighbors)
    std::printf("%8.3f  %s: %s\n", static_cast<double>(n.similarity), n.class_name.c_str(), n.text.c_str());
}
