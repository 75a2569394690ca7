#pragma once
#include <cmath>

#include "catch.hpp"
#include "knnbert/encoder/bert.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/io/safetensors.hpp"

namespace knnbert_test {

using namespace knnbert;

/// An encoder with its values, as a program would put it together.
struct LoadedBert {
  Bert encoder;
  ParameterBlock values;

  explicit LoadedBert(const std::filesystem::path& folder) : LoadedBert(BertCheckpoint(folder)) {}
  explicit LoadedBert(const BertCheckpoint& checkpoint) : encoder(checkpoint.config()) {
    ParameterTable table;
    encoder.declare_dense(table);
    encoder.declare_lookup(table);
    values = ParameterBlock(std::make_shared<const ParameterTable>(table));
    checkpoint.read(encoder, values);
  }
};

/// The batch of a dump: ids, offsets and, where there are pairs, segments.
inline Batch read_batch(const SafeTensors& dump) {
  Batch batch;
  for (const auto id : dump.at("ids").as_int64s()) batch.ids.push_back(static_cast<token_t>(id));
  for (const auto offset : dump.at("offsets").as_int64s()) batch.offsets.push_back(offset);
  batch.offsets.erase(batch.offsets.begin());
  batch.segments.resize(batch.ids.size());
  if (const auto segments = dump.find("segments")) {
    const auto values = segments->as_int64s();
    for (std::size_t i = 0; i < values.size(); ++i) batch.segments[i] = static_cast<std::uint8_t>(values[i]);
  }
  return batch;
}

/// A tensor of a dump as a matrix.
inline Matrix read_matrix(const SafeTensors& dump, const std::string& name) {
  const auto tensor = dump.at(name);
  const auto floats = tensor.as_floats();
  const index_t cols = tensor.shape.back(), rows = cols ? std::ssize(floats) / cols : 0;
  Matrix out(rows, cols);
  for (index_t r = 0; r < rows; ++r) std::copy_n(floats.begin() + r * cols, cols, out.row(r).begin());
  return out;
}

inline float max_difference(ConstView a, ConstView b) {
  require_shape("max_difference", a, b.rows(), b.cols());
  float worst = 0;
  for (index_t r = 0; r < a.rows(); ++r)
    for (index_t c = 0; c < a.cols(); ++c) {
      const float d = std::fabs(a(r, c) - b(r, c));
      if (!(d <= worst)) worst = d;  // NaN counts as worst
    }
  return worst;
}

inline float largest_magnitude(ConstView a) {
  float largest = 0;
  for (index_t r = 0; r < a.rows(); ++r)
    for (index_t c = 0; c < a.cols(); ++c) largest = std::max(largest, std::fabs(a(r, c)));
  return largest;
}

}  // namespace knnbert_test
