#pragma once
#include "catch.hpp"
#include "encoder/reference.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/pretrain/corpus.hpp"
#include "knnbert/pretrain/pretrain.hpp"
#include "term/tiny_network.hpp"

namespace knnbert_test {

using namespace knnbert;

/// 41 tokens, as many as tiny_network() has; every third one behind the special ones continues a word.
inline WordPiece tiny_pieces() {
  std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  while (tokens.size() < 41) {
    const std::string name = "t" + std::string(1, static_cast<char>('a' + tokens.size() % 26)) +
                             std::string(1, static_cast<char>('a' + tokens.size() / 26));
    tokens.push_back((tokens.size() % 3 == 0 ? "##" : "") + name);
  }
  return WordPiece(Vocabulary(tokens));
}

/// [CLS] pieces [SEP], of the given lengths.
inline Batch tiny_sequences(const std::vector<index_t>& lengths, std::uint64_t seed = 3) {
  Batch batch;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const Rng rng = Rng(seed, Stream::sample).fork(i);
    batch.ids.push_back(2);
    for (index_t t = 0; t < lengths[i]; ++t)
      batch.ids.push_back(static_cast<token_t>(5 + rng.below(static_cast<std::uint64_t>(t), 36)));
    batch.ids.push_back(3);
    batch.close_text();
  }
  return batch;
}

inline BertConfig tiny_masked_config(index_t vocabulary = 41) {
  return {.vocab_size = vocabulary,
          .hidden_size = 20,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .intermediate_size = 37,
          .max_position_embeddings = 64};
}

}  // namespace knnbert_test
