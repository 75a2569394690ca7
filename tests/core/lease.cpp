#include "knnbert/core/lease.hpp"

#include <atomic>
#include <set>
#include <thread>

#include "catch.hpp"

using namespace knnbert;

namespace {

struct Counted {
  static inline std::atomic<int> made = 0, alive = 0;
  Counted() { ++made, ++alive; }
  ~Counted() { --alive; }
  std::atomic<int> users = 0;
};

}  // namespace

TEST_CASE("lease: an object is kept for the next caller, and two callers never share one") {
  Counted::made = 0;
  LeasePool<Counted> pool;
  const Counted* first;
  {
    const auto lease = pool.lend();
    first = &*lease;
    const auto other = pool.lend();
    CHECK(&*other != first);
  }
  CHECK(Counted::made == 2);
  {
    auto a = pool.lend();
    const auto b = std::move(a);
    const auto c = pool.lend();
    CHECK(std::set<const Counted*>{&*b, &*c}.size() == 2);
  }
  CHECK(Counted::made == 2);
}

TEST_CASE("lease: concurrent callers have objects of their own") {
  Counted::made = 0;
  LeasePool<Counted> pool;
  std::atomic<int> clashes = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        const auto lease = pool.lend();
        clashes += ++lease->users != 1;
        --lease->users;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(clashes == 0);
  CHECK(Counted::made <= 4);
}

TEST_CASE("lease: what a rush needed goes when it is over, and no more than that") {
  LeasePool<Counted> pool;
  Counted::alive = 0;
  const auto use = [&](int at_once, int times) {
    for (int i = 0; i < times; ++i) {
      std::vector<LeasePool<Counted>::Lease> leases;
      for (int l = 0; l < at_once; ++l) leases.push_back(pool.lend());
    }
  };
  use(10, 1);
  CHECK(Counted::alive == 10);
  use(1, 200);
  CHECK(Counted::alive == 1);
  use(3, 100);
  Counted::made = 0;
  use(3, 1000);
  CHECK(Counted::made == 0);
  CHECK(Counted::alive == 3);
}

TEST_CASE("lease: an object that cannot be made costs the pool nothing") {
  struct Fragile {
    Fragile() { throw 1; }
  };
  LeasePool<Fragile> pool;
  for (int i = 0; i < 200; ++i) CHECK_THROWS_AS(pool.lend(), int);
}
