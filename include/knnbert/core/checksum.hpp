#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "knnbert/core/rng.hpp"

namespace knnbert::inline v0_1 {

/// 16 hexadecimal digits that change with any bit of some bytes, however they are cut into pieces. Not cryptographic.
/// Cost: a multiplication every four bytes, four of them at a time.
class Checksum {
 public:
  void update(std::span<const std::byte> bytes) {
    size_ += bytes.size();
    if (kept_ > 0) {
      const std::size_t taken = std::min(bytes.size(), block - kept_);
      if (taken > 0) std::memcpy(rest_ + kept_, bytes.data(), taken);
      bytes = bytes.subspan(taken);
      if ((kept_ += taken) < block) return;
      mix(rest_, 1);
    }
    const std::size_t blocks = bytes.size() / block;
    mix(bytes.data(), blocks);
    bytes = bytes.subspan(blocks * block);
    kept_ = bytes.size();
    if (kept_ > 0) std::memcpy(rest_, bytes.data(), kept_);
  }
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }

  std::string digits() const {
    Checksum whole = *this;
    if (kept_ > 0) {
      std::memset(whole.rest_ + kept_, 0, block - kept_);
      whole.mix(whole.rest_, 1);
    }
    std::uint64_t hash = (size_ / 4) ^ (static_cast<std::uint64_t>(size_ % 4) << 62);
    for (const auto lane : whole.lanes_) hash = mix_bits(hash ^ lane);
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[(hash >> shift) & 15];
    return text;
  }

 private:
  static constexpr std::size_t block = 16;

  void mix(const std::byte* bytes, std::size_t blocks) {
    std::uint64_t lanes[4] = {lanes_[0], lanes_[1], lanes_[2], lanes_[3]};
    for (; blocks > 0; --blocks, bytes += block) {
      std::uint32_t words[4];
      std::memcpy(words, bytes, block);
      for (int j = 0; j < 4; ++j) lanes[j] = (lanes[j] ^ words[j]) * 0x9e3779b97f4a7c15u + (lanes[j] >> 47);
    }
    std::memcpy(lanes_, lanes, sizeof lanes_);
  }

  std::uint64_t lanes_[4] = {1, 2, 3, 4};  // independent chains hide the latency of the multiplications
  std::byte rest_[block] = {};             // the first kept_ of them: a block that has begun
  std::size_t kept_ = 0, size_ = 0;
};

}  // namespace knnbert::inline v0_1
