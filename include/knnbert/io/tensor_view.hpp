#pragma once
#include <cstring>
#include <span>

#include "knnbert/core/error.hpp"
#include "knnbert/io/dtype.hpp"

namespace knnbert::inline v0_1 {

/// A tensor inside a mapped file: row-major elements, not necessarily aligned. Valid as long as the file is open.
struct TensorView {
  std::string name;  // file and tensor, for messages
  DType dtype = DType::f32;
  Shape shape;
  std::span<const std::byte> bytes;
  std::string type = {};  // as the file spells a dtype that is `other`

  index_t size() const { return std::ssize(bytes) / dtype_size(dtype); }  ///< number of elements

  /// Converts F32, F16, BF16 or F64 into `out` of exactly size() floats.  Errors: ShapeError, FormatError.
  void copy_to(std::span<float> out) const;
  std::vector<float> as_floats() const { return converted<float>(); }

  /// Converts any integer type or BOOL into `out` of exactly size() numbers.  Errors: ShapeError, FormatError (a U64
  /// beyond the range as well).
  void copy_to(std::span<std::int64_t> out) const;
  std::vector<std::int64_t> as_int64s() const { return converted<std::int64_t>(); }

  /// Throws FormatError unless the tensor has this shape.
  void require_shape(const Shape& expected) const {
    if (shape != expected)
      raise<FormatError>("{}: shape {} given, {} expected", name, shape_text(shape), shape_text(expected));
  }

  /// One of its sizes.  Errors: FormatError if the tensor has fewer dimensions.
  index_t dimension(std::size_t number) const {
    if (number >= shape.size())
      raise<FormatError>("{}: shape {} given, more than {} dimensions expected", name, shape_text(shape), number);
    return shape[number];
  }

  /// Throws FormatError unless copy_to can make floats of the elements.
  void require_floats() const {
    if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16 && dtype != DType::f64)
      raise<FormatError>("{}: element type {} given, F32, F16, BF16 or F64 expected", name, type_name());
  }

 private:
  std::string_view type_name() const { return dtype == DType::other ? std::string_view(type) : dtype_name(dtype); }

  template <class T>
  std::vector<T> converted() const {
    std::vector<T> values(static_cast<std::size_t>(size()));
    copy_to(std::span<T>(values));
    return values;
  }

  /// out[i] = convert(element i read as Stored).
  template <class Stored, class T, class Convert>
  void convert_all(std::span<T> out, Convert convert) const {
    for (std::size_t i = 0; i < out.size(); ++i) {
      Stored value;
      std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
      out[i] = convert(value);
    }
  }
  template <class Stored, class T>
  void convert_all(std::span<T> out) const {
    convert_all<Stored>(out, [](Stored value) { return static_cast<T>(value); });
  }

  void require_size(std::size_t given) const {
    if (static_cast<index_t>(given) != size())
      raise<ShapeError>("{}: room for {} of {} elements given", name, given, size());
  }
};

inline void TensorView::copy_to(std::span<float> out) const {
  require_size(out.size());
  switch (dtype) {
    case DType::f32:
      if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
      return;
    case DType::f64: return convert_all<double>(out);
    case DType::f16: return convert_all<std::uint16_t>(out, half_to_float);
    case DType::bf16: return convert_all<std::uint16_t>(out, bfloat_to_float);
    default: require_floats();
  }
}

inline void TensorView::copy_to(std::span<std::int64_t> out) const {
  require_size(out.size());
  switch (dtype) {
    case DType::i64:
      if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
      return;
    case DType::i32: return convert_all<std::int32_t>(out);
    case DType::i16: return convert_all<std::int16_t>(out);
    case DType::i8: return convert_all<std::int8_t>(out);
    case DType::u32: return convert_all<std::uint32_t>(out);
    case DType::u16: return convert_all<std::uint16_t>(out);
    case DType::u8: return convert_all<std::uint8_t>(out);
    case DType::boolean:
      return convert_all<std::uint8_t>(out, [](std::uint8_t byte) { return std::int64_t{byte != 0}; });
    case DType::u64:
      return convert_all<std::uint64_t>(out, [&](std::uint64_t value) {
        if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
          raise<FormatError>("{}: {} given, a signed 64-bit integer expected", name, value);
        return static_cast<std::int64_t>(value);
      });
    default: raise<FormatError>("{}: element type {} given, an integer type or BOOL expected", name, type_name());
  }
}

}  // namespace knnbert::inline v0_1
