#pragma once
#include "knnbert/config.hpp"
#include "knnbert/distributed/team.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void gather_rows(const Team& team, View rows) {
  if (team.size() == 1) return;
  std::vector<float> dense(static_cast<std::size_t>(rows.rows() * rows.cols()));
  const View all(dense.data(), rows.rows(), rows.cols());
  const Range own = team.own_range(rows.rows());
  copy(rows.row_range(own.begin, own.end - own.begin), all.row_range(own.begin, own.end - own.begin));
  std::vector<index_t> ends;
  for (index_t r = 0; r < team.size(); ++r)
    ends.push_back(team.range_of(r, rows.rows()).end * rows.cols() * static_cast<index_t>(sizeof(float)));
  team.all_gather(std::as_writable_bytes(std::span(dense)), ends);
  copy(all, rows);
}

KNNBERT_INLINE void require_same(const Team& team, std::string_view what, std::uint64_t number) {
  if (team.size() == 1) return;
  const auto all = gather_values(team, std::span<const std::uint64_t>(&number, 1));
  for (std::size_t r = 0; r < all.size(); ++r)
    if (all[r] != all.front())
      raise<CommunicationError>("{}: rank {} has others than rank 0, the same expected", what, r);
}

}  // namespace knnbert::inline v0_1
