// Terms that put other values in the model's place for dev data, the datastore and the saved model.
#include "term/user_terms.hpp"
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

TEST_CASE(
    "values_to_evaluate: dev scores and the trained model are those of the average, training goes on from the values") {
  const TemporaryFolder folder;
  const Dataset dev = tiny_data(17, 8);
  const auto plain = train(folder.path(), tiny_training(), dev, -1, 1, CrossEntropy{});
  // An average that never leaves the start: every epoch scores as the untrained model, and training is the same.
  const auto frozen = train(folder.path(), tiny_training(), dev, -1, 1, CrossEntropy{}, AveragedValues{.keep = 1});
  auto untrained = tiny_classifier(folder.path());
  REQUIRE(frozen.report.epochs.size() == plain.report.epochs.size());
  for (std::size_t e = 0; e < plain.report.epochs.size(); ++e) {
    CHECK(frozen.report.epochs[e].mean_loss == plain.report.epochs[e].mean_loss);
    CHECK(frozen.report.epochs[e].dev->head == frozen.report.epochs.front().dev->head);
  }
  CHECK(plain.report.epochs.back().dev->head > frozen.report.epochs.back().dev->head);
  const auto same_values = [](const ParameterBlock& a, const ParameterBlock& b) {
    return std::equal(a.data(), a.data() + a.size(), b.data());
  };
  CHECK(same_values(frozen.values, untrained.network().values()));
  // One that follows at once is the model.
  const auto following =
      train(folder.path(), tiny_training(), Dataset(), -1, 1, CrossEntropy{}, AveragedValues{.keep = 0});
  const auto last = train(folder.path(), tiny_training(), Dataset(), -1, 1, CrossEntropy{});
  CHECK(same_values(following.values, last.values));
}
