#pragma once
#include <algorithm>
#include <bit>

#include "knnbert/config.hpp"
#include "knnbert/text/byte_pair_merges.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// The order of a heap whose front is the least entry.
inline constexpr auto is_later = [](std::uint64_t a, std::uint64_t b) { return a > b; };

}  // namespace detail

KNNBERT_INLINE BytePairMerges::BytePairMerges(std::vector<Merge> merges)
    : merges_(std::move(merges)), slots_(std::bit_ceil(2 * merges_.size() + 2)),
      shift_(64 - std::countr_zero(slots_.size())) {
  std::int32_t rank = 0;
  for (const auto& merge : merges_) {
    const auto pair = key(merge.left, merge.right);
    auto slot = pair * 0x9e3779b97f4a7c15 >> shift_;
    while (slots_[slot].rank >= 0 && slots_[slot].pair != pair) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = {pair, rank++};
  }
}

inline void BytePairMerges::push(const token_t* ids, std::int32_t place, Scratch& scratch) const {
  const auto next = scratch.at[static_cast<std::size_t>(place)].second;
  if (next < 0) return;
  const auto found = rank(ids[place], ids[next]);
  if (found < 0) return;
  scratch.queue.push_back(key(found, place));
  std::push_heap(scratch.queue.begin(), scratch.queue.end(), detail::is_later);
}

KNNBERT_INLINE void BytePairMerges::apply(std::vector<token_t>& all, std::size_t first, Scratch& scratch) const {
  auto& queue = scratch.queue;
  auto& at = scratch.at;
  auto* const ids = all.data() + first;
  const auto count = static_cast<std::int32_t>(all.size() - first);
  queue.clear();
  at.clear();
  for (std::int32_t i = 0; i < count; ++i) at.emplace_back(i - 1, i + 1 < count ? i + 1 : -1);
  const auto around = [&](std::int32_t place) -> auto& { return at[static_cast<std::size_t>(place)]; };
  for (std::int32_t i = 0; i < count; ++i) push(ids, i, scratch);
  while (!queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), detail::is_later);
    const auto entry = queue.back();
    queue.pop_back();
    const auto place = static_cast<std::int32_t>(entry & 0xffffffff), wanted = static_cast<std::int32_t>(entry >> 32);
    const auto next = around(place).second;
    if (ids[place] < 0 || next < 0 || rank(ids[place], ids[next]) != wanted) continue;  // a neighbor has merged since
    ids[place] = merges_[static_cast<std::size_t>(wanted)].result;
    ids[next] = -1;
    around(place).second = around(next).second;
    if (around(place).second >= 0) around(around(place).second).first = place;
    if (around(place).first >= 0) push(ids, around(place).first, scratch);
    push(ids, place, scratch);
  }
  all.erase(std::remove(all.begin() + static_cast<index_t>(first), all.end(), -1), all.end());
}

}  // namespace knnbert::inline v0_1
