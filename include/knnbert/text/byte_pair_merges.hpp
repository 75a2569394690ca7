#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Pairs of neighboring tokens that become one, the earlier ones of a list first.  Thread-safe.
/// Source: Sennrich et al. 2016, section 3.2.
class BytePairMerges {
 public:
  struct Merge {
    token_t left = -1, right = -1, result = -1;
  };

  /// Memory of one caller at a time, reused from word to word.
  struct Scratch {
    std::vector<std::uint64_t> queue;                       // heap of rank and place, the least first
    std::vector<std::pair<std::int32_t, std::int32_t>> at;  // places of the token before and behind each, -1 for none
  };

  /// Of equal pairs the last one counts.
  explicit BytePairMerges(std::vector<Merge> merges);

  const std::vector<Merge>& merges() const { return merges_; }

  /// Merges ids[first, size) until no pair is left: always the one of least rank, of equal ones the leftmost.
  /// Cost: n log n for n tokens.
  void apply(std::vector<token_t>& ids, std::size_t first, Scratch& scratch) const;

 private:
  static std::uint64_t key(token_t left, token_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }

  /// Rank of a pair, -1 if it does not merge.
  std::int32_t rank(token_t left, token_t right) const {
    const auto wanted = key(left, right);
    for (auto slot = wanted * 0x9e3779b97f4a7c15 >> shift_;; slot = (slot + 1) & (slots_.size() - 1)) {
      const auto found = slots_[slot];
      if (found.rank < 0 || found.pair == wanted) return found.rank;
    }
  }

  /// Puts the pair that begins at a place into the queue, if it merges.
  void push(const token_t* ids, std::int32_t place, Scratch& scratch) const;

  struct Slot {
    std::uint64_t pair = 0;
    std::int32_t rank = -1;
  };

  std::vector<Merge> merges_;  // by rank
  std::vector<Slot> slots_;    // at most half full
  int shift_ = 0;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/byte_pair_merges_impl.hpp"
#endif
