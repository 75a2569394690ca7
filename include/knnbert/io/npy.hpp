#pragma once
#include "knnbert/core/view.hpp"
#include "knnbert/io/atomic_file.hpp"
#include "knnbert/io/memory_map.hpp"
#include "knnbert/io/npy_header.hpp"

namespace knnbert::inline v0_1 {

/// An array of a .npy file: row-major values of the given shape.
template <class T>
struct NpyArray {
  Shape shape;
  std::vector<T> values;
};

/// Reads a .npy file (version 1, 2 or 3, C order, little-endian) of float, double, std::int32_t or
/// std::int64_t elements.
/// Errors: IoError; FormatError, also if the element type is another one.
template <class T>
NpyArray<T> read_npy(const std::filesystem::path& path) {
  static_assert(!detail::npy_type<T>().empty(), "read_npy knows float, double, std::int32_t and std::int64_t");
  const MemoryMap file(path);
  auto [shape, data] = detail::parse_npy(file.bytes(), detail::npy_type<T>(), sizeof(T), path.string());
  NpyArray<T> array{std::move(shape), std::vector<T>(data.size() / sizeof(T))};
  if (!data.empty()) std::memcpy(array.values.data(), data.data(), data.size());
  return array;
}

/// Writes row-major values atomically.  Errors: IoError; ShapeError if the shape does not fit.
template <class T>
void write_npy(const std::filesystem::path& path, std::span<const T> values, const Shape& shape) {
  static_assert(!detail::npy_type<T>().empty(), "write_npy knows float, double, std::int32_t and std::int64_t");
  if (std::ssize(shape) > detail::most_npy_dimensions)
    raise<ShapeError>("write_npy: {} dimensions given, at most {} expected", shape.size(), detail::most_npy_dimensions);
  if (tensor_bytes(shape, sizeof(T)) != static_cast<index_t>(values.size_bytes()))
    raise<ShapeError>("write_npy: {} values given for shape {}", values.size(), shape_text(shape));
  write_file_atomically(path, [&](AtomicFile& file) {
    file.append(detail::npy_header(detail::npy_type<T>(), shape));
    file.append(std::as_bytes(values));
  });
}

/// Writes a matrix [N, D] of floats atomically.  Errors: IoError.
inline void write_npy(const std::filesystem::path& path, ConstView matrix) {
  write_file_atomically(path, [&](AtomicFile& file) {
    file.append(detail::npy_header(detail::npy_type<float>(), {matrix.rows(), matrix.cols()}));
    for (index_t i = 0; i < matrix.rows(); ++i) file.append(std::as_bytes(matrix.row(i)));
  });
}

}  // namespace knnbert::inline v0_1
