#include "knnbert/evaluate/judge.hpp"

#include "catch.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert;
using namespace knnbert_test;

TEST_CASE("a model is evaluated on labeled texts, whatever the order of their classes") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.set_neighbors(1);
  const Evaluation own = evaluate(model, tiny_data());
  CHECK(own.n == 40);
  CHECK(own.classes == tiny_classes);
  CHECK(own.knn.accuracy.value == 1);  // each text finds itself
  const Dataset data = tiny_data();
  std::vector<Example> examples;
  for (index_t i = 0; i < data.size(); ++i)
    examples.push_back({data.text(i), {}, static_cast<label_t>(2 - data.label(i))});
  const Dataset other(std::move(examples), {"rate", "money", "card"});
  CHECK(evaluate(model, other).knn.accuracy.value == 1);
  const Judged judged = judge(model, other);
  CHECK(judged.data.classes() == tiny_classes);
  CHECK(judged.answers.distributions.combined.rows() == 40);
}

TEST_CASE("texts without labels, of unknown classes, and none at all are refused") {
  const TemporaryFolder folder;
  const auto model = tiny_classifier(folder.path());
  CHECK_THROWS_AS(evaluate(model, Dataset({}, {"card"})), FormatError);
  CHECK_THROWS_AS(evaluate(model, Dataset({{"lost card"}}, {"card"})), ShapeError);
  CHECK_THROWS_AS(evaluate(model, Dataset({{"lost card", {}, 0}}, {"weather"})), FormatError);
}
