#pragma once
#include <optional>
#include <vector>

#include "knnbert/core/rng.hpp"
#include "knnbert/encoder/bert_config.hpp"
#include "knnbert/encoder/pooling.hpp"
#include "knnbert/nn/block_backward.hpp"

namespace knnbert {

/// How a batch is encoded.
struct ForwardOptions {
  Pooling pooling = Pooling::mean;
  std::optional<Rng> dropout{};  ///< training mode with these random numbers; evaluation mode without
  index_t first_example = 0;     ///< number of the batch's first text within its step: the parts of a step that is split
                                 ///< into several batches then get the masks of the whole
};

/// Everything a backward pass needs; a backward pass does not consume it. One object serves many steps without
/// allocating again.  Memory: about 25 KB a token and layer at width 384.
class BertTape {
 public:
  const Batch& batch() const { return batch_; }
  const ForwardOptions& options() const { return options_; }
  ConstView embedding() const { return embedding_; }  ///< [B, H]
  /// Hidden states [T, H]: 0 is the embedding output, l the output of block l.
  ConstView hidden(index_t layer) const { return layer < layers() ? blocks_[layer].input : output_; }
  index_t layers() const { return std::ssize(blocks_); }

 private:
  template <class, class>
  friend class BasicBert;

  struct BlockTape {
    Matrix input, projections, context, attention_sum, attention_statistics, middle, before, inner, output_sum, output_statistics;
    void resize(index_t rows, index_t width, index_t inner_width) {
      for (Matrix* m : {&input, &context, &attention_sum, &middle, &output_sum}) m->resize(rows, width);
      projections.resize(rows, 3 * width);
      before.resize(rows, inner_width);
      inner.resize(rows, inner_width);
      attention_statistics.resize(rows, 2);
      output_statistics.resize(rows, 2);
    }
  };

  void resize(const BertConfig& c, index_t texts, index_t rows) {
    blocks_.resize(static_cast<std::size_t>(c.num_hidden_layers));
    for (auto& block : blocks_) block.resize(rows, c.hidden_size, c.intermediate_size);
    for (Matrix* m : {&embedding_sums_, &output_}) m->resize(rows, c.hidden_size);
    embedding_statistics_.resize(rows, 2);
    for (Matrix* m : {&first_, &embedding_}) m->resize(texts, c.hidden_size);
  }

  template <class V, class Self>
  static BlockActivations<V> activations(Self& self, index_t layer) {
    auto& b = self.blocks_[layer];
    auto& output = layer + 1 < self.layers() ? self.blocks_[layer + 1].input : self.output_;
    return {b.input, b.projections, b.context, b.attention_sum, b.attention_statistics, b.middle, b.before, b.inner, b.output_sum, b.output_statistics, output};
  }

  Batch batch_;
  ForwardOptions options_;
  bool from_input_ = false;
  std::vector<std::uint64_t> row_keys_;
  Matrix embedding_sums_, embedding_statistics_, output_, first_, embedding_;
  std::vector<BlockTape> blocks_;
};

/// Gradients that enter and leave a backward pass of the encoder.
struct EncoderGradients {
  ConstView d_embedding{};            ///< [B, H] at the pooled embedding, or empty
  std::span<const ConstView> d_hidden{};  ///< at hidden states 0..layers, [T, H] each or empty; may be shorter
  Gradients* parameters = nullptr;    ///< receives the parameter gradients; null: gradients flow to the input only
  View d_input{};                     ///< [T, H] at the embedding output, if not empty
};

/// Memory of a pass that is not a result. Not to be shared by concurrent calls.
struct BertWorkspace {
  struct Chunk {  // buffers of one worker for texts encoded without a tape
    Batch batch;
    std::vector<std::uint64_t> row_keys;
    Matrix hidden, projections, context, sum, statistics, middle, inner, first, pooled;
  };
  std::vector<Chunk> chunks;
  std::vector<BlockScratch> blocks;
  GradientScratch gradient;
  BlockGradients gradients;
  BlockTransposes transposes;
  TransposedWeight pooler;
  Matrix d_before_pooler, d_pooled;

  void fit(index_t workers) {
    const auto count = static_cast<std::size_t>(workers);
    if (chunks.size() >= count) return;
    chunks.resize(count);
    blocks.resize(count);
    gradient.copies.resize(count);
  }
};

}  // namespace knnbert
