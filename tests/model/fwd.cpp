#include <cstddef>

#include "knnbert/fwd.hpp"

// As a header of a user's declares it.
std::size_t neighbors_of(const knnbert::Classifier<>& model, const knnbert::Prediction& prediction);

#include "model/tiny_model.hpp"

using namespace knnbert_test;

std::size_t neighbors_of(const Classifier<>&, const Prediction& prediction) { return prediction.neighbors.size(); }

TEST_CASE("forward declarations name the default classifier") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  CHECK(neighbors_of(model, model.predict("lost card")) == 5);
}
