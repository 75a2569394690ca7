#pragma once
#include <vector>

#include "knnbert/encoder/bert_config.hpp"
#include "knnbert/encoder/pass.hpp"
#include "knnbert/nn/block_backward.hpp"
#include "knnbert/nn/block_lowered.hpp"

namespace knnbert::inline v0_1 {

/// Activations of a block that its backward pass reads, of all rows of a batch.
struct BlockTape {
  Matrix projections, context, attention_sum, attention_statistics, middle, before, inner, output_sum,
      output_statistics;

  void resize(index_t rows, index_t width, index_t inner_width) {
    for (Matrix* m : {&context, &attention_sum, &middle, &output_sum}) m->resize(rows, width);
    projections.resize(rows, 3 * width);
    before.resize(rows, inner_width);
    inner.resize(rows, inner_width);
    attention_statistics.resize(rows, 2);
    output_statistics.resize(rows, 2);
  }
};

/// Everything a backward pass needs; a backward pass does not consume it. One object serves many steps without
/// allocating again.  Memory: about 25 KB a token and layer at width 384, 1.6 KB with Keep::hidden, where one block's
/// rest is shared by all.
class BertTape {
 public:
  const Batch& batch() const { return batch_; }
  const ForwardOptions& options() const { return options_; }
  Entry entry() const { return entry_; }
  ConstView embedding() const { return embedding_; }  ///< [B, H]
  /// Sums of word, position and segment [T, H], before normalization and dropout; not of a pass that was entered behind
  /// them.
  ConstView sums() const { return embedding_sums_; }
  /// Hidden states [T, H]: 0 is the embedding output, l the output of block l.
  ConstView hidden(index_t layer) const { return hidden_[as_size(layer)]; }
  index_t layers() const { return std::ssize(hidden_) - 1; }

 private:
  template <class, class>
  friend class BasicBert;

  bool recomputes() const { return options_.keep == Keep::hidden; }
  void resize(const BertConfig& c, index_t texts, index_t rows) {
    hidden_.resize(static_cast<std::size_t>(c.num_hidden_layers + 1));
    for (Matrix& m : hidden_) m.resize(rows, c.hidden_size);
    if (!recomputes()) blocks_.resize(static_cast<std::size_t>(c.num_hidden_layers));
    for (auto& block : blocks_)
      if (!recomputes()) block.resize(rows, c.hidden_size, c.intermediate_size);
    embedding_sums_.resize(entry_ == Entry::output ? 0 : rows, c.hidden_size);
    embedding_statistics_.resize(rows, 2);
    for (Matrix* m : {&first_, &embedding_}) m->resize(texts, c.hidden_size);
  }

  /// Input, output and what is kept of a block: `rest`, unless the tape has it.
  template <class V, class Self, class Rest>
  static BlockActivations<V> activations(Self& self, index_t layer, Rest& rest) {
    if (self.recomputes()) return activations<V>(self.hidden_[as_size(layer)], rest, self.hidden_[as_size(layer + 1)]);
    return activations<V>(self.hidden_[as_size(layer)], self.blocks_[as_size(layer)], self.hidden_[as_size(layer + 1)]);
  }
  template <class V, class M, class Block>
  static BlockActivations<V> activations(M& input, Block& b, M& output) {
    return {.input = input,
            .projections = b.projections,
            .context = b.context,
            .attention_sum = b.attention_sum,
            .attention_statistics = b.attention_statistics,
            .middle = b.middle,
            .before = b.before,
            .inner = b.inner,
            .output_sum = b.output_sum,
            .output_statistics = b.output_statistics,
            .output = output};
  }

  Batch batch_;
  ForwardOptions options_;
  Entry entry_ = Entry::tokens;
  std::vector<std::uint64_t> row_keys_;
  Matrix embedding_sums_, embedding_statistics_, first_, embedding_;
  std::vector<Matrix> hidden_;     // [T, H] before the first block and behind each
  std::vector<BlockTape> blocks_;  // not used when they are computed again
};

/// Memory of a pass that is not a result. Not to be shared by concurrent calls.
struct BertWorkspace {
  struct Chunk {  // buffers of one worker for texts encoded without a tape
    Batch batch;
    std::vector<std::uint64_t> row_keys;
    Matrix hidden, projections, context, sum, statistics, middle, inner, first, pooled;
  };
  std::vector<Chunk> chunks;
  std::vector<index_t> chunk_ends;
  std::vector<BlockScratch> blocks;
  GradientScratch gradient;
  BlockGradients gradients;
  BlockTransposes transposes;
  BlockTape recomputed;  // of the block at hand
  Matrix recomputed_input, recomputed_output;
  TransposedWeight pooler;
  Matrix d_before_pooler, d_pooled;

  void reserve(index_t workers) {
    const auto count = static_cast<std::size_t>(workers);
    if (chunks.size() >= count) return;
    chunks.resize(count);
    blocks.resize(count);
    gradient.copies.resize(count);
  }
};

}  // namespace knnbert::inline v0_1
