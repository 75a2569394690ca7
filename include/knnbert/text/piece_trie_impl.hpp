#pragma once
#include <algorithm>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/piece_trie.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE PieceTrie::PieceTrie(const Vocabulary& vocabulary) : units_(257) {
  Pieces pieces;
  for (token_t id = 0; id < vocabulary.size(); ++id)
    if (const auto token = vocabulary.token(id); vocabulary.find(token) == id) pieces.emplace_back(token, id);
  std::sort(pieces.begin(), pieces.end());
  units_[0].parent = 0;
  std::vector<Range> open;
  if (!pieces.empty()) open.push_back({0, pieces.size(), 0, 0});
  while (!open.empty()) {
    const auto range = open.back();
    open.pop_back();
    add_children(pieces, range, open);
  }
}

inline void PieceTrie::add_children(const Pieces& pieces, const Range& range, std::vector<Range>& open) {
  auto [first, last, depth, node] = range;
  if (pieces[first].first.size() == depth) units_[node].id = pieces[first++].second;
  if (first == last) return;
  std::vector<unsigned char> bytes;
  std::vector<std::size_t> ends;
  for (auto at = first; at < last; ++at) {
    const auto byte = static_cast<unsigned char>(pieces[at].first[depth]);
    if (bytes.empty() || bytes.back() != byte) bytes.push_back(byte), ends.push_back(at);
    ends.back() = at + 1;
  }
  const auto base = find_base(bytes);
  units_[node].base = base;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto child = base + bytes[i];
    units_[child].parent = node;
    open.push_back({i == 0 ? first : ends[i - 1], ends[i], depth + 1, child});
  }
}

inline std::uint32_t PieceTrie::find_base(const std::vector<unsigned char>& bytes) {
  constexpr std::size_t most_trials = 1024;  // then the end of the array, so that no vocabulary takes long
  constexpr int most_failures = 8;           // then later ones: units that are left suit single bytes alone
  const auto is_free = [&](std::size_t unit) { return unit >= units_.size() || units_[unit].parent == none; };
  while (!is_free(first_free_)) ++first_free_;
  auto place = std::max<std::size_t>({first_free_, start_, bytes.front() + 1u});
  const auto is_open = [&](unsigned char byte) { return is_free(place - bytes.front() + byte); };
  const auto last = std::min(units_.size(), place + most_trials);
  while (place < last && !std::all_of(bytes.begin(), bytes.end(), is_open)) ++place;
  if (place < last) failures_ = 0;
  else if (last < units_.size() && (bytes.size() == 1 || ++failures_ == most_failures)) start_ = last, failures_ = 0;
  if (place == last) place = std::max(place, units_.size());
  const auto base = place - bytes.front();
  if (base > none - 257) raise<FormatError>("PieceTrie: a vocabulary of more prefixes than {} given", none - 257);
  units_.resize(std::max(units_.size(), base + 257));
  return static_cast<std::uint32_t>(base);
}

}  // namespace knnbert::inline v0_1
