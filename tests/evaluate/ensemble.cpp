#include "knnbert/evaluate/ensemble.hpp"

#include "catch.hpp"
#include "knnbert/model/new_head.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

using Model = Classifier<DefaultStack>;

Model changed(const std::filesystem::path& place, std::uint64_t seed) {
  auto model = tiny_classifier(place);
  fill_random(model.network().values(), seed, 0.3);
  model.index(tiny_data());
  return model;
}

}  // namespace

TEST_CASE("models vote by the mean of their distributions") {
  const TemporaryFolder folder;
  const Model a = changed(folder / "a", 1), b = changed(folder / "b", 2);
  const std::vector<const Model*> both{&a, &b}, one{&a};
  const auto mean = judge_together<DefaultStack>(both, tiny_data()).answers.distributions;
  const auto first = judge(a, tiny_data()).answers.distributions, second = judge(b, tiny_data()).answers.distributions;
  for (index_t i = 0; i < 40; ++i)
    for (index_t c = 0; c < 3; ++c) {
      CHECK(mean.head(i, c) == approx((first.head(i, c) + second.head(i, c)) / 2).margin(1e-6));
      CHECK(mean.knn(i, c) == approx((first.knn(i, c) + second.knn(i, c)) / 2).margin(1e-6));
      CHECK(mean.combined(i, c) == approx((first.combined(i, c) + second.combined(i, c)) / 2).margin(1e-6));
    }
  CHECK(judge_together<DefaultStack>(one, tiny_data()).evaluation.combined.accuracy.value ==
        evaluate(a, tiny_data()).combined.accuracy.value);
  CHECK_THROWS_AS(judge_together<DefaultStack>({}, tiny_data()), ShapeError);
}

TEST_CASE("an average of models has the mean of their parameters, and keys that these make") {
  const TemporaryFolder folder;
  Model a = changed(folder / "a", 1);
  const Model b = changed(folder / "b", 2), c = changed(folder / "c", 3);
  const ParameterBlock first = a.network().values();
  ModelAverage average(a);
  average.add(b), average.add(c);
  average.finish();
  const auto at = [](const ParameterBlock& values, index_t i) { return static_cast<double>(values.data()[i]); };
  double worst = 0;
  for (index_t i = 0; i < first.size(); ++i)
    worst = std::max(worst, std::abs((at(first, i) + at(b.network().values(), i) + at(c.network().values(), i)) / 3 -
                                     at(std::as_const(a).network().values(), i)));
  CHECK(worst < 1e-6);
  CHECK(a.datastore().size() == 40);
  CHECK(evaluate(a, tiny_data()).n == 40);  // keys of these parameters, or it would be refused
}

TEST_CASE("an ensemble needs the same classes, and texts to encode anew") {
  const TemporaryFolder folder;
  Model a = changed(folder / "a", 1);
  Model b = changed(folder / "b", 2);
  b.add(std::vector<std::string>{"rain"}, "weather");
  ModelAverage average(a);
  CHECK_THROWS_AS(average.add(b), FormatError);
  const std::vector<const Model*> both{&a, &b};
  CHECK_THROWS_AS(judge_together<DefaultStack>(both, tiny_data()), FormatError);
  Matrix keys(2, a.network().feature_width());
  keys.fill(0.1f);
  a.index(keys, std::vector<label_t>{0, 1});
  CHECK_THROWS_AS(ModelAverage(a), StateError);  // before anything changes
}

TEST_CASE("models of numbers on other scales have no average") {
  const TemporaryFolder folder;
  Model a = changed(folder / "a", 1), b = changed(folder / "b", 2);
  b.set_scale(100, 1);
  CHECK(contains(message_of<Error>([&] { ModelAverage(a).add(b); }), "mean 100"));
}

TEST_CASE("models whose heads know different numbers of classes have no average") {
  const TemporaryFolder folder;
  Model a = changed(folder / "a", 1), b = changed(folder / "b", 2);
  for (Model* model : {&a, &b}) model->add(std::vector<std::string>{"hello"}, "greeting");
  b.set_network(with_new_head(std::as_const(b).network(), 4));
  CHECK_THROWS_AS(ModelAverage(a).add(b), FormatError);
  CHECK_THROWS_AS(ModelAverage(b).add(a), FormatError);
}
