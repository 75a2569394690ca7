#include "knnbert/testing/archetypes.hpp"

#include "catch.hpp"
#include "knnbert/datastore/flat.hpp"
#include "knnbert/queue/class_balanced.hpp"
#include "knnbert/queue/clustered.hpp"
#include "knnbert/queue/memory_bank.hpp"

using namespace knnbert;
using namespace knnbert::testing;

TEST_CASE("queues and datastores ask of a metric what its concept says", "[metric]") {
  FlatDatastore<MetricArchetype> store(2);
  store.add(Matrix(3, 2), std::vector<label_t>{0, 1, 2});
  CHECK(store.search(Matrix(1, 2), 5)[0].size() == 3);
  FifoQueue<MetricArchetype> plain(4, 2);  // no gradients: holds keys, has no contrast
  plain.push(Matrix(1, 2), std::vector<label_t>{0});
  CHECK(plain.size() == 1);

  const auto contrasts = [](auto queue) {
    queue.push(Matrix(2, 2), std::vector<label_t>{0, 1});
    Matrix d(1, 2);
    return queue.contrast(Matrix(1, 2), std::vector<label_t>{1}, {}, Rng(0, Stream::positives), d).present();
  };
  using Different = DifferentiableMetricArchetype;
  CHECK(contrasts(FifoQueue<Different>(4, 2)));
  CHECK(contrasts(ClassBalancedQueue<Different>(4, 2, 2)));
  CHECK(contrasts(MemoryBank<Different>(4, 2)));
  CHECK(contrasts(ClusteredQueue<Different>(4, 2, 2)));
  FifoQueue<Different> queue(4, 2);
  Matrix d(1, 2);
  CHECK_FALSE(
      queue.contrast(Matrix(1, 2), std::vector<label_t>{1}, {}, Rng(0, Stream::positives), d, PositivePolicyArchetype{})
          .present());
}
