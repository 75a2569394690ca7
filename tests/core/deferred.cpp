#include "knnbert/core/deferred.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include "catch.hpp"

using knnbert::Deferred;

TEST_CASE("Deferred: a number is read once, when it is asked for") {
  int reads = 0;
  const Deferred<float> number([&] { return ++reads, 2.5f; });
  CHECK_FALSE(number.known());
  CHECK(reads == 0);
  CHECK(number + 1 == 3.5f);
  CHECK(static_cast<float>(number) == 2.5f);
  CHECK(reads == 1);
  CHECK(number.known());
  CHECK(Deferred<double>().known());
  CHECK(Deferred<double>() == 0.0);
}

TEST_CASE("Deferred: sums and functions of numbers are deferred as these are") {
  int reads = 0;
  const Deferred<float> late([&] { return ++reads, 2.0f; });
  Deferred<float> sum = 1;
  sum += 3.0f;
  CHECK(sum.known());
  CHECK(sum == 4.0f);
  sum += late;
  const Deferred<bool> positive = sum.then([](float x) { return x > 5; });
  CHECK_FALSE(sum.known());
  CHECK_FALSE(positive.known());
  CHECK(reads == 0);
  CHECK(positive);
  CHECK(sum == 6.0f);
  CHECK(Deferred<float>(3).then([](float x) { return 2 * x; }).known());
}

TEST_CASE("Deferred: a read that fails can be tried again") {
  int reads = 0;
  const Deferred<int> number([&] {
    if (++reads == 1) throw 7;
    return 5;
  });
  CHECK_THROWS_AS(static_cast<int>(number), int);
  CHECK_FALSE(number.known());
  CHECK(static_cast<int>(number) == 5);
}

TEST_CASE("Deferred: threads and copies share one reading") {
  std::atomic<int> reads{0};
  const Deferred<int> number([&] { return ++reads, 7; });
  const Deferred<int> copy = number;
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { sum += i % 2 ? static_cast<int>(number) : static_cast<int>(copy); });
  for (auto& thread : threads) thread.join();
  CHECK(sum == 56);
  CHECK(reads == 1);
  CHECK(copy.known());
}
