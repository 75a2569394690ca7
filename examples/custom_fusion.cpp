// A fusion of one's own: the product of both distributions, so that either can veto. Its exponent is saved, too.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <knnbert/knnbert.hpp>

struct Product {
  float weight = 0.5f;  // of the neighbors, as an exponent

  void operator()(std::span<const float> head, std::span<const float> knn, std::span<float> out) const {
    constexpr float least = 1e-6f;  // a class without neighbors is unlikely, not impossible
    float sum = 0;
    for (std::size_t c = 0; c < out.size(); ++c)
      sum += out[c] = std::pow(std::max(head[c], least), 1 - weight) * std::pow(std::max(knn[c], least), weight);
    for (float& p : out) p /= sum;
  }
  template <class Visit>
  void settings(Visit&& visit) {
    visit("weight", weight, 0.0f, 1.0f);
  }
};

struct MyStack : knnbert::DefaultStack {
  using fusion_type = Product;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 4) return std::fputs("usage: custom_fusion ENCODER TRAIN.tsv OUTPUT\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes(), {.feature = Feature::embedding});
  Trainer(model, {.epochs = 5, .batch_size = 8, .learning_rate = 1e-4f}, CrossEntropy{}).fit(train);
  model.index(train);
  model.fusion().weight = 0.25f;
  model.save(argv[3]);
  const auto loaded = Classifier<MyStack>::load(argv[3]);
  std::printf("weight %.2f, %s\n", double(loaded.fusion().weight), loaded.predict(train.text(0)).class_name.c_str());
}
