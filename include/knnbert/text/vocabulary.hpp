#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Tokens and their ids: ids are positions, the text of all tokens lies in one block, look-up is one flat hash table.
/// An empty string marks an unused id and is never found; of equal tokens the last one is found.
class Vocabulary {
 public:
  /// Hash of a string, one byte at a time, so that one pass gives the hashes of all its prefixes.
  static constexpr std::uint64_t empty_hash = 0xcbf29ce484222325;
  static constexpr std::uint64_t extend(std::uint64_t hash, char byte) {
    return (hash ^ static_cast<unsigned char>(byte)) * 0x9e3779b97f4a7c15;
  }
  static constexpr std::uint64_t hash(std::string_view text) {
    std::uint64_t value = empty_hash;
    for (const char byte : text) value = extend(value, byte);
    return value;
  }

  Vocabulary() : Vocabulary(std::span<const std::string>()) {}

  /// Errors: OptionError for more tokens than ids.
  explicit Vocabulary(std::span<const std::string> tokens);

  index_t size() const { return std::ssize(ends_); }

  /// Text of a token, empty for an unused id.  Errors: OptionError.
  std::string_view token(token_t id) const;

  std::optional<token_t> find(std::string_view token) const {
    const auto id = find(hash(token), {}, token);
    return id < 0 ? std::nullopt : std::optional(id);
  }

  /// Id of the token that is `head` followed by `tail`, given its hash; -1 if there is none.
  token_t find(std::uint64_t hash, std::string_view head, std::string_view tail) const {
    for (auto slot = hash >> shift_;; slot = (slot + 1) & (slots_.size() - 1)) {
      const auto [tag, id] = slots_[slot];
      if (id < 0) return -1;
      if (tag == static_cast<std::uint32_t>(hash) && matches(text(id), head, tail)) return id;
    }
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;  // low half of the hash; the place in the table comes from its high bits
    token_t id = -1;
  };

  static bool matches(std::string_view token, std::string_view head, std::string_view tail) {
    return token.size() == head.size() + tail.size() && token.starts_with(head) && token.ends_with(tail);
  }

  std::string_view text(token_t id) const {
    const auto first = id == 0 ? 0 : ends_[static_cast<std::size_t>(id) - 1];
    return std::string_view(bytes_).substr(first, ends_[static_cast<std::size_t>(id)] - first);
  }

  void add(std::string_view token);

  std::string bytes_;
  std::vector<std::size_t> ends_;  // [V], token id is bytes_[ends_[id - 1], ends_[id])
  std::vector<Slot> slots_;        // at most half full
  int shift_ = 0;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/vocabulary_impl.hpp"
#endif
