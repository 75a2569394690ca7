#pragma once
#include <memory>

#include "knnbert/encoder/concept.hpp"
#include "knnbert/testing/laws.hpp"

namespace knnbert::inline v0_1::testing {

namespace detail {

/// An encoder with random values.
template <class E>
struct RandomEncoder {
  E encoder;
  ParameterBlock values;

  explicit RandomEncoder(const typename E::config_type& config) : encoder(config) {
    Layout layout = Layout::panels;
    if constexpr (requires { E::weight_layout; }) layout = E::weight_layout;
    ParameterTable table(layout);
    encoder.declare_dense(table);
    encoder.declare_lookup(table);
    values = ParameterBlock(std::make_shared<const ParameterTable>(std::move(table)));
    const Rng rng(1, Stream::noise);
    for (index_t p = 0; p < values.table().count(); ++p) {
      const Parameter& parameter = values.table()[p];
      for (index_t r = 0; r < parameter.rows; ++r)
        for (index_t c = 0; c < parameter.cols; ++c)
          values.data()[parameter.at(r, c)] = static_cast<float>(
              0.3 * rng.fork(static_cast<std::uint64_t>(p)).normal(static_cast<std::uint64_t>(r * parameter.cols + c)));
    }
  }

  static BasicEncoderInput<typename knnbert::detail::RowsOf<E>::type::input> input(const Batch& batch) { return batch; }
  Matrix encoded(const Batch& batch) const {
    Matrix embedding(batch.size(), encoder.width());
    typename E::workspace_type workspace{};
    encoder.encode(values, input(batch), ForwardOptions(), embedding, workspace, Workers());
    return embedding;
  }
};

/// The sum of a forward pass' embedding, weighted by d, and its gradient.
template <class E>
double weighted_sum(const RandomEncoder<E>& e, const Batch& batch, ConstView d, Gradients* gradients) {
  typename E::workspace_type workspace{};
  typename E::tape_type tape{};
  e.encoder.forward(e.values, e.input(batch), ForwardOptions(), tape, workspace, Workers());
  using Rows = typename knnbert::detail::RowsOf<E>::type;
  const BasicEncoderGradients<typename Rows::input, Rows> all{.d_embedding = d, .parameters = gradients};
  if (gradients) e.encoder.backward(e.values, tape, all, workspace, Workers());
  const ConstView embedding = tape.embedding();
  double sum = 0;
  for (index_t i = 0; i < d.rows(); ++i)
    for (index_t j = 0; j < d.cols(); ++j) sum += static_cast<double>(d(i, j)) * embedding(i, j);
  return sum;
}

}  // namespace detail

/// The laws of TrainableEncoder, for a batch of at least two texts without dropout. tolerance: of gradients against
/// differences of values in float, relative.
template <TrainableEncoder E>
BrokenLaws encoder_laws(const typename E::config_type& config, const Batch& batch, double tolerance = 2e-2) {
  BrokenLaws broken;
  detail::RandomEncoder<E> e(config);
  expect(broken, e.values.size() > 0 && e.encoder.width() > 0, "an encoder has parameters and a width");
  const Matrix all = e.encoded(batch);
  for (index_t i = 0; i < batch.size(); ++i)
    expect(broken, largest_difference(ConstView(all).row_range(i, 1), e.encoded(batch.slice(i, 1))) < 1e-5,
           "the embedding of text {} depends on it alone", i);
  const Matrix d = random_rows(batch.size(), e.encoder.width(), 5);
  Gradients once(e.values.shared_table()), twice(e.values.shared_table());
  detail::weighted_sum(e, batch, d, &once);
  for (int i = 0; i < 2; ++i) detail::weighted_sum(e, batch, d, &twice);
  {
    typename E::workspace_type workspace{};
    typename E::tape_type tape{};
    e.encoder.forward(e.values, e.input(batch), ForwardOptions(), tape, workspace, Workers());
    expect(broken, largest_difference(tape.embedding(), all) < 1e-5, "forward gives the embeddings of encode");
    expect(broken, tape.batch().offsets == batch.offsets, "a tape knows its batch");
  }
  double length = 0, doubled = 0;
  for (index_t i = 0; i < e.values.size(); ++i) {
    const double g = std::as_const(once).data()[i];
    length += g * g;
    doubled = std::max(doubled, std::abs(std::as_const(twice).data()[i] - 2 * g));
  }
  length = std::sqrt(length);
  expect(broken, length > 0, "a gradient at the embedding reaches the parameters");
  expect(broken, doubled <= 1e-5 * (1 + length), "backward adds");
  // Along its gradient the value rises as fast as the gradient is long.
  const double h = 1e-2;
  const auto at = [&](double step) {
    detail::RandomEncoder<E> moved(config);
    for (index_t i = 0; i < e.values.size(); ++i)
      moved.values.data()[i] += static_cast<float>(step * std::as_const(once).data()[i] / length);
    return detail::weighted_sum(moved, batch, d, nullptr);
  };
  const double slope = (at(h) - at(-h)) / (2 * h);
  expect(broken, std::abs(slope - length) <= tolerance * length,
         "the gradient is {} long, differences of the value say {}", length, slope);
  return broken;
}

/// What a StoredEncoder writes reads back to the same bits. folder: an empty one, which gets the files.
template <StoredEncoder E>
BrokenLaws stored_encoder_laws(const typename E::config_type& config, const std::filesystem::path& folder) {
  BrokenLaws broken;
  const detail::RandomEncoder<E> e(config);
  const CheckpointFacts facts{.fingerprint = "0123456789abcdef", .classes = {"a", "b"}, .max_length = 16};
  using Checkpoint = typename E::checkpoint_type;
  Checkpoint::write_weights(e.encoder, e.values, facts, folder);
  if constexpr (requires { Checkpoint::write_settings(e.encoder, facts, folder); })
    Checkpoint::write_settings(e.encoder, facts, folder);
  const Checkpoint checkpoint(folder);
  detail::RandomEncoder<E> other(checkpoint.config());
  expect(broken, other.values.size() == e.values.size(), "a directory holds the shape");
  if (!broken.empty()) return broken;
  std::fill_n(other.values.data(), other.values.size(), 0.0f);
  checkpoint.read(other.encoder, other.values);
  bool same = true;
  for (const Parameter& p : e.values.table().all())
    for (index_t r = 0; r < p.rows; ++r)
      for (index_t c = 0; c < p.cols; ++c)
        same &= e.values.data()[p.at(r, c)] == std::as_const(other.values).data()[p.at(r, c)];
  expect(broken, same, "a directory holds the values to the bit");
  if constexpr (requires { Checkpoint::holds_weights(facts, folder); }) {
    expect(broken, Checkpoint::holds_weights(facts, folder), "weights that are there are found");
    expect(broken, !Checkpoint::holds_weights({.fingerprint = "fedcba9876543210"}, folder),
           "weights of another model are none");
  }
  return broken;
}

}  // namespace knnbert::inline v0_1::testing
