#include "knnbert/queue/class_balanced.hpp"

#include "catch.hpp"
#include "knnbert/metric/euclidean.hpp"
#include "knnbert/metric/pairwise.hpp"
#include "knnbert/queue/clustered.hpp"
#include "knnbert/queue/memory_bank.hpp"
#include "knnbert/testing/queue_laws.hpp"

using namespace knnbert;
using knnbert::testing::random_rows;
using Labels = std::vector<label_t>;

static_assert(Queue<FifoQueue<>> && Queue<ClassBalancedQueue<>> && Queue<MemoryBank<>> && Queue<ClusteredQueue<>>);
static_assert(Queue<FifoQueue<Euclidean>>);
static_assert(PositivePolicy<MostAndLeastSimilar> && PositivePolicy<RandomPositives> && PositivePolicy<OnePositive>);

namespace {

/// Keys (i, 0), so that a key tells when it was pushed.
Matrix numbered(index_t first, index_t count) {
  Matrix keys(count, 2);
  for (index_t i = 0; i < count; ++i) keys(i, 0) = static_cast<float>(first + i);
  return keys;
}

struct SwallowsErrors : FifoQueue<> {
  using FifoQueue::FifoQueue;
  void push(ConstView keys, std::span<const label_t> labels) {
    try {
      FifoQueue::push(keys, labels);
    } catch (const Error&) {}
  }
};

template <class Q>
std::vector<int> numbers(const Q& queue) {
  std::vector<int> all;
  for (index_t i = 0; i < queue.size(); ++i) all.push_back(static_cast<int>(queue.key(i)[0]));
  return all;
}

}  // namespace

TEST_CASE("queues keep their laws", "[queue]") {
  const index_t width = GENERATE(3, 24);
  CHECK(testing::queue_laws([&] { return FifoQueue<>(20, width); }) == testing::BrokenLaws{});
  CHECK(testing::queue_laws([&] { return FifoQueue<Dot>(9, width); }) == testing::BrokenLaws{});
  CHECK(testing::queue_laws([&] { return FifoQueue<Euclidean>(20, width); }) == testing::BrokenLaws{});
  CHECK(testing::queue_laws([&] { return ClassBalancedQueue<>(21, width, 2); }) == testing::BrokenLaws{});
  CHECK(testing::queue_laws([&] { return MemoryBank<>(20, width); }) == testing::BrokenLaws{});
  CHECK(testing::queue_laws([&] { return ClusteredQueue<>(20, width, 2); }) == testing::BrokenLaws{});
}

TEST_CASE("the queue laws can be broken", "[queue]") {
  CHECK(testing::queue_laws([] { return SwallowsErrors(20, 5); }) ==
        testing::BrokenLaws{"non-finite keys are refused and change nothing"});
}

TEST_CASE("FifoQueue wraps around", "[queue]") {
  FifoQueue<Dot> queue(5, 2);
  queue.push(numbered(0, 3), Labels{0, 1, 0});
  CHECK(numbers(queue) == std::vector{0, 1, 2});
  queue.push(numbered(3, 4), Labels{1, 0, 1, 0});
  CHECK(numbers(queue) == std::vector{5, 6, 2, 3, 4});
  CHECK(Labels(queue.labels().begin(), queue.labels().end()) == Labels{1, 0, 0, 1, 0});
  queue.push(numbered(7, 13), Labels(13, 1));  // more than fit: the last five
  CHECK(numbers(queue) == std::vector{15, 16, 17, 18, 19});
  queue.push(numbered(20, 1), Labels{0});
  CHECK(numbers(queue) == std::vector{20, 16, 17, 18, 19});
}

TEST_CASE("ClassBalancedQueue gives every class its own ring", "[queue]") {
  ClassBalancedQueue<Dot> queue(7, 2, 3);  // two keys a class, one slot unused
  CHECK(queue.capacity_per_class() == 2);
  queue.push(numbered(0, 6), Labels{0, 0, 0, 0, 2, 0});
  CHECK(numbers(queue) == std::vector{5, 3, 4});
  CHECK(queue.size_of(0) == 2);
  CHECK(queue.size_of(1) == 0);
  queue.push(numbered(6, 3), Labels{1, 2, 2});
  CHECK(numbers(queue) == std::vector{5, 3, 8, 6, 7});
  CHECK_THROWS_AS(queue.push(numbered(0, 2), Labels{0, 3}), ShapeError);
  CHECK(numbers(queue) == std::vector{5, 3, 8, 6, 7});
  CHECK_THROWS_AS(ClassBalancedQueue<>(2, 4, 3), OptionError);
}

