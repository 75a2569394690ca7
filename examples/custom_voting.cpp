// A voting rule of one's own: the closest neighbor has as much weight as all others together.
#include <algorithm>
#include <cstdio>
#include <knnbert/knnbert.hpp>

struct ClosestFirst {
  void operator()(std::span<const knnbert::Neighbor> neighbors, std::span<float> probabilities) const {
    std::fill(probabilities.begin(), probabilities.end(), neighbors.empty() ? 1 / float(probabilities.size()) : 0.0f);
    for (std::size_t i = 0; i < neighbors.size(); ++i) {
      const float weight = neighbors.size() == 1 ? 1.0f : i == 0 ? 0.5f : 0.5f / float(neighbors.size() - 1);
      probabilities[static_cast<std::size_t>(neighbors[i].label)] += weight;
    }
  }
};

struct MyStack : knnbert::DefaultStack {
  using voting_type = ClosestFirst;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_voting ENCODER TRAIN.tsv\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes(), {.feature = Feature::embedding});
  model.index(train);
  const Prediction p = model.predict(train.text(0));  // its closest neighbor is itself
  std::printf("%s %.2f\n", p.class_name.c_str(),
              double(p.probability_of(train.classes()[std::size_t(train.label(0))])));
}
