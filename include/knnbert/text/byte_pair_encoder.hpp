#pragma once
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/core/lease.hpp"
#include "knnbert/text/byte_pair_merges.hpp"
#include "knnbert/text/vocabulary.hpp"
#include "knnbert/text/word_cache.hpp"

namespace knnbert::inline v0_1 {

/// Text to pieces of a byte-level vocabulary: cut into words, every byte of a word a token, neighbors merged. The
/// pieces of words seen lately are remembered.  Thread-safe.
class BytePairEncoder {
 public:
  struct Settings {
    bool add_prefix_space = false, split_words = true, fuse_missing = false;
    token_t missing = -1;  // -1: bytes without a token are skipped
  };

  /// Memory of one caller at a time, about 1 MiB; reused, it saves allocations and knows more words.
  struct Scratch {
    WordCache cache;
    std::string text;
    BytePairMerges::Scratch merges;
  };
  using Lease = LeasePool<Scratch>::Lease;

  BytePairEncoder(const Vocabulary& vocabulary, BytePairMerges merges, Settings settings);

  const BytePairMerges& merges() const { return merges_; }

  Lease lend() const;

  /// Appends the pieces of UTF-8; once `limit` ids are there, what follows may be missing.
  void operator()(std::string_view text, Scratch& scratch, std::vector<token_t>& ids, std::size_t limit) const;

 private:
  void append_word(std::string_view word, Scratch& scratch, std::vector<token_t>& ids) const;
  void merge_bytes(std::string_view word, Scratch& scratch, std::vector<token_t>& ids) const;

  BytePairMerges merges_;
  Settings settings_;
  std::array<token_t, 256> bytes_;  // -1 for a byte without a token
  std::shared_ptr<LeasePool<Scratch>> pool_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/byte_pair_encoder_impl.hpp"
#endif
