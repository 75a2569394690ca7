#pragma once
#include "knnbert/datastore/snapshot.hpp"
#include "knnbert/io/safetensors.hpp"
#include "knnbert/io/safetensors_writer.hpp"

/// A datastore on disk.
namespace knnbert::detail {

inline constexpr std::string_view datastore_schema = "knnbert-datastore-1";

struct DatastoreContent {
  index_t width = 0;
  std::vector<float> keys;  // [N, width]
  std::vector<label_t> labels;
  std::vector<example_id> ids;
  std::vector<std::string> texts;
  example_id next_id = 0;

  ConstView key_rows() const { return {keys.data(), std::ssize(labels), width}; }
};

inline std::string class_names_text(std::span<const std::string> names) {
  return json_text(Json(std::vector<std::string>(names.begin(), names.end())), "class names");
}

template <Metric M>
void write_datastore(const FlatSnapshot<M>& store, std::string_view metric, const std::filesystem::path& path, std::string_view fingerprint,
                     std::span<const std::string> class_names, example_id next_id) {
  std::vector<std::int64_t> labels, ids, offsets{0};
  std::vector<std::uint8_t> text;
  std::vector<const float*> keys;
  store.for_each([&](example_id id, label_t label, std::span<const float> key, std::string_view entry_text) {
    keys.push_back(key.data());
    labels.push_back(label);
    ids.push_back(id);
    text.insert(text.end(), entry_text.begin(), entry_text.end());
    offsets.push_back(std::ssize(text));
  });
  const index_t size = store.size(), width = store.width();
  SafeTensorsWriter writer;
  writer.metadata("schema", std::string(datastore_schema)).metadata("metric", std::string(metric));
  writer.metadata("fingerprint", std::string(fingerprint)).metadata("classes", class_names_text(class_names));
  writer.metadata("next_id", std::to_string(next_id));
  writer.add_rows("keys", {size, width}, [&](index_t row, std::span<float> out) {
    std::copy_n(keys[static_cast<std::size_t>(row)], width, out.begin());
  });
  writer.add("labels", {size}, std::span<const std::int64_t>(labels));
  writer.add("ids", {size}, std::span<const std::int64_t>(ids));
  writer.add("text", {std::ssize(text)}, std::span<const std::uint8_t>(text));
  writer.add("text_offsets", {size + 1}, std::span<const std::int64_t>(offsets));
  writer.write(path);
}

/// Checks what a datastore file says about itself.
inline void require_datastore_metadata(const std::map<std::string, std::string>& metadata, std::string_view name, std::string_view key,
                                       std::string_view expected) {
  const auto found = metadata.find(std::string(key));
  const std::string_view given = found == metadata.end() ? std::string_view("nothing") : std::string_view(found->second);
  if (given != expected) raise<FormatError>("{}: {} is {}, {} expected", name, key, given, expected);
}

inline example_id parse_id(const std::map<std::string, std::string>& metadata, std::string_view name) {
  const auto found = metadata.find("next_id");
  const std::string text = found == metadata.end() ? "" : found->second;
  example_id value = -1;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value).ptr;
  if (text.empty() || end != text.data() + text.size() || value < 0) raise<FormatError>("{}: next_id is '{}', a number expected", name, text);
  return value;
}

inline void check_datastore(const DatastoreContent& content, std::span<const std::int64_t> labels, index_t classes, std::string_view name) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= classes) raise<FormatError>("{}: entry {} has label {}, {} classes", name, i, labels[i], classes);
    const example_id previous = i == 0 ? -1 : content.ids[i - 1];
    if (content.ids[i] <= previous || content.ids[i] >= content.next_id)
      raise<FormatError>("{}: entry {} has id {}, ascending ids below {} expected", name, i, content.ids[i], content.next_id);
  }
  if (const index_t row = first_non_finite_row(content.key_rows()); row >= 0) raise<FormatError>("{}: the key of entry {} is not finite", name, row);
}

inline std::vector<std::string> split_texts(const TensorView& blob, std::span<const std::int64_t> offsets, std::string_view name) {
  if (blob.dtype != DType::u8) raise<FormatError>("{}: element type U8 expected", blob.name);
  std::vector<std::string> texts;
  const auto* bytes = reinterpret_cast<const char*>(blob.bytes.data());
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    if (offsets[i] < 0 || offsets[i + 1] < offsets[i] || offsets[i + 1] > std::ssize(blob.bytes))
      raise<FormatError>("{}: text of entry {} from byte {} to {} of {}", name, i, offsets[i], offsets[i + 1], blob.bytes.size());
    texts.emplace_back(bytes + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
  }
  return texts;
}

/// Errors: IoError, FormatError.
inline DatastoreContent read_datastore(const std::filesystem::path& path, std::string_view metric, std::string_view fingerprint,
                                       std::span<const std::string> class_names) {
  const SafeTensors file(path);
  const std::string name = path.string();
  require_datastore_metadata(file.metadata(), name, "schema", datastore_schema);
  require_datastore_metadata(file.metadata(), name, "metric", metric);
  require_datastore_metadata(file.metadata(), name, "fingerprint", fingerprint);
  if (!class_names.empty()) require_datastore_metadata(file.metadata(), name, "classes", class_names_text(class_names));
  const TensorView keys = file.at("keys"), ids = file.at("ids"), labels = file.at("labels"), offsets = file.at("text_offsets");
  if (keys.shape.size() != 2 || keys.shape[1] < 1) raise<FormatError>("{}: shape {} given, [N, D] expected", keys.name, shape_text(keys.shape));
  const index_t size = keys.shape[0];
  for (const TensorView* tensor : {&ids, &labels}) tensor->require_shape({size});
  offsets.require_shape({size + 1});
  const index_t classes = class_names.empty() ? std::numeric_limits<label_t>::max() : std::ssize(class_names);
  const auto wide_labels = labels.as_int64s();
  DatastoreContent content{.width = keys.shape[1], .keys = keys.as_floats(), .ids = ids.as_int64s(), .next_id = parse_id(file.metadata(), name)};
  check_datastore(content, wide_labels, classes, name);
  content.labels.assign(wide_labels.begin(), wide_labels.end());
  content.texts = split_texts(file.at("text"), offsets.as_int64s(), name);
  return content;
}

}  // namespace knnbert::detail
