#pragma once
#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "knnbert/config.hpp"
#include "knnbert/core/finite.hpp"
#include "knnbert/datastore/flat_file.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/safetensors_writer.hpp"

namespace knnbert::inline v0_1::detail {

inline constexpr std::string_view datastore_schema = "knnbert-datastore-1";

inline std::string class_names_text(std::span<const std::string> names) {
  return json_text(Json(std::vector<std::string>(names.begin(), names.end())), "class names");
}

/// The strings as a tensor of bytes, and where each begins and ends.
inline void write_texts(const TextBlob& texts, const std::string& name, SafeTensorsWriter& writer) {
  writer.add(name, {std::ssize(texts.bytes)}, std::span(texts.bytes));
  writer.add(name + "_offsets", {std::ssize(texts.offsets)}, std::span(texts.offsets));
}

/// Checks what a datastore file says about itself.
inline void require_datastore_metadata(const std::map<std::string, std::string>& metadata, std::string_view name,
                                       std::string_view key, std::string_view expected) {
  const auto found = metadata.find(std::string(key));
  const std::string_view given =
      found == metadata.end() ? std::string_view("nothing") : std::string_view(found->second);
  if (given != expected) raise<FormatError>("{}: {} is {}, {} expected", name, key, given, expected);
}

inline example_id parse_id(const std::map<std::string, std::string>& metadata, std::string_view name) {
  const auto found = metadata.find("next_id");
  const std::string text = found == metadata.end() ? "" : found->second;
  example_id value = -1;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  constexpr example_id most = std::numeric_limits<example_id>::max() / 2;  // ids are counted on
  if (text.empty() || end != text.data() + text.size() || value < 0 || value > most)
    raise<FormatError>("{}: next_id is '{}', a number up to {} expected", name, text, most);
  return value;
}

inline void check_entries(const DatastoreContent& content, std::span<const std::int64_t> labels, index_t classes,
                          std::string_view name) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= classes)
      raise<FormatError>("{}: entry {} has label {}, {} classes", name, i, labels[i], classes);
    const example_id previous = i == 0 ? -1 : content.ids[i - 1];
    if (content.ids[i] <= previous || content.ids[i] >= content.next_id)
      raise<FormatError>("{}: entry {} has id {}, ascending ids below {} expected", name, i, content.ids[i],
                         content.next_id);
  }
  for_each_piece(content, [&](index_t first, ConstView keys) {
    if (const index_t row = first_non_finite_row(keys); row >= 0)
      raise<FormatError>("{}: the key of entry {} is not finite", name, first + row);
  });
}

/// The strings that write_texts left under a name.
inline std::vector<std::string> read_texts(const SafeTensors& file, const std::string& tensor, index_t size,
                                           std::string_view name) {
  const TensorView blob = file.at(tensor), ends = file.at(tensor + "_offsets");
  ends.require_shape({size + 1});
  const auto offsets = ends.as_int64s();
  if (blob.dtype != DType::u8) raise<FormatError>("{}: element type U8 expected", blob.name);
  if (offsets.front() != 0 || offsets.back() != std::ssize(blob.bytes))
    raise<FormatError>("{}: texts from byte {} to {} of {}, all expected", name, offsets.front(), offsets.back(),
                       blob.bytes.size());
  std::vector<std::string> texts;
  const auto* bytes = reinterpret_cast<const char*>(blob.bytes.data());
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    if (offsets[i + 1] < offsets[i] || offsets[i + 1] > std::ssize(blob.bytes))
      raise<FormatError>("{}: text of entry {} from byte {} to {} of {}", name, i, offsets[i], offsets[i + 1],
                         blob.bytes.size());
    texts.emplace_back(bytes + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
  }
  return texts;
}

KNNBERT_INLINE DatastoreContent::DatastoreContent(const std::filesystem::path& path)
    : file(path), keys(file.at("keys")) {}

KNNBERT_INLINE void DatastoreContent::read_keys(index_t first, Matrix& out) const {
  const auto bytes = static_cast<std::size_t>(width()) * sizeof(float);
  for (index_t i = 0; i < out.rows(); ++i)
    std::memcpy(out.row(i).data(), keys.bytes.data() + static_cast<std::size_t>(first + i) * bytes, bytes);
}

KNNBERT_INLINE void write_datastore(const DatastoreEntries& entries, std::string_view metric,
                                    const std::filesystem::path& path, std::string_view fingerprint,
                                    std::span<const std::string> class_names) {
  const index_t size = std::ssize(entries.ids);
  SafeTensorsWriter writer;
  writer.metadata("schema", std::string(datastore_schema)).metadata("metric", std::string(metric));
  writer.metadata("fingerprint", std::string(fingerprint)).metadata("classes", class_names_text(class_names));
  writer.metadata("next_id", std::to_string(entries.next_id));
  writer.add_rows("keys", {size, entries.width}, [&](index_t row, std::span<float> out) {
    std::copy_n(entries.keys[static_cast<std::size_t>(row)], entries.width, out.begin());
  });
  writer.add("labels", {size}, std::span(entries.labels));
  writer.add("ids", {size}, std::span(entries.ids));
  write_texts(entries.texts, "text", writer);
  if (!entries.pairs.bytes.empty()) write_texts(entries.pairs, "pair", writer);
  writer.with_checksum();
  writer.write(path);
}

KNNBERT_INLINE std::unique_ptr<const DatastoreContent> read_datastore(const std::filesystem::path& path,
                                                                      std::string_view metric,
                                                                      std::string_view fingerprint,
                                                                      std::span<const std::string> class_names) {
  auto content = std::make_unique<DatastoreContent>(path);
  const SafeTensors& file = content->file;
  const std::string name = path.string();
  require_datastore_metadata(file.metadata(), name, "schema", datastore_schema);
  file.require_checksum();
  require_datastore_metadata(file.metadata(), name, "metric", metric);
  require_datastore_metadata(file.metadata(), name, "fingerprint", fingerprint);
  if (!class_names.empty()) require_datastore_metadata(file.metadata(), name, "classes", class_names_text(class_names));
  const TensorView &keys = content->keys, ids = file.at("ids"), labels = file.at("labels");
  if (keys.dtype != DType::f32 || keys.shape.size() != 2 || keys.shape[1] < 1)
    raise<FormatError>("{}: {} {} given, F32 [N, D] expected", keys.name, dtype_name(keys.dtype),
                       shape_text(keys.shape));
  const index_t size = keys.shape[0];
  for (const TensorView* tensor : {&ids, &labels}) tensor->require_shape({size});
  const auto wide_labels = labels.as_int64s();
  content->ids = ids.as_int64s();
  content->next_id = parse_id(file.metadata(), name);
  content->labels.assign(wide_labels.begin(), wide_labels.end());
  check_entries(*content, wide_labels,
                class_names.empty() ? std::numeric_limits<label_t>::max() : std::ssize(class_names), name);
  content->texts = read_texts(file, "text", size, name);
  if (file.find("pair")) content->pairs = read_texts(file, "pair", size, name);
  return content;
}

}  // namespace knnbert::inline v0_1::detail
