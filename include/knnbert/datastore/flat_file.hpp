#pragma once
#include "knnbert/datastore/snapshot.hpp"
#include "knnbert/io/safetensors.hpp"

/// A datastore on disk.
namespace knnbert::inline v0_1::detail {

/// A checked file; keys stay in it until they are asked for.
struct DatastoreContent {
  explicit DatastoreContent(const std::filesystem::path& path);
  DatastoreContent(const DatastoreContent&) = delete;

  index_t size() const { return std::ssize(labels); }
  index_t width() const { return keys.shape[1]; }

  /// Copies the keys of entries [first, first + out.rows()).
  void read_keys(index_t first, Matrix& out) const;

  SafeTensors file;
  TensorView keys;  // [N, D]
  std::vector<label_t> labels;
  std::vector<example_id> ids;
  std::vector<std::string> texts, pairs;  // pairs: none if no entry has a second text
  example_id next_id = 0;
};

/// Calls visit(first, keys) for the entries in pieces, so that a large file is never in memory twice.
template <class Visit>
void for_each_piece(const DatastoreContent& content, Visit&& visit) {
  constexpr index_t piece = 4096;
  Matrix keys;
  for (index_t first = 0; first < content.size(); first += piece) {
    keys.resize(std::min(piece, content.size() - first), content.width());
    content.read_keys(first, keys);
    visit(first, ConstView(keys));
  }
}

/// Strings end to end.
struct TextBlob {
  std::vector<std::uint8_t> bytes;
  std::vector<std::int64_t> offsets{0};

  void push_back(std::string_view text) {
    bytes.insert(bytes.end(), text.begin(), text.end());
    offsets.push_back(std::ssize(bytes));
  }
};

/// What a datastore writes; keys stay where they are.
struct DatastoreEntries {
  index_t width = 0;
  std::vector<const float*> keys;
  std::vector<std::int64_t> labels, ids;
  TextBlob texts, pairs;
  example_id next_id = 0;
};

template <Metric M, class Precisions>
DatastoreEntries entries_of(const FlatSnapshot<M, Precisions>& store, example_id next_id) {
  DatastoreEntries entries;
  entries.width = store.width(), entries.next_id = next_id;
  store.for_each(
      [&](example_id id, label_t label, std::span<const float> key, std::string_view text, std::string_view pair) {
        entries.keys.push_back(key.data());
        entries.labels.push_back(label);
        entries.ids.push_back(id);
        entries.texts.push_back(text);
        entries.pairs.push_back(pair);
      });
  return entries;
}

/// Errors: IoError; FormatError for names with malformed UTF-8.
void write_datastore(const DatastoreEntries& entries, std::string_view metric, const std::filesystem::path& path,
                     std::string_view fingerprint, std::span<const std::string> class_names);

/// Errors: IoError, FormatError.
std::unique_ptr<const DatastoreContent> read_datastore(const std::filesystem::path& path, std::string_view metric,
                                                       std::string_view fingerprint,
                                                       std::span<const std::string> class_names);

}  // namespace knnbert::inline v0_1::detail

#if !defined(KNNBERT_COMPILED)
#include "knnbert/datastore/flat_file_impl.hpp"
#endif
