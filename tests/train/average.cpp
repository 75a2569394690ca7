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

namespace {

/// A fusion that fails when dev data are scored for the second time.
struct FailingFusion : ConvexFusion {
  static inline index_t left = 0;
  void operator()(std::span<const float> head, std::span<const float> knn, std::span<float> out) const {
    if (left-- == 0) throw std::runtime_error("no score");
    ConvexFusion::operator()(head, knn, out);
  }
};
struct FailingFusionStack : DefaultStack {
  using fusion_type = FailingFusion;
};

}  // namespace

TEST_CASE("values_to_evaluate: where dev scores fail, the model has the values of the last step") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const Dataset dev = tiny_data(17, 8);
  TrainerOptions options = tiny_training();
  const auto trained = [&](auto... terms) {
    Classifier<FailingFusionStack> model(folder / "encoder", tiny_classes, tiny_options());
    FailingFusion::left = dev.size();
    CHECK_THROWS_AS(Trainer(model, options, std::move(terms)...).fit(tiny_data(), dev), std::runtime_error);
    return std::as_const(model).network().values();
  };
  const auto plain = trained(CrossEntropy{}), averaged = trained(CrossEntropy{}, AveragedValues{.keep = 1});
  CHECK(std::equal(plain.data(), plain.data() + plain.size(), averaged.data()));
}
