#include <cstdio>
#include <knnbert/knnbert.hpp>

int main() {
  using namespace knnbert;
  const Dataset train = Dataset::read("train.tsv");         // text <tab> label
  Classifier<> model("all-MiniLM-L6-v2", train.classes());  // a Hugging Face directory
  Trainer(model, {.epochs = 3}, CrossEntropy{.weight = 0.9f}, QueueContrastive({.weight = 0.1f})).fit(train);
  model.index(train);  // fills the datastore
  const Prediction p = model.predict("where is my new card?");
  std::printf("%s %.2f, because of: %s\n", p.class_name.c_str(), p.probability, p.neighbors.front().text.c_str());
}
