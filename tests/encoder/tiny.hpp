#pragma once
#include "encoder/family.hpp"
#include "kernel/values.hpp"
#include "knnbert/encoder/bert.hpp"
#include "nn/directional.hpp"

namespace knnbert_test {

/// A small encoder whose sizes fill no vector and no panel.
inline BertConfig tiny_config() {
  return {.vocab_size = 41,
          .hidden_size = 20,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .intermediate_size = 37,
          .max_position_embeddings = 24};
}

inline BertConfig tiny_distilbert_config() { return in_family(tiny_config(), distilbert_family); }
inline BertConfig tiny_roberta_config() { return in_family(tiny_config(), roberta_family); }

/// An encoder with random values.
struct RandomBert {
  Bert encoder;
  ParameterBlock values;

  explicit RandomBert(const BertConfig& config = tiny_config(), std::uint64_t seed = 1) : encoder(config) {
    ParameterTable table;
    encoder.declare_dense(table);
    encoder.declare_lookup(table);
    values = ParameterBlock(std::make_shared<const ParameterTable>(std::move(table)));
    fill_random(values, seed, 0.3);
  }
};

/// Texts of given lengths with random tokens; the second half of every other one is the second text of a pair.
inline Batch random_batch(const BertConfig& config, std::span<const index_t> lengths, std::uint64_t seed = 7) {
  Batch batch;
  const Rng rng(seed, Stream::sample);
  for (const index_t length : lengths) {
    for (index_t t = 0; t < length; ++t) {
      batch.ids.push_back(
          static_cast<token_t>(rng.below(static_cast<std::uint64_t>(std::ssize(batch.ids)), config.vocab_size)));
      batch.segments.push_back(config.type_vocab_size > 1 && batch.size() % 2 && 2 * t >= length);
    }
    batch.close_text();
  }
  return batch;
}
inline Batch random_batch(const BertConfig& config, std::initializer_list<index_t> lengths, std::uint64_t seed = 7) {
  return random_batch(config, std::span(lengths.begin(), lengths.size()), seed);
}

/// A forward and a backward pass under some gradient of the embedding.
struct Pass {
  BertTape tape;
  BertWorkspace workspace;
  Gradients gradients;
  Matrix d_output;  // at the embedding's output

  Pass(const RandomBert& bert, const Batch& batch, const ForwardOptions& options, ConstView d_embedding,
       const Workers& workers = Workers())
      : gradients(bert.values.shared_table()) {
    bert.encoder.forward(bert.values, batch, options, tape, workspace, workers);
    bert.encoder.backward(bert.values, tape,
                          {.d_embedding = d_embedding, .parameters = &gradients, .d_output = &d_output}, workspace,
                          workers);
  }
};

inline bool same_bits(const Gradients& a, const Gradients& b) {
  return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.table().size()) * sizeof(float)) == 0;
}

inline Matrix encode(const RandomBert& bert, const EncoderInput& input, const ForwardOptions& options,
                     const Workers& workers = Workers()) {
  BertWorkspace workspace;
  Matrix embedding(input.batch.size(), bert.encoder.width());
  bert.encoder.encode(bert.values, input, options, embedding, workspace, workers);
  return embedding;
}

inline constexpr Pooling all_poolings[] = {Pooling::mean, Pooling::cls, Pooling::pooler};

}  // namespace knnbert_test
