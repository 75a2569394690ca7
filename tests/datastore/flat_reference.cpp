// Neighbors against Faiss: tests/reference/losses.py writes the dump.
#include "../dump.hpp"
#include "knnbert/datastore/flat.hpp"
#include "knnbert/metric/euclidean.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

/// Where two neighbors are closer to each other than rounding, their order is free.
template <class Metric, class Convert>
void check(const SafeTensors& dump, const std::string& name, Convert&& score_of) {
  const Matrix keys = matrix_of(dump, "keys"), queries = matrix_of(dump, "queries"),
               scores = matrix_of(dump, name + ".scores");
  const auto ids = dump.at(name + ".ids").as_int64s();
  FlatDatastore<Metric> store(keys.cols());
  store.add(keys, std::vector<label_t>(static_cast<std::size_t>(keys.rows()), 0));
  const auto found = store.search(queries, scores.cols());
  double worst = 0;
  index_t exchanged = 0;
  for (index_t q = 0; q < queries.rows(); ++q) {
    REQUIRE(std::ssize(found[q]) == scores.cols());
    for (index_t j = 0; j < scores.cols(); ++j) {
      const Neighbor& n = found[q][static_cast<std::size_t>(j)];
      worst = std::max(worst, std::abs(n.score - score_of(scores(q, j))));
      exchanged += n.id != ids[static_cast<std::size_t>(q * scores.cols() + j)];
    }
  }
  CAPTURE(name, exchanged);
  CHECK(worst < 1e-5);  // equal scores at every rank: another id there is a tie
  CHECK(exchanged <= 8);
}

}  // namespace

TEST_CASE("neighbors agree with Faiss", "[datastore][reference]") {
  const auto dump = open_dump("neighbors.safetensors");
  if (!dump) return;
  check<Cosine>(*dump, "cosine", [](double s) { return s; });
  check<Euclidean>(*dump, "euclidean", [](double square) { return -std::sqrt(square); });
}
