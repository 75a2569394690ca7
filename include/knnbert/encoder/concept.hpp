#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "knnbert/core/parallel.hpp"
#include "knnbert/encoder/pass.hpp"
#include "knnbert/nn/linear.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Rows of an encoder that keeps them on a device; a matrix otherwise.
template <class Encoder>
struct RowsOf {
  using type = Matrix;
};
template <class Encoder>
  requires requires { typename Encoder::rows_type; }
struct RowsOf<Encoder> {
  using type = typename Encoder::rows_type;
};

}  // namespace detail

/// A text encoder as a function of its parameters: it holds their places in a table, never their values, so that a
/// second encoder (momentum, teacher, average) is another block handed to the same object.
/// declare_dense(table), then declare_lookup(table) declare the parameters; between them a model declares its heads,
/// because the token embeddings, of which a step touches few rows, come last. An encoder has something to declare in at
/// least one of them. encode(values, input, options, embedding [B, H], workspace, workers) overwrites the embedding of
/// each text. Row i depends on text i alone, not on its neighbors and not on threads. pools(p) says whether options may
/// ask for pooling p; dropout() is the rate of the heads. Safe to call concurrently, with one workspace a call.
/// Used where they exist: lower(values, precision, workers), operations(batch), to_device(values), instruction_set(),
/// layer_ends(table) for TrainerOptions::frozen_layers (offsets behind the embedding and each layer), a constructor
/// (config, device), and the members weight_layout and rows_type of a backend with memory of its own.
/// Check yours with testing/encoder_laws.hpp.
template <class E>
concept Encoder = std::constructible_from<E, const typename E::config_type&> && std::copyable<E> &&
    std::default_initializable<typename E::workspace_type> &&
    requires(E& encoder, const E& constant, ParameterTable& table, const ParameterBlock& values,
             const BasicEncoderInput<typename detail::RowsOf<E>::type::input>& input, const ForwardOptions& options,
             View embedding, typename E::workspace_type& workspace, const Workers& workers) {
  encoder.declare_dense(table);
  encoder.declare_lookup(table);
  { constant.width() } -> std::convertible_to<index_t>;            // H
  { constant.max_length() } -> std::convertible_to<index_t>;       // tokens of a text
  { constant.vocabulary_size() } -> std::convertible_to<index_t>;  // ids it knows
  { constant.pools(Pooling::mean) } -> std::convertible_to<bool>;
  { constant.dropout() } -> std::convertible_to<float>;
  constant.encode(values, input, options, embedding, workspace, workers);
};

/// An encoder that can be trained. forward(values, input, options, tape, workspace, workers) computes the same
/// embeddings, as tape.embedding(), and keeps what backward(values, tape, gradients, workspace, workers) needs, which
/// adds the gradients and leaves the tape as it was. An entry or exit that the encoder lacks (rows that enter, hidden
/// states) is an OptionError: see BasicEncoderInput::require_tokens and BasicEncoderGradients::require_embedding_only.
/// Gradients agree with central differences.
template <class E>
concept TrainableEncoder = Encoder<E> && std::default_initializable<typename E::tape_type> && requires(
    const E& encoder, const ParameterBlock& values,
    const BasicEncoderInput<typename detail::RowsOf<E>::type::input>& input, const ForwardOptions& options,
    typename E::tape_type& tape, const typename E::tape_type& kept,
    const BasicEncoderGradients<typename detail::RowsOf<E>::type::input, typename detail::RowsOf<E>::type>& gradients,
    typename E::workspace_type& workspace, const Workers& workers) {
  encoder.forward(values, input, options, tape, workspace, workers);
  encoder.backward(values, kept, gradients, workspace, workers);
  { kept.embedding() } -> std::convertible_to<typename detail::RowsOf<E>::type::const_view>;
  { kept.batch() } -> std::convertible_to<const Batch&>;
};

/// Answers that serve most small encoders; derive from it.
struct EncoderDefaults {
  struct workspace_type {};
  index_t max_length() const { return index_t{1} << 20; }
  bool pools(Pooling pooling) const { return pooling == Pooling::mean; }
  float dropout() const { return 0.1f; }
  void declare_dense(ParameterTable&) {}
};

/// A tape for encoders whose backward pass needs no more than the texts and their embeddings.
class EmbeddingTape {
 public:
  /// Returns the embeddings [B, width], to be filled.
  View start(const Batch& texts, index_t width) {
    batch_ = texts;
    embedding_.resize(texts.size(), width);
    return embedding_;
  }
  const Batch& batch() const { return batch_; }
  ConstView embedding() const { return embedding_; }

 private:
  Batch batch_;
  Matrix embedding_;
};

/// The classifier around a saved encoder, for formats that can say so.
struct CheckpointFacts {
  std::string fingerprint = {};           ///< of all parameters
  std::vector<std::string> classes = {};  ///< of the head
  const Linear* head = nullptr;           ///< where it is one linear layer, else null
  Pooling pooling = Pooling::mean;
  index_t max_length = 0;  ///< tokens of a text, special tokens included
  bool normalized = false;
  std::string problem = {};               ///< what transformers calls the task, where it is not one class a text
  float value_mean = 0, value_scale = 1;  ///< of a regression, whose head says (value - mean) / scale
};

/// An encoder whose member checkpoint_type reads and writes its directories. Constructed from a folder it checks what
/// lies there; config() gives the shape and read(encoder, values) fills the encoder's parameters.
/// write_weights(encoder, values, facts, folder) writes what reads back to the same bits.  Errors: IoError,
/// FormatError. Used where they exist: write_settings(encoder, facts, folder), for what does not change with the
/// weights, and holds_weights(facts, folder), whether the weights of these facts are there already.
template <class E>
concept StoredEncoder = Encoder<E> &&
    std::constructible_from<typename E::checkpoint_type, const std::filesystem::path&> &&
    requires(const typename E::checkpoint_type& checkpoint, const E& encoder, ParameterBlock& values,
             const CheckpointFacts& facts, const std::filesystem::path& folder) {
  { checkpoint.config() } -> std::convertible_to<const typename E::config_type&>;
  checkpoint.read(encoder, values);
  E::checkpoint_type::write_weights(encoder, std::as_const(values), facts, folder);
};

}  // namespace knnbert::inline v0_1
