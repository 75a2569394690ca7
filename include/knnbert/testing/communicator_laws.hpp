#pragma once
#include <algorithm>

#include "knnbert/distributed/team.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

/// Numbers of a process, such that the order of a sum shows in its last bits.
inline std::vector<float> numbers_of(index_t rank, index_t count) {
  std::vector<float> numbers;
  const Rng rng = Rng(61, Stream::noise).fork(static_cast<std::uint64_t>(rank));
  for (index_t i = 0; i < count; ++i) numbers.push_back(static_cast<float>(rng.normal(static_cast<std::uint64_t>(i))));
  return numbers;
}

template <Communicator C>
bool same_everywhere(C& communicator, std::span<const float> values) {
  std::vector<float> others(values.begin(), values.end());
  communicator.broadcast(std::as_writable_bytes(std::span(others)), communicator.size() - 1);
  return std::equal(values.begin(), values.end(), others.begin(), others.end());
}

template <Communicator C>
void check_sums(BrokenLaws& broken, C& communicator, index_t count) {
  const index_t rank = communicator.rank(), size = communicator.size();
  const auto own = numbers_of(rank, count);
  std::vector<double> expected(static_cast<std::size_t>(count));
  for (index_t r = 0; r < size; ++r) {
    const auto others = numbers_of(r, count);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += others[i];
  }
  auto sums = own, again = own, later = own;
  communicator.all_reduce(sums);
  communicator.all_reduce(again);
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(expected[i] - sums[i]));
  expect(broken, worst < 1e-5, "all_reduce sums {} values (error {})", count, worst);
  expect(broken, size > 1 || sums == own, "a process on its own keeps its values");
  expect(broken, sums == again, "all_reduce repeats its bits");
  expect(broken, same_everywhere(communicator, sums), "all_reduce gives all processes the same bits");
  const auto middle = std::span(later).first(later.size() / 3);
  communicator.start_all_reduce(std::span(later).subspan(middle.size()));
  communicator.start_all_reduce(middle);
  communicator.wait();
  worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(expected[i] - later[i]));
  expect(broken, worst < 1e-5, "what was started is summed after wait (error {})", worst);
  expect(broken, same_everywhere(communicator, later), "start_all_reduce gives all processes the same bits");
}

}  // namespace detail

/// The laws of Communicator; all processes call it.
template <Communicator C>
BrokenLaws communicator_laws(C& communicator) {
  BrokenLaws broken;
  const index_t rank = communicator.rank(), size = communicator.size();
  expect(broken, size >= 1 && rank >= 0 && rank < size, "rank {} is one of {}", rank, size);
  for (const index_t count : {0, 1, 3, 1000, 300000}) detail::check_sums(broken, communicator, count);

  for (index_t root = 0; root < size; ++root) {
    auto values = detail::numbers_of(rank, 100);
    communicator.broadcast(std::as_writable_bytes(std::span(values)), root);
    expect(broken, values == detail::numbers_of(root, 100), "broadcast gives everybody what {} has", root);
  }

  const Team team(communicator);
  const auto own = detail::numbers_of(rank, 3 * rank);  // none of process 0
  std::vector<float> expected;
  for (index_t r = 0; r < size; ++r)
    for (const float value : detail::numbers_of(r, 3 * r)) expected.push_back(value);
  expect(broken, gather_values(team, std::span<const float>(own)) == expected,
         "all_gather keeps the order of the processes");

  for (const index_t count : {index_t{0}, index_t{1}, size, 5 * size + 1}) {
    Matrix all = random_rows(count, 5, 62), rows = all;
    for (index_t i = 0; i < count; ++i)
      if (const Range mine = team.own_range(count); i < mine.begin || i >= mine.end)
        std::fill(rows.row(i).begin(), rows.row(i).end(), -1.0f);
    gather_rows(team, rows);
    expect(broken, same_bits(all, rows), "{} rows computed by several come together", count);
  }
  for (int i = 0; i < 3; ++i) communicator.barrier();
  expect(broken, !team.any(false) && team.any(rank == size - 1), "any() hears the last process");
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
