#pragma once
#include <map>
#include <memory>

#include "knnbert/io/atomic_file.hpp"
#include "knnbert/io/tensor_view.hpp"

namespace knnbert::inline v0_1 {

/// Collects tensors and writes them as one safetensors file. It refers to the values that are added; they must live
/// until write() returns. Nothing is copied as a whole.
class SafeTensorsWriter {
 public:
  SafeTensorsWriter& metadata(std::string key, std::string value) {
    metadata_[std::move(key)] = std::move(value);
    return *this;
  }

  /// Adds a tensor of row-major elements.  Errors: ShapeError if the shape does not fit; OptionError for a name in use.
  void add(std::string name, DType dtype, Shape shape, std::span<const std::byte> bytes);
  void add(std::string name, Shape shape, std::span<const float> values) {
    add(std::move(name), DType::f32, std::move(shape), std::as_bytes(values));
  }
  void add(std::string name, Shape shape, std::span<const double> values) {
    add(std::move(name), DType::f64, std::move(shape), std::as_bytes(values));
  }
  void add(std::string name, Shape shape, std::span<const std::int32_t> values) {
    add(std::move(name), DType::i32, std::move(shape), std::as_bytes(values));
  }
  void add(std::string name, Shape shape, std::span<const std::int64_t> values) {
    add(std::move(name), DType::i64, std::move(shape), std::as_bytes(values));
  }
  void add(std::string name, Shape shape, std::span<const std::uint8_t> values) {
    add(std::move(name), DType::u8, std::move(shape), std::as_bytes(values));
  }

  /// Adds an F32 tensor whose rows (along the last dimension) are made while writing: fill(row, std::span<float>)
  /// overwrites the span. For values that are stored in another layout.
  template <class Fill>
  void add_rows(std::string name, Shape shape, Fill fill) {
    const auto bytes = tensor_bytes(shape, dtype_size(DType::f32));
    if (!bytes) raise<ShapeError>("SafeTensorsWriter::add_rows: {} has shape {}", name, shape_text(shape));
    insert(std::move(name), {.dtype = DType::f32,
                             .shape = std::move(shape),
                             .size = *bytes,
                             .bytes = {},
                             .rows = std::make_shared<FilledRows<Fill>>(std::move(fill))});
  }

  /// Lets write() leave a checksum in the metadata, for SafeTensors::require_checksum. Rows that are made while writing
  /// are made twice.
  void with_checksum() { with_checksum_ = true; }

  /// Replaces the file atomically.  Errors: IoError; FormatError for a name or metadata with malformed UTF-8.
  void write(const std::filesystem::path& path) const;

 private:
  struct RowSource {
    virtual ~RowSource() = default;
    virtual void fill(index_t row, std::span<float> out) const = 0;
  };
  template <class Fill>
  struct FilledRows : RowSource {
    explicit FilledRows(Fill f) : function(std::move(f)) {}
    void fill(index_t row, std::span<float> out) const override { function(row, out); }
    Fill function;
  };
  struct Tensor {
    DType dtype;
    Shape shape;
    index_t size;  // bytes
    std::span<const std::byte> bytes;
    std::shared_ptr<const RowSource> rows;  // instead of bytes
  };
  using Named = std::map<std::string, Tensor>::value_type;

  void insert(std::string name, Tensor tensor);
  /// Wide element types first, then by name: every tensor is aligned to its element type.
  std::vector<const Named*> in_file_order() const;
  /// The JSON header, padded with spaces to a multiple of 8 bytes.
  std::string header_text(const std::vector<const Named*>& tensors, const std::filesystem::path& path) const;
  /// Calls visit(std::span<const std::byte>) for the bytes of a tensor in order.
  template <class Visit>
  static void for_each_piece(const Tensor& tensor, Visit&& visit);

  std::map<std::string, std::string> metadata_;
  std::map<std::string, Tensor> tensors_;
  bool with_checksum_ = false;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/io/safetensors_writer_impl.hpp"
#endif
