#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

static_assert(std::endian::native == std::endian::little, "knnbert maps little-endian files into memory unconverted");

/// Element types of tensors on disk; `other` are those that can only be left alone.
enum class DType { boolean, u8, i8, f8_e5m2, f8_e4m3, i16, u16, f16, bf16, i32, u32, f32, f64, i64, u64, other };

namespace detail {

struct DTypeEntry {
  DType dtype;
  std::string_view name;
  index_t bytes;
};

inline constexpr DTypeEntry dtypes[] = {
    {DType::boolean, "BOOL", 1},    {DType::u8, "U8", 1},   {DType::i8, "I8", 1},   {DType::f8_e5m2, "F8_E5M2", 1},
    {DType::f8_e4m3, "F8_E4M3", 1}, {DType::i16, "I16", 2}, {DType::u16, "U16", 2}, {DType::f16, "F16", 2},
    {DType::bf16, "BF16", 2},       {DType::i32, "I32", 4}, {DType::u32, "U32", 4}, {DType::f32, "F32", 4},
    {DType::f64, "F64", 8},         {DType::i64, "I64", 8}, {DType::u64, "U64", 8}, {DType::other, "other", 1},
};

}  // namespace detail

/// Bytes of one element; of `other` they are not known.
constexpr index_t dtype_size(DType dtype) { return detail::dtypes[static_cast<int>(dtype)].bytes; }

/// The name in safetensors files, such as F32.
constexpr std::string_view dtype_name(DType dtype) { return detail::dtypes[static_cast<int>(dtype)].name; }

/// The type of a name in safetensors files, or nothing.
constexpr std::optional<DType> find_dtype(std::string_view name) {
  for (const auto& entry : detail::dtypes)
    if (entry.name == name && entry.dtype != DType::other) return entry.dtype;
  return std::nullopt;
}

/// Sizes of the dimensions of a tensor; empty for a single number.
using Shape = std::vector<index_t>;

/// Bytes of a tensor; nothing if a size is negative or the product does not fit.
inline std::optional<index_t> tensor_bytes(const Shape& shape, index_t element_bytes) {
  bool empty = false;
  for (const index_t size : shape) {
    if (size < 0) return std::nullopt;
    empty |= size == 0;
  }
  index_t bytes = element_bytes;
  for (const index_t size : shape) {
    if (!empty && size > std::numeric_limits<index_t>::max() / bytes) return std::nullopt;
    bytes = empty ? 0 : bytes * size;
  }
  return bytes;
}

/// The shape as in messages: [3, 4].
inline std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (const index_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

/// IEEE 754 half precision as float; exact.
inline float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
  if (exponent == 0)
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-24f));
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// The upper half of a float as float; exact.
inline float bfloat_to_float(std::uint16_t upper) { return std::bit_cast<float>(std::uint32_t{upper} << 16); }

}  // namespace knnbert::inline v0_1
