#pragma once
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/encoder/operations.hpp"
#include "knnbert/encoder/require_batch.hpp"
#include "knnbert/torch/bert_block.hpp"
#include "knnbert/torch/bert_tape.hpp"
#include "knnbert/torch/floats.hpp"

namespace knnbert::inline v0_1 {

struct TorchBertOptions {
  std::string device = "cpu";   ///< "cpu", "cuda" or "cuda:N"
  double padding = 0;           ///< largest share of a bucket of texts that may be padding in attention: 0 has a bucket
                                ///< for every length, 1 one bucket for all
  index_t smallest_bucket = 0;  ///< slots that a bucket may reach however padded, since its own launches cost as much;
                                ///< 0: what suits the device
  index_t tokens_a_pass = 0;    ///< of encode(), which goes through many texts by length; 0: what suits the device

  /// Errors: OptionError.
  void validate() const {
    if (!(padding >= 0 && padding <= 1))
      raise<OptionError>("TorchBertOptions::padding: {} given, 0 to 1 expected", padding);
    if (smallest_bucket < 0)
      raise<OptionError>("TorchBertOptions::smallest_bucket: {} given, at least 0 expected", smallest_bucket);
    if (tokens_a_pass < 0)
      raise<OptionError>("TorchBertOptions::tokens_a_pass: {} given, at least 0 expected", tokens_a_pass);
  }
};

/// What a pass of TorchBert reads and leaves: rows wherever they lie.
using TorchEncoderInput = BasicEncoderInput<TorchInput>;
using TorchGradients = BasicEncoderGradients<TorchInput, TorchRows>;

/// BERT by LibTorch, a function of its parameters like BasicBert: the same configurations, files and gradients. Values
/// and gradients are one flat tensor each on the device of the options, beside which the block in main memory is
/// brought up to date when somebody reads it. Linear layers and normalizations run over real tokens only; attention
/// pads buckets of similar lengths. In bf16 activations and products are bf16, values, gradients and normalized
/// embeddings fp32.
/// Thread safety: const; passes with dropout share torch's generator, see SeededDropout.
class TorchBert {
 public:
  static constexpr std::string_view name = "bert";
  using config_type = BertConfig;
  using tape_type = TorchTape;
  using workspace_type = TorchWorkspace;
  using checkpoint_type = BertCheckpoint;
  using rows_type = TorchRows;
  static constexpr Layout weight_layout = Layout::row_major;

  /// Errors: OptionError for a shape that cannot exist and a device that is not there.
  explicit TorchBert(const BertConfig& config, const std::string& device = "cpu")
      : TorchBert(config, TorchBertOptions{.device = device}) {}
  TorchBert(const BertConfig& config, const TorchBertOptions& options)
      : config_(config), options_(options), device_(torch_device(options.device)) {
    validate(config_);
    options_.validate();
    if (options_.smallest_bucket == 0) options_.smallest_bucket = device_.is_cpu() ? 1 : 16384;
    if (options_.tokens_a_pass == 0) options_.tokens_a_pass = device_.is_cpu() ? 2048 : 65536;
  }

  const BertConfig& config() const { return config_; }
  const BertLayers& layers() const { return layers_; }
  std::vector<index_t> layer_ends(const ParameterTable& table) const { return layers_.ends(table); }
  const TorchBertOptions& options() const { return options_; }
  at::Device device() const { return device_; }
  index_t width() const { return config_.hidden_size; }
  index_t max_length() const { return config_.max_length(); }
  index_t vocabulary_size() const { return config_.vocab_size; }
  bool pools(Pooling pooling) const { return pooling != Pooling::pooler || config_.pooler; }
  float dropout() const { return config_.hidden_dropout_prob; }
  double operations(const Batch& batch) const { return forward_operations(config_, batch); }

  /// Declares the parameters in a table whose weights are row-major.
  void declare_dense(ParameterTable& table) { layers_ = BertLayers::declare_dense(config_, table); }
  void declare_lookup(ParameterTable& table) { layers_.declare_lookup(config_, table); }

  /// Brings a block to the device.  Errors: OptionError for weights in panels; DeviceMemoryError.
  void to_device(const ParameterBlock& values) const {
    if (values.table().weights() != Layout::row_major)
      raise<OptionError>("TorchBert: parameters in panels given, a ParameterTable(Layout::row_major) expected");
    detail::on_device(values, device_);
  }
  /// Prepares a precision: for bf16 all values are copied at once.  Errors: OptionError for int8.
  void lower(ParameterBlock& values, Precision precision, const Workers& = Workers()) const;

  /// embedding [B, H] of each text, nothing kept.  Errors: ShapeError, DeviceMemoryError.
  void encode(const ParameterBlock& values, const TorchEncoderInput& input, const ForwardOptions& options,
              TorchRows& embedding, TorchWorkspace&, const Workers& = Workers()) const {
    detail::guarded("TorchBert::encode", [&] { embedding.assign(encode_all(values, input, options)); });
  }
  void encode(const ParameterBlock& values, const TorchEncoderInput& input, const ForwardOptions& options,
              View embedding, TorchWorkspace&, const Workers& = Workers()) const {
    require_shape("TorchBert::encode: embedding", embedding, input.batch.size(), width());
    detail::guarded("TorchBert::encode", [&] { detail::to_host(encode_all(values, input, options), embedding); });
  }

