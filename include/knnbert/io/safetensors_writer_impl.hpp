#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/safetensors_writer.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void SafeTensorsWriter::add(std::string name, DType dtype, Shape shape,
                                           std::span<const std::byte> bytes) {
  if (tensor_bytes(shape, dtype_size(dtype)) != std::ssize(bytes))
    raise<ShapeError>("SafeTensorsWriter::add: {} bytes given for {} {} {}", bytes.size(), name, dtype_name(dtype),
                      shape_text(shape));
  insert(std::move(name),
         {.dtype = dtype, .shape = std::move(shape), .size = std::ssize(bytes), .bytes = bytes, .rows = nullptr});
}

KNNBERT_INLINE void SafeTensorsWriter::write(const std::filesystem::path& path) const {
  const auto tensors = in_file_order();
  const auto header = header_text(tensors, path);
  write_file_atomically(path, [&](AtomicFile& file) {
    const std::uint64_t length = header.size();
    file.append(std::as_bytes(std::span(&length, 1)));
    file.append(header);
    for (const auto* tensor : tensors) append(*tensor, file);
  });
}

KNNBERT_INLINE void SafeTensorsWriter::insert(std::string name, Tensor tensor) {
  if (name == "__metadata__" || tensors_.contains(name))
    raise<OptionError>("SafeTensorsWriter::add: name '{}' is in use", name);
  tensors_.emplace(std::move(name), std::move(tensor));
}

KNNBERT_INLINE std::vector<const SafeTensorsWriter::Named*> SafeTensorsWriter::in_file_order() const {
  std::vector<const Named*> order;
  for (const auto& tensor : tensors_) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const Named* a, const Named* b) {
    return dtype_size(a->second.dtype) > dtype_size(b->second.dtype);
  });
  return order;
}

KNNBERT_INLINE std::string SafeTensorsWriter::header_text(const std::vector<const Named*>& tensors,
                                                          const std::filesystem::path& path) const {
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

KNNBERT_INLINE void SafeTensorsWriter::append(const Named& named, AtomicFile& file) {
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

}  // namespace knnbert::inline v0_1
