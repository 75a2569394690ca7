#pragma once
#include "knnbert/encoder/bert_layers.hpp"
#include "knnbert/encoder/bert_tape.hpp"
#include "knnbert/encoder/chunks.hpp"
#include "knnbert/encoder/concept.hpp"
#include "knnbert/encoder/operations.hpp"
#include "knnbert/encoder/require_batch.hpp"
#include "knnbert/nn/embedding.hpp"

namespace knnbert::inline v0_1 {

class BertCheckpoint;

/// A BERT encoder as a function of its parameters: it holds their places, never their values, so that a second encoder
/// (momentum, teacher, average) is another block handed to the same object.  Devlin et al. 2019.
/// Row i of every result depends on text i alone and not on threads.  Thread safety: const, with one workspace a call.
/// Precisions says in which ones its products may run; which of them is used is said by the parameter block, see
/// lower().
template <class Arch = DefaultArch, class Precisions = OnlyFp32>
class BasicBert {
 public:
  static constexpr std::string_view name = "bert";
  using config_type = BertConfig;
  using tape_type = BertTape;
  using workspace_type = BertWorkspace;
  using checkpoint_type = BertCheckpoint;

  /// Errors: OptionError for a shape that cannot exist.
  explicit BasicBert(const BertConfig& config) : config_(config) { validate(config_); }

  const BertConfig& config() const { return config_; }
  const BertLayers& layers() const { return layers_; }
  index_t width() const { return config_.hidden_size; }
  index_t max_length() const { return config_.max_length(); }
  index_t vocabulary_size() const { return config_.vocab_size; }
  bool pools(Pooling pooling) const { return pooling != Pooling::pooler || config_.pooler; }
  float dropout() const { return config_.hidden_dropout_prob; }
  /// it decides how sums are rounded
  static std::string_view instruction_set() { return kernel::instruction_set<Arch>(); }
  /// Floating-point operations of a forward pass: products and attention at the texts' real lengths.
  double operations(const Batch& batch) const { return forward_operations(config_, batch); }

  /// Where the dense parameters end of the embedding and of each block, in their order.
  std::vector<index_t> layer_ends(const ParameterTable& table) const { return layers_.ends(table); }

  /// The large weights, which lower() prepares.
  std::vector<Linear> lowered_layers() const { return layers_.lowered(); }

  /// Declares the parameters: first all but the token embeddings, then, as the last of a table, these.
  void declare_dense(ParameterTable& table) { layers_ = BertLayers::declare_dense(config_, table); }
  void declare_lookup(ParameterTable& table) { layers_.declare_lookup(config_, table); }

  /// Prepares the weights of the large products in a precision; to be repeated whenever the values have changed.
  /// Errors: OptionError for a precision that this encoder is not compiled for.
  void lower(ParameterBlock& values, Precision precision, const Workers& workers) const;
  /// One of these weights alone.  Errors: the same.
  void lower_one(const ParameterBlock& values, const Linear& layer, Precision precision, LoweredWeight& to,
                 const Workers& workers) const;

  /// embedding [B, H] of each text, nothing kept.  Errors: ShapeError; OptionError for rows that enter where weights
  /// are lowered.
  void encode(const ParameterBlock& values, const EncoderInput& input, const ForwardOptions& options, View embedding,
              BertWorkspace& workspace, const Workers& workers) const;

  /// The same with everything kept that a backward pass needs.  Errors: the same.
  void forward(const ParameterBlock& values, const EncoderInput& input, const ForwardOptions& options, BertTape& tape,
               BertWorkspace& workspace, const Workers& workers) const;

  /// Adds the gradients of a forward pass. The tape stays usable.  Errors: ShapeError.
  void backward(const ParameterBlock& values, const BertTape& tape, const EncoderGradients& gradients,
                BertWorkspace& workspace, const Workers& workers) const;

 private:
  static constexpr std::uint64_t embedding_site = 0, first_block_site = 1;

  EmbeddingTables tables() const {
    return {.words = layers_.words,
            .positions = layers_.positions,
            .types = layers_.types,
            .first_position = config_.first_position(),
            .norm = layers_.embedding_norm};
  }
  /// The embedding's output of texts [first, last), from where the input enters.
  void embed(const ParameterBlock& values, const EncoderInput& input, index_t first, index_t last,
             const std::vector<std::uint64_t>& row_keys, View sums, View statistics, View output) const;

  /// Keys of the rows of texts whose first one is number `first` of its step; none in evaluation mode.
  void assign_row_keys(const Batch& batch, const ForwardOptions& options, index_t first,
                       std::vector<std::uint64_t>& keys) const;
  Dropout embedding_dropout(const std::vector<std::uint64_t>& keys) const {
    return Dropout{keys.empty() ? 0 : config_.hidden_dropout_prob, 0, keys.data()}.at_site(embedding_site);
  }
  BlockDropout block_dropout(const std::vector<std::uint64_t>& keys, index_t layer) const {
    const auto sites = static_cast<std::uint64_t>(config_.num_attention_heads + 2);
    return {{keys.empty() ? 0 : config_.hidden_dropout_prob, 0, keys.data()},
            {keys.empty() ? 0 : config_.attention_probs_dropout_prob, 0, keys.data()},
            first_block_site + static_cast<std::uint64_t>(layer) * sites,
            config_.family->drops_attention_output};
  }

  static void require_precision(Precision precision) {
    if (!Precisions::include(precision))
      raise<OptionError>(
          "BasicBert::lower: precision {} given, but this encoder is not compiled for it: BasicBert<Arch, "
          "AnyPrecision> expected",
          name_of(precision));
  }
  void require_fresh(const ParameterBlock& values) const;
  void start(const ParameterBlock& values, const EncoderInput& input, const ForwardOptions& options,
             BertTape& tape) const;
  void pool(const ParameterBlock& values, Pooling pooling, ConstView hidden, std::span<const index_t> offsets,
            View first, View embedding) const;
  void encode_chunk(const ParameterBlock& values, const EncoderInput& input, const ForwardOptions& options,
                    index_t first, BertWorkspace::Chunk& chunk, std::span<BlockScratch> scratch, const Workers& workers,
                    View embedding) const;
  BlockActivations<View> recomputed(const BertTape& tape, index_t layer, BertWorkspace& workspace) const;
  void pool_backward(const ParameterBlock& values, const BertTape& tape, const EncoderGradients& gradients,
                     BertWorkspace& workspace, const Workers& workers) const;
  template <class F>
  void each_chunk(std::span<const index_t> ends, BertWorkspace& workspace, const Workers& workers, F&& f) const;
  void embedding_backward(const ParameterBlock& values, const BertTape& tape, const EncoderGradients& gradients,
                          BertWorkspace& workspace, const Workers& workers) const;

  BertConfig config_;
  BertLayers layers_;
};

using Bert = BasicBert<>;
static_assert(TrainableEncoder<Bert>);

}  // namespace knnbert::inline v0_1

#include "knnbert/encoder/bert_backward.hpp"
#include "knnbert/encoder/bert_forward.hpp"