  /// The same with everything kept that a backward pass needs. Masks of dropout are functions of the random numbers,
  /// the number of the first text and the batch's shape.  Errors: the same; then the tape is empty.
  void forward(const ParameterBlock& values, const TorchEncoderInput& input, const ForwardOptions& options,
               TorchTape& tape, TorchWorkspace&, const Workers& = Workers()) const;

  /// Adds the gradients of a forward pass by these values. The tape stays usable.  Errors: ShapeError,
  /// DeviceMemoryError.
  void backward(const ParameterBlock& values, const TorchTape& tape, const TorchGradients& gradients, TorchWorkspace&,
                const Workers& = Workers()) const;

 private:
  static constexpr index_t embedding_site = 0, first_block_site = 1;

  detail::BucketLimits bucket_limits() const { return {options_.padding, options_.smallest_bucket}; }
  at::ScalarType type(bool lowered) const { return lowered ? at::kBFloat16 : at::kFloat; }
  void require_fresh(const ParameterBlock& values) const {
    if (!values.fresh())
      raise<OptionError>("TorchBert: parameters that changed after they were lowered to {} given, lower() expected",
                         name_of(values.precision()));
  }

  /// Word + position + segment [T, H] in fp32.
  template <class Weights>
  at::Tensor sums_of(const Weights& weights, const detail::PackedBatch& batch) const {
    const auto sums =
        at::embedding(weights(layers_.words), batch.ids) + at::embedding(weights(layers_.positions), batch.positions);
    return layers_.types < 0 ? sums : sums + at::embedding(weights(layers_.types), batch.segments);
  }
  /// Embedding output [T, H] in fp32.
  template <class Weights>
  at::Tensor normalized(const Weights& weights, const at::Tensor& sums, detail::SeededDropout& dropout) const {
    dropout.site(embedding_site);
    return dropout(detail::torch_norm(layers_.embedding_norm, weights, sums), config_.hidden_dropout_prob);
  }
  /// Rows in the order of the batch's tokens, as packed ones.
  at::Tensor packed_rows(const TorchInput& rows, const detail::PackedBatch& batch) const {
    return rows.on(device_).index_select(0, batch.token_of_row);
  }
  template <class Weights>
  at::Tensor block(index_t layer, const Weights& weights, const detail::PackedBatch& batch,
                   detail::SeededDropout& dropout, const at::Tensor& x) const {
    dropout.site(first_block_site + layer);
    const float hidden = config_.hidden_dropout_prob;
    const detail::BlockRates rates{config_.attention_probs_dropout_prob,
                                   config_.family->drops_attention_output ? hidden : 0, hidden};
    return detail::torch_block(layers_.blocks[static_cast<std::size_t>(layer)], rates, weights, batch, dropout, x);
  }
  /// Embedding [B, H] in fp32 of the last hidden states.
  template <class Weights>
  at::Tensor pool(Pooling pooling, const Weights& weights, const detail::PackedBatch& batch,
                  const at::Tensor& hidden) const {
    if (pooling == Pooling::mean)
      return at::index_add(at::zeros({batch.texts, width()}, hidden.options().dtype(at::kFloat)), 0, batch.text_of_row,
                           hidden.to(at::kFloat)) /
             batch.length;
    const auto first = hidden.index_select(0, batch.first_row).to(at::kFloat);
    return pooling == Pooling::cls ? first : at::tanh(detail::torch_linear(layers_.pooler, weights, first));
  }

  std::vector<index_t> numbers_of(const Block& b) const {
    return {b.projections.weight,  b.projections.bias,    b.attention_output.weight, b.attention_output.bias,
            b.intermediate.weight, b.intermediate.bias,   b.output.weight,           b.output.bias,
            b.attention_norm.gain, b.attention_norm.bias, b.output_norm.gain,        b.output_norm.bias};
  }
  std::vector<index_t> table_numbers() const {
    std::vector<index_t> numbers{layers_.words, layers_.positions};
    if (layers_.types >= 0) numbers.push_back(layers_.types);
    return numbers;
  }
  std::vector<index_t> norm_numbers() const { return {layers_.embedding_norm.gain, layers_.embedding_norm.bias}; }

  void start(const ParameterBlock& values, const TorchEncoderInput& input, const ForwardOptions& options,
             TorchTape& tape) const;
  at::Tensor encode_all(const ParameterBlock& values, const TorchEncoderInput& input,
                        const ForwardOptions& options) const;
  at::Tensor encode_pass(const TorchFloats& floats, const ParameterBlock& values, const TorchEncoderInput& input,
                         const ForwardOptions& options, index_t first) const;
  void embedding_backward(const TorchTape& tape, at::Tensor d, const TorchGradients& gradients,
                          const ParameterTable& table, const at::Tensor& flat) const;
  at::Tensor pull(const TorchTape& tape, const at::Tensor& output, const at::Tensor& d_output, const at::Tensor& input,
                  std::span<const index_t> numbers, const ParameterTable& table, const at::Tensor& gradients) const;

  BertConfig config_;
  TorchBertOptions options_;
  at::Device device_;
  BertLayers layers_;
};

}  // namespace knnbert::inline v0_1

#include "knnbert/torch/bert_backward.hpp"
#include "knnbert/torch/bert_forward.hpp"