TEST_CASE("MemoryBank keeps its first keys", "[queue]") {
  MemoryBank<Dot> bank(4, 2);
  bank.push(numbered(0, 2), Labels{0, 1});
  CHECK_FALSE(bank.frozen());
  bank.push(numbered(2, 5), Labels(5, 0));
  CHECK(bank.frozen());
  bank.push(numbered(9, 1), Labels{1});
  CHECK(numbers(bank) == std::vector{0, 1, 2, 3});
  MemoryBank<Dot> early(4, 2);
  early.push(numbered(0, 1), Labels{0});
  early.freeze();
  early.push(numbered(1, 1), Labels{0});
  CHECK(numbers(early) == std::vector{0});
}

TEST_CASE("ClusteredQueue encodes class and cluster in one label", "[queue]") {
  ClusteredQueue<Dot> queue(4, 2, 3);
  CHECK(queue.encode(2, 5) == 17);
  CHECK_THROWS_AS(queue.encode(3, 0), ShapeError);
  CHECK_THROWS_AS(queue.encode(0, index_t{1} << 40), ShapeError);
  queue.push(numbered(0, 1), Labels{17});
  CHECK(queue.label_of(0) == 2);
  CHECK(queue.cluster_of(0) == 5);
  const ClusterMask mask{3, ClusterRule::conjunction}, reference{3, ClusterRule::xnor};
  CHECK((mask.positive(17, 17) && !mask.negative(17, 17)));
  CHECK((!mask.positive(17, 14) && !mask.negative(17, 14)));           // same class, other cluster: neither
  CHECK((!mask.positive(17, 16) && mask.negative(17, 16)));            // other class, same cluster
  CHECK((!mask.positive(17, 13) && mask.negative(17, 13)));            // both differ
  CHECK((reference.positive(17, 13) && !reference.negative(17, 13)));  // both differ: positive in the released code
  CHECK((!reference.positive(17, 14) && reference.negative(17, 14)));
}

TEST_CASE("queues refuse what does not fit", "[queue]") {
  FifoQueue<> queue(4, 3);
  CHECK_THROWS_AS(queue.push(Matrix(2, 3), Labels{0}), ShapeError);
  CHECK_THROWS_AS(queue.push(Matrix(1, 2), Labels{0}), ShapeError);
  CHECK_THROWS_AS(queue.push(Matrix(1, 3), Labels{-1}), ShapeError);
  CHECK_THROWS_AS(FifoQueue<>(0, 3), OptionError);
  CHECK(queue.size() == 0);
}

TEST_CASE("an archive that does not fit is refused and changes nothing", "[queue]") {
  FifoQueue<Dot> queue(5, 2);
  queue.push(numbered(0, 7), Labels(7, 1));
  const auto spoil = [&](auto&& change) {
    testing::MemoryArchive archive;
    queue.archive(archive);
    change(archive);
    archive.rewind();
    CHECK_THROWS_AS(queue.archive(archive), Error);
    CHECK(numbers(queue) == std::vector{5, 6, 2, 3, 4});
  };
  spoil([](auto& a) { a.integers("next") = {5}; });
  spoil([](auto& a) { a.integers("next") = {-1}; });
  spoil([](auto& a) { a.floats("keys").pop_back(); });
  spoil([](auto& a) { a.floats("keys")[3] = std::numeric_limits<float>::infinity(); });
  spoil([](auto& a) { a.integers("labels")[0] = -2; });
  spoil([](auto& a) { a.integers("labels")[0] = std::int64_t{1} << 40; });
  spoil([](auto& a) { a.integers("labels").push_back(0), a.floats("keys").resize(12); });
  ClassBalancedQueue<Dot> two(6, 2, 2), three(6, 2, 3);
  two.push(numbered(0, 2), Labels{0, 1});
  testing::MemoryArchive archive;
  two.archive(archive);
  archive.rewind();
  CHECK_THROWS_AS(three.archive(archive), FormatError);  // another label set
}
