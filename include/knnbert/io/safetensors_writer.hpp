#pragma once
#include <map>
#include <memory>

#include "knnbert/io/json.hpp"
#include "knnbert/io/tensor_view.hpp"

namespace knnbert {

/// Collects tensors and writes them as one safetensors file. It refers to the values that are added; they must live
/// until write() returns. Nothing is copied as a whole.
class SafeTensorsWriter {
 public:
  SafeTensorsWriter& metadata(std::string key, std::string value) {
    metadata_[std::move(key)] = std::move(value);
    return *this;
  }

  /// Adds a tensor of row-major elements.  Errors: ShapeError if the shape does not fit; OptionError for a name in use.
  void add(std::string name, DType dtype, Shape shape, std::span<const std::byte> bytes) {
    if (tensor_bytes(shape, dtype_size(dtype)) != std::ssize(bytes))
      raise<ShapeError>("SafeTensorsWriter::add: {} bytes given for {} {} {}", bytes.size(), name, dtype_name(dtype),
                        shape_text(shape));
    insert(std::move(name), {dtype, std::move(shape), std::ssize(bytes), bytes, nullptr});
  }
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
    insert(std::move(name),
           {DType::f32, std::move(shape), *bytes, {}, std::make_shared<FilledRows<Fill>>(std::move(fill))});
  }

  /// Replaces the file atomically.  Errors: IoError; FormatError for a name or metadata with malformed UTF-8.
  void write(const std::filesystem::path& path) const {
    const auto tensors = in_file_order();
    const auto header = header_text(tensors, path);
    write_file_atomically(path, [&](AtomicFile& file) {
      const std::uint64_t length = header.size();
      file.append(std::as_bytes(std::span(&length, 1)));
      file.append(header);
      for (const auto* tensor : tensors) append(*tensor, file);
    });
  }

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

  void insert(std::string name, Tensor tensor) {
    if (name == "__metadata__" || tensors_.contains(name))
      raise<OptionError>("SafeTensorsWriter::add: name '{}' is in use", name);
    tensors_.emplace(std::move(name), std::move(tensor));
  }

  /// Wide element types first, then by name: every tensor is aligned to its element type.
  std::vector<const Named*> in_file_order() const {
    std::vector<const Named*> order;
    for (const auto& tensor : tensors_) order.push_back(&tensor);
    std::stable_sort(order.begin(), order.end(), [](const Named* a, const Named* b) {
      return dtype_size(a->second.dtype) > dtype_size(b->second.dtype);
    });
    return order;
  }

  /// The JSON header, padded with spaces to a multiple of 8 bytes.
  std::string header_text(const std::vector<const Named*>& tensors, const std::filesystem::path& path) const {
    Json header = Json::object();
    if (!metadata_.empty()) header["__metadata__"] = metadata_;
    index_t offset = 0;
    for (const auto* tensor : tensors) {
      const auto& [name, entry] = *tensor;
      const index_t end = offset + entry.size;
      header[name] = {{"dtype", dtype_name(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {offset, end}}};
      offset = end;
    }
    std::string text = json_text(header, path.string());
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  }

  static void append(const Named& named, AtomicFile& file) {
    const auto& tensor = named.second;
    if (!tensor.rows) return file.append(tensor.bytes);
    if (tensor.size == 0) return;
    std::vector<float> row(static_cast<std::size_t>(tensor.shape.empty() ? 1 : tensor.shape.back()));
    const index_t count = tensor.size / std::ssize(std::as_bytes(std::span(row)));
    for (index_t i = 0; i < count; ++i) {
      tensor.rows->fill(i, row);
      file.append(std::as_bytes(std::span(row)));
    }
  }

  std::map<std::string, std::string> metadata_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace knnbert
