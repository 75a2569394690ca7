#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/encoder/bert_tape.hpp"
#include "knnbert/torch/packed_batch.hpp"
#include "knnbert/torch/rows.hpp"

namespace knnbert {

/// Everything a backward pass of TorchBert needs; a backward pass does not consume it. Each block is a graph of its own between
/// detached hidden states, so that gradients can enter and leave at every layer and a block can be computed again.
/// Not to be used by two backward passes at once.
class TorchTape {
 public:
  const Batch& batch() const { return batch_; }
  const ForwardOptions& options() const { return options_; }
  const TorchRows& embedding() const { return embedding_; }  ///< [B, H]
  /// Hidden states [T, H] in main memory: 0 is the embedding output, l the output of block l. The first call for a layer waits
  /// for the device.  Valid until the next forward pass.
  ConstView hidden(index_t layer) const {
    const std::lock_guard lock(mutex_);
    Matrix& m = host_[static_cast<std::size_t>(layer)];
    if (m.rows() == 0) {
      const auto& x = hidden_[static_cast<std::size_t>(layer)];
      m.resize(x.size(0), x.size(1));
      detail::guarded("TorchTape::hidden", [&] { detail::to_host(x.detach().index_select(0, packed_.row_of_token), m); });
    }
    return m;
  }
  index_t layers() const { return std::ssize(hidden_) - 1; }

 private:
  friend class TorchBert;

  Batch batch_;
  ForwardOptions options_;
  bool from_input_ = false, lowered_ = false;
  detail::PackedBatch packed_;
  std::vector<at::Tensor> leaves_;   // by number of the parameter: views of the values, of blocks in the type of the computation
  std::vector<at::Tensor> hidden_;   // [T, H] leaves, before the first block and behind each
  std::vector<at::Tensor> outputs_;  // their graphs; undefined where they are computed again
  at::Tensor pooled_;                // [B, H] with its graph
  TorchRows embedding_;
  mutable OwnMutex mutex_;
  mutable std::vector<Matrix> host_;
};

/// LibTorch keeps its own buffers.
struct TorchWorkspace {};

}  // namespace knnbert
