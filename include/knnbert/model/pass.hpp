#pragma once
#include "knnbert/encoder/pass.hpp"

namespace knnbert::inline v0_1 {

/// One forward pass of a network: what it computed, and what it keeps. Filled by Network::forward(), read as often as
/// wanted by Network::backward(); one object serves many passes without allocating again.  Not to be used by two
/// backward passes at once.
template <class EncoderTape, class HeadTape, class Rows>
class BasicPass {
 public:
  using const_view = typename Rows::const_view;

  const ForwardOptions& options() const { return options_; }
  const_view embedding() const {  ///< [B, H]
    if (options_.keep == Keep::nothing) return embedding_;
    return tape_.embedding();
  }
  const_view logits() const { return logits_; }  ///< [B, C]

  // Of passes that keep more than nothing:
  const Batch& batch() const { return tape_.batch(); }
  /// Blocks of the encoder; 0 of one that has no hidden states.
  index_t layers() const {
    if constexpr (requires { tape_.layers(); }) return tape_.layers();
    else return 0;
  }
  /// Hidden states [T, H]: 0 is the embedding's output, l the output of block l.
  const_view hidden(index_t layer) const { return tape_.hidden(layer); }
  /// Word + position + segment [T, H]; not of a pass that was entered behind them.
  const_view sums() const { return tape_.sums(); }

 private:
  template <class>
  friend class Network;

  ForwardOptions options_{.keep = Keep::nothing};
  EncoderTape tape_;
  HeadTape head_tape_;
  Rows embedding_, logits_;
  mutable Rows d_embedding_;  // scratch
};

/// Gradients that enter and leave a backward pass of a network. Empty ones do not enter; null ones are not computed,
/// and no product for them is run. A pass that was entered at rows ends there.
template <class Input = ConstView, class Output = Matrix>
struct BasicPassGradients {
  // enter
  Input d_logits{};                                        ///< [B, C]
  Input d_embedding{};                                     ///< [B, H]
  std::span<const BasicHiddenGradient<Input>> d_hidden{};  ///< several of a layer add up
  Input d_sums{};                                          ///< [T, H] at the embedding's sums
  // leave
  Gradients* parameters = nullptr;  ///< added
  Output* d_output = nullptr;       ///< [T, H] at the embedding's output, with all that entered at layer 0
  Output* d_sums_out = nullptr;     ///< [T, H] at the sums, with all that entered there: added up by token it is the
                                    ///< gradient of the words
};

}  // namespace knnbert::inline v0_1
