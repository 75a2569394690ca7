#include "knnbert/core/parallel.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "catch.hpp"

using namespace knnbert;

namespace {

struct Stopped {
  index_t at;
};

/// Runs a loop that counts visits; true if every index was visited once and every worker number was in range.
bool visits_all_once(const Workers& workers, index_t count) {
  std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
  std::atomic<bool> in_range = true;
  workers.for_each(count, [&](index_t i, index_t worker) {
    ++visits[static_cast<std::size_t>(i)];
    if (worker < 0 || worker >= workers.size()) in_range = false;
  });
  for (const auto& v : visits)
    if (v != 1) return false;
  return in_range;
}

}  // namespace

TEST_CASE("workers: every index runs once, for any number of threads") {
  for (const index_t threads : {1, 2, 3, 8}) {
    const Workers workers(threads);
    CHECK(workers.size() == threads);
    for (const index_t count : {0, 1, 2, 7, 8, 9, 1000}) CHECK(visits_all_once(workers, count));
  }
  CHECK_THROWS_AS(Workers(0), OptionError);
  CHECK_THROWS_AS(Workers(-1), OptionError);
}

TEST_CASE("workers: thousands of short loops, and a team that never works") {
  const Workers workers(4), idle(4);
  index_t sum = 0;
  for (index_t loop = 0; loop < 3000; ++loop) {
    std::vector<index_t> out(5);
    workers.for_each(5, [&](index_t i, index_t) { out[static_cast<std::size_t>(i)] = loop + i; });
    for (const index_t value : out) sum += value;
  }
  CHECK(sum == 5 * (2999 * 3000 / 2) + 3000 * 10);
}

TEST_CASE("workers: a worker number belongs to one thread at a time") {
  const Workers workers(4);
  std::vector<std::atomic<int>> users(4);
  std::atomic<int> clashes = 0;
  for (int loop = 0; loop < 50; ++loop)
    workers.for_each(64, [&](index_t, index_t worker) {
      clashes += ++users[static_cast<std::size_t>(worker)] != 1;
      std::this_thread::yield();
      --users[static_cast<std::size_t>(worker)];
    });
  CHECK(clashes == 0);
}

TEST_CASE("workers: an exception reaches the caller, whoever threw it, and the team goes on") {
  for (const index_t threads : {1, 2, 4}) {
    const Workers workers(threads);
    for (index_t at = 0; at < 20; ++at) {
      index_t caught = -1;
      try {
        workers.for_each(20, [&](index_t i, index_t) {
          if (i == at) throw Stopped{i};
        });
      } catch (const Stopped& stopped) { caught = stopped.at; }
      CHECK(caught == at);
    }
    CHECK_THROWS_AS(workers.for_each(100, [](index_t i, index_t) { throw Stopped{i}; }), Stopped);
    CHECK(visits_all_once(workers, 50));
  }
}

TEST_CASE("workers: no iteration starts once a failure is known") {
  const Workers workers(2);
  std::atomic<index_t> started = 0;
  CHECK_THROWS_AS(workers.for_each(1000,
                                   [&](index_t i, index_t) {
                                     ++started;
                                     if (i == 0) throw Stopped{i};
                                     std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                   }),
                  Stopped);
  CHECK(started < 1000);
}

TEST_CASE("workers: a loop inside a loop is run by the thread that started it") {
  for (const index_t threads : {1, 3}) {
    const Workers workers(threads);
    std::atomic<index_t> inner = 0;
    std::atomic<bool> alone = true;
    workers.for_each(8, [&](index_t, index_t) {
      const auto self = std::this_thread::get_id();
      workers.for_each(10, [&](index_t, index_t worker) {
        ++inner;
        if (std::this_thread::get_id() != self || worker != 0) alone = false;
      });
    });
    CHECK(inner == 80);
    CHECK(alone);
    CHECK(visits_all_once(workers, 30));
  }
}

TEST_CASE("workers: a failure in an inner loop leaves through the outer one") {
  const Workers workers(3);
  CHECK_THROWS_AS(
      workers.for_each(4, [&](index_t, index_t) { workers.for_each(4, [](index_t i, index_t) { throw Stopped{i}; }); }),
      Stopped);
  CHECK(visits_all_once(workers, 30));
}

TEST_CASE("workers: several callers at once all finish their loops") {
  const Workers workers(3);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&, caller] {
      for (index_t loop = 0; loop < 300; ++loop) {
        std::vector<index_t> out(17, -1);
        workers.for_each(17, [&](index_t i, index_t) { out[static_cast<std::size_t>(i)] = caller * 1000 + loop + i; });
        for (index_t i = 0; i < 17; ++i) wrong += out[static_cast<std::size_t>(i)] != caller * 1000 + loop + i;
      }
    });
  for (auto& thread : callers) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("workers: results written by the team are visible to the caller") {
  const Workers workers(4);
  std::vector<double> values(1000);
  for (int loop = 0; loop < 100; ++loop) {
    workers.for_each(1000, [&](index_t i, index_t) { values[static_cast<std::size_t>(i)] += 1; });
    for (const double v : values) REQUIRE(v == loop + 1);
  }
}

TEST_CASE("workers: a child process works alone and ends") {
  auto workers = std::make_unique<Workers>(3);
  CHECK(visits_all_once(*workers, 50));
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);  // a child that waits for threads it does not have
    auto own = std::make_unique<Workers>(2);
    bool right = true;
    for (const auto& each : {workers.get(), own.get()}) right = right && visits_all_once(*each, 50);
    own.reset(), workers.reset();
    ::_exit(right ? 0 : 1);
  }
  REQUIRE(child > 0);
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(visits_all_once(*workers, 50));
}
