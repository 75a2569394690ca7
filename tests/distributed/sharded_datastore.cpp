#include "knnbert/distributed/sharded_datastore.hpp"
#include "distributed/thread_team.hpp"
#include "knnbert/datastore/flat.hpp"
#include "knnbert/metric/dot.hpp"
#include "knnbert/testing/datastore_laws.hpp"

using namespace knnbert_test;

TEST_CASE("sharded datastore: the laws of a datastore on every process") {
  for (const index_t size : {1, 2, 3, 5}) {
    CAPTURE(size);
    std::vector<testing::BrokenLaws> broken(static_cast<std::size_t>(size));
    run_team(size, [&](ThreadCommunicator& c) {
      broken[static_cast<std::size_t>(c.rank())] =
          testing::datastore_laws([&] { return ShardedDatastore(FlatDatastore<Cosine>(24), c); });
    });
    for (const auto& laws : broken)
      for (const auto& law : laws) FAIL_CHECK(law);
  }
}

TEST_CASE("sharded datastore: ties are broken by id across shards; k beyond a shard's size") {
  Matrix keys(7, 4), query(1, 4);
  keys.fill(1), query.fill(1);
  const std::vector<label_t> labels(7, 0);
  run_team(3, [&](ThreadCommunicator& c) {
    ShardedDatastore store(FlatDatastore<Dot>(4), c);
    store.add(keys, labels);
    const auto found = store.search(query, 5);
    std::vector<example_id> ids;
    for (const Neighbor& n : found[0]) ids.push_back(n.id);
    if (ids != std::vector<example_id>{0, 1, 2, 3, 4}) throw std::runtime_error("other ids");
    if (store.search(query, 100)[0].size() != 7) throw std::runtime_error("not all found");
    if (store.shard().size() > 3) throw std::runtime_error("more than a share");
  });
}
