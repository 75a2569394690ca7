#pragma once
#include <cstring>
#include <span>
#include <type_traits>

#include "knnbert/io/npy_dictionary.hpp"

namespace knnbert::inline v0_1::detail {

/// How numpy writes an element type.
template <class T>
constexpr std::string_view npy_type() {
  if constexpr (std::is_same_v<T, float>) return "<f4";
  else if constexpr (std::is_same_v<T, double>) return "<f8";
  else if constexpr (std::is_same_v<T, std::int32_t>) return "<i4";
  else if constexpr (std::is_same_v<T, std::int64_t>) return "<i8";
  else return "";
}

/// Bytes before the data: magic, version 1.0, and a Python dictionary padded so that the data is 64-byte aligned.
inline std::string npy_header(std::string_view type, const Shape& shape) {
  std::string sizes;
  for (const index_t size : shape) sizes += std::to_string(size) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  std::string text = format("{'descr': '{}', 'fortran_order': False, 'shape': ({}), }", type, sizes);
  text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  text += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

struct NpyContent {
  Shape shape;
  std::span<const std::byte> data;
};

/// Checks a .npy file against the expected element type.  Errors: FormatError.
inline NpyContent parse_npy(std::span<const std::byte> file, std::string_view type, index_t element_bytes,
                            std::string_view name) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with("\x93NUMPY") || text.size() < 12) raise<FormatError>("{}: no .npy file", name);
  const int version = text[6];
  if (version < 1 || version > 3) raise<FormatError>("{}: .npy version {} given, 1 to 3 expected", name, version);
  const std::size_t begin = version == 1 ? 10 : 12;
  std::uint32_t length = 0;
  std::memcpy(&length, text.data() + 8, begin - 8);
  if (length > text.size() - begin)
    raise<FormatError>("{}: header of {} bytes declared, file ends early", name, length);
  NpyDictionary header(text.substr(begin, length), name);
  if (header.type != type) raise<FormatError>("{}: elements {} given, {} expected", name, header.type, type);
  if (header.fortran_order) raise<FormatError>("{}: Fortran order given, C order expected", name);
  const auto data = file.subspan(begin + length);
  const auto bytes = tensor_bytes(header.shape, element_bytes);
  if (bytes != std::ssize(data))
    raise<FormatError>("{}: {} bytes of data given for shape {} of {}", name, data.size(), shape_text(header.shape),
                       type);
  return {std::move(header.shape), data};
}

}  // namespace knnbert::inline v0_1::detail
