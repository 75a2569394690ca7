#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/encoder/bert_tape.hpp"
#include "knnbert/torch/packed_batch.hpp"
#include "knnbert/torch/rows.hpp"

namespace knnbert::inline v0_1 {

/// Everything a backward pass of TorchBert needs; a backward pass does not consume it. Each block is a graph of its own
/// between detached hidden states, so that gradients can enter and leave at every layer and a block can be computed
/// again. Not to be used by two backward passes at once.
class TorchTape {
 public:
  const Batch& batch() const { return batch_; }
  const ForwardOptions& options() const { return options_; }
  const TorchRows& embedding() const { return embedding_; }  ///< [B, H]
  Entry entry() const { return entry_; }
  /// Hidden states [T, H] in fp32, on the device until they are read elsewhere: 0 is the embedding output, l the output
  /// of block l. Valid until the next forward pass.
  const TorchRows& hidden(index_t layer) const {
    return rows_of(hidden_[static_cast<std::size_t>(layer)], rows_[static_cast<std::size_t>(layer)]);
  }
  /// Sums of word, position and segment [T, H], before normalization and dropout; not of a pass that was entered behind
  /// them.
  const TorchRows& sums() const { return rows_of(sums_, rows_.back()); }
  index_t layers() const { return std::ssize(hidden_) - 1; }

 private:
  friend class TorchBert;

  bool recomputes() const { return options_.keep == Keep::hidden; }
  /// In the order of the batch's tokens.
  const TorchRows& rows_of(const at::Tensor& packed, TorchRows& rows) const {
    const std::lock_guard lock(mutex_);
    if (rows.rows() == 0 && packed.defined())
      detail::guarded("TorchTape",
                      [&] { rows.assign(packed.detach().index_select(0, packed_.row_of_token).to(at::kFloat)); });
    return rows;
  }

  Batch batch_;
  ForwardOptions options_;
  Entry entry_ = Entry::tokens;
  bool lowered_ = false;
  detail::PackedBatch packed_;
  std::vector<at::Tensor> leaves_;   // by number of the parameter: views of the values, of blocks in the type of the
                                     // computation
  at::Tensor summed_, sums_;         // [T, H] with its graph where tokens were looked up, and as a leaf
  std::vector<at::Tensor> hidden_;   // [T, H] leaves, before the first block and behind each
  std::vector<at::Tensor> outputs_;  // their graphs; undefined where they are computed again and where rows entered
  at::Tensor pooled_;                // [B, H] with its graph
  TorchRows embedding_;
  mutable OwnMutex mutex_;
  mutable std::vector<TorchRows> rows_;  // of hidden_ and, last, of sums_
};

/// LibTorch keeps its own buffers.
struct TorchWorkspace {};

}  // namespace knnbert::inline v0_1
