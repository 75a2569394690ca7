// Runs whose loss stops being a number.
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

/// Spoils the steps [first, last).
struct SpoiledSteps {
  static constexpr std::string_view name = "spoiler";
  std::uint64_t first, last;
  TermValue add(auto& context) const {
    return context.clock.step >= first && context.clock.step < last ? std::numeric_limits<float>::quiet_NaN() : 0.0f;
  }
};

std::string message_of_run(index_t epochs, index_t batch_size, const SpoiledSteps& spoiler) {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.epochs = epochs, options.batch_size = batch_size;
  return message_of<Error>([&] { train(folder.path(), options, {}, -1, 1, CrossEntropy{}, spoiler); });
}

}  // namespace

TEST_CASE("divergence: a run without a finite step for twenty steps, or for an epoch, ends with advice") {
  CHECK(contains(message_of_run(3, 2, {3, 1000}),
                 "20 steps in a row had no finite loss and gradient, a smaller TrainerOptions::learning_rate than "
                 "0.003 expected"));
  CHECK(contains(message_of_run(9, 8, {0, 1000}),  // all five of the first epoch
                 "5 steps in a row had no finite loss and gradient, terms that give them expected"));
  CHECK(contains(message_of_run(9, 8, {5, 10}), "5 steps in a row"));
}

TEST_CASE("divergence: fewer are skipped") {
  CHECK(message_of_run(2, 2, {3, 22}) == "nothing thrown");
  CHECK(message_of_run(9, 8, {1, 9}) == "nothing thrown");
}

TEST_CASE("divergence: keys that are not finite are a skipped step") {
  const TemporaryFolder folder;
  auto options = tiny_training();
  options.learning_rate = 1e12f;
  CHECK(contains(message_of<Error>([&] { train(folder.path(), options, {}, -1, 1, CrossEntropy{}, tiny_contrast()); }),
                 "steps in a row had no finite loss and gradient, a smaller TrainerOptions::learning_rate than"));
}
