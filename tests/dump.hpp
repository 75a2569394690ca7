#pragma once
#include "catch.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/io/safetensors.hpp"

namespace knnbert_test {

/// A dump of tests/reference, or nothing after a message.
inline std::optional<knnbert::SafeTensors> open_dump(const char* name) {
  const auto found = folder("KNNBERT_REFERENCE");
  if (found && std::filesystem::exists(*found / name))
    return std::optional<knnbert::SafeTensors>(std::in_place, *found / name);
  WARN("skipped: KNNBERT_REFERENCE names no folder with " << name);
  return std::nullopt;
}

/// A tensor as a matrix; a vector is one row.
inline knnbert::Matrix matrix_of(const knnbert::SafeTensors& dump, const std::string& name) {
  const auto tensor = dump.at(name);
  const auto floats = tensor.as_floats();
  const knnbert::index_t cols = tensor.shape.back(), rows = std::ssize(floats) / cols;
  knnbert::Matrix out(rows, cols);
  for (knnbert::index_t r = 0; r < rows; ++r) std::copy_n(floats.begin() + r * cols, cols, out.row(r).begin());
  return out;
}

/// A tensor of float64 as it is.
inline std::vector<double> doubles_of(const knnbert::SafeTensors& dump, const std::string& name) {
  const auto tensor = dump.at(name);
  std::vector<double> values(static_cast<std::size_t>(tensor.size()));
  REQUIRE(tensor.bytes.size() == values.size() * sizeof(double));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

inline std::vector<knnbert::label_t> labels_of(const knnbert::SafeTensors& dump, const std::string& name) {
  const auto wide = dump.at(name).as_int64s();
  return {wide.begin(), wide.end()};
}

/// Largest difference relative to the largest element of `expected`.
inline double relative_difference(knnbert::ConstView given, knnbert::ConstView expected) {
  knnbert::require_shape("relative_difference", given, expected.rows(), expected.cols());
  double worst = 0, scale = 1e-30;
  for (knnbert::index_t r = 0; r < given.rows(); ++r)
    for (knnbert::index_t c = 0; c < given.cols(); ++c) {
      const double d = std::abs(static_cast<double>(given(r, c)) - expected(r, c));
      if (!(d <= worst)) worst = d;  // NaN counts as worst
      scale = std::max(scale, std::abs(static_cast<double>(expected(r, c))));
    }
  return worst / scale;
}

}  // namespace knnbert_test
