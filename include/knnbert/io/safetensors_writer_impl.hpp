#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/safetensors_checksum.hpp"
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

template <class Visit>
void SafeTensorsWriter::for_each_piece(const Tensor& tensor, Visit&& visit) {
  if (!tensor.rows) return visit(tensor.bytes);
  if (tensor.size == 0) return;
  std::vector<float> row(static_cast<std::size_t>(tensor.shape.empty() ? 1 : tensor.shape.back()));
  const index_t count = tensor.size / std::ssize(std::as_bytes(std::span(row)));
  for (index_t i = 0; i < count; ++i) {
    tensor.rows->fill(i, row);
    visit(std::as_bytes(std::span<const float>(row)));
  }
}

KNNBERT_INLINE void SafeTensorsWriter::write(const std::filesystem::path& path) const {
  const auto tensors = in_file_order();
  const auto header = header_text(tensors, path);
  write_file_atomically(path, [&](AtomicFile& file) {
    const std::uint64_t length = header.size();
    file.append(std::as_bytes(std::span(&length, 1)));
    file.append(header);
    for (const auto* tensor : tensors)
      for_each_piece(tensor->second, [&](std::span<const std::byte> bytes) { file.append(bytes); });
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
  auto metadata = metadata_;
  if (with_checksum_) {
    Checksum checksum = detail::checksum_of(metadata_);
    for (const auto* tensor : tensors)
      for_each_piece(tensor->second, [&](std::span<const std::byte> bytes) { checksum.update(bytes); });
    metadata[detail::checksum_key] = checksum.digits();
  }
  if (!metadata.empty()) header["__metadata__"] = metadata;
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

}  // namespace knnbert::inline v0_1
