#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "knnbert/core/gradients.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/encoder/pooling.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

/// What a forward pass keeps.
enum class Keep {
  nothing,  ///< the results alone
  hidden,   ///< the hidden states too; a backward pass then runs each block forward once more, with the same bits: one
            ///< forward pass more, a quarter of the memory at six layers
  all,      ///< all that a backward pass reads
};

/// Where rows enter a forward pass in place of what the encoder would compute there.
enum class Entry {
  tokens,  ///< nowhere
  sums,    ///< word + position + segment, before normalization and dropout
  output,  ///< the embedding's output, which the first block reads
};

/// How a batch is encoded.
struct ForwardOptions {
  std::optional<Pooling> pooling{};  ///< none: the network's; of an encoder alone, the mean
  std::optional<Rng> dropout{};      ///< training mode with these random numbers; evaluation mode without
  index_t first_example = 0;         ///< number of the batch's first text within its step: the parts of a step that is
                                     ///< split into several batches then get the masks of the whole
  Keep keep = Keep::all;

  Pooling pooling_or_mean() const { return pooling.value_or(Pooling::mean); }
};

/// What a forward pass reads: token ids, or rows [T, H] in their place, one for each token of the batch. Both are only
/// looked at.
template <class Rows = ConstView>
struct BasicEncoderInput {
  const Batch& batch;
  Entry entry = Entry::tokens;
  Rows rows{};

  BasicEncoderInput(const Batch& tokens) : batch(tokens) {}
  BasicEncoderInput(const Batch& tokens, Entry at, Rows given) : batch(tokens), entry(at), rows(given) {}

  /// Errors: ShapeError unless the rows are there where they enter; OptionError for a precision in which small
  /// perturbations vanish.
  void require(std::string_view where, index_t width, Precision precision) const {
    if (entry == Entry::tokens) return;
    require_shape(where, rows, batch.tokens(), width);
    if (precision != Precision::fp32)
      raise<OptionError>("{}: rows given to weights in {}, fp32 expected: a perturbation of 1e-5 vanishes", where,
                         name_of(precision));
  }
  /// Errors: OptionError for rows, of encoders that nothing can enter but tokens.
  void require_tokens(std::string_view where) const {
    if (entry != Entry::tokens)
      raise<OptionError>("{}: rows given, tokens expected: this encoder has no other entry", where);
  }
};
using EncoderInput = BasicEncoderInput<>;

/// Which hidden states of a layer a gradient is for.
enum class HiddenRows {
  all,    ///< [T, H]
  first,  ///< [B, H], of each text's first token
};

/// A gradient at hidden states: layer 0 is the embedding's output, l the output of block l.
template <class Rows = ConstView>
struct BasicHiddenGradient {
  index_t layer = 0;
  HiddenRows which = HiddenRows::all;
  Rows rows{};

  /// Errors: ShapeError for a layer that is not there and for other rows.
  void require(std::string_view where, const Batch& batch, index_t layers, index_t width) const {
    if (layer < 0 || layer > layers)
      raise<ShapeError>("{}: d_hidden of layer {} given, 0 to {} expected", where, layer, layers);
    require_shape(where, rows, which == HiddenRows::all ? batch.tokens() : batch.size(), width);
  }
};
using HiddenGradient = BasicHiddenGradient<>;

/// Gradients that enter and leave a backward pass of the encoder. Empty ones do not enter; null ones are not computed,
/// and no product for them is run. A pass that was entered at rows ends there: what lies before has no gradient.
template <class Input = ConstView, class Output = Matrix>
struct BasicEncoderGradients {
  // enter
  Input d_embedding{};                                     ///< [B, H] at the pooled embedding
  std::span<const BasicHiddenGradient<Input>> d_hidden{};  ///< several of a layer add up
  Input d_sums{};                                          ///< [T, H] at the embedding's sums
  // leave
  Gradients* parameters = nullptr;  ///< added
  Output* d_output = nullptr;       ///< [T, H] at the embedding's output, with all that
                                    ///< entered at layer 0
  Output* d_sums_out = nullptr;     ///< [T, H] at the sums, with all that entered there

  /// Errors: OptionError for other gradients than d_embedding and parameters, of encoders that have no more.
  void require_embedding_only(std::string_view where) const {
    if (!d_hidden.empty() || !d_sums.empty() || d_output || d_sums_out)
      raise<OptionError>(
          "{}: a gradient at hidden states or rows given or asked for, one at the embedding expected: this encoder has "
          "no others",
          where);
  }
};
using EncoderGradients = BasicEncoderGradients<>;

}  // namespace knnbert::inline v0_1
