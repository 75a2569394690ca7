#pragma once
#include <filesystem>
#include <mutex>
#include <numeric>

#include "knnbert/core/type_name.hpp"
#include "knnbert/datastore/concept.hpp"
#include "knnbert/datastore/flat_file.hpp"
#include "knnbert/datastore/require_entries.hpp"
#include "knnbert/datastore/snapshot.hpp"
#include "knnbert/metric/cosine.hpp"

namespace knnbert::inline v0_1 {

/// Labeled keys in main memory, searched exactly.
/// Memory: keys once, with lower() once more at half the size, texts once; removed entries are dropped when they
/// outnumber the living.
/// Thread safety: any number of readers, and writers one after another, at any time; a reader sees the store as it was
/// when its call, or its snapshot, began. Every member leaves the store unchanged when it throws.
/// Precisions: AnyPrecision for a store that lower() may be called on; it takes longer to compile.
template <Metric M = Cosine, class Precisions = OnlyFp32>
class FlatDatastore {
 public:
  using metric_type = M;
  using snapshot_type = FlatSnapshot<M, Precisions>;

  /// Errors: OptionError.
  explicit FlatDatastore(index_t width, M metric = {}) {
    if (width < 1) raise<OptionError>("FlatDatastore: width {} given, at least 1 expected", width);
    current_ = std::make_shared<const snapshot_type>(width, std::move(metric));
  }
  FlatDatastore(const FlatDatastore& other) {
    const std::lock_guard writing(other.writing_);
    current_ = other.current_, next_id_ = other.next_id_;
  }
  FlatDatastore& operator=(const FlatDatastore& other) {
    FlatDatastore copy(other);
    const std::lock_guard writing(writing_);
    next_id_ = copy.next_id_;
    publish(std::move(copy.current_));
    return *this;
  }

  /// The store as it is now.  Cost: O(1).
  std::shared_ptr<const snapshot_type> snapshot() const {
    const std::lock_guard reading(reading_);
    return current_;
  }

  index_t size() const { return snapshot()->size(); }
  index_t width() const { return snapshot()->width(); }
  M metric() const { return snapshot()->metric(); }
  bool has_pairs() const { return snapshot()->has_pairs(); }
  bool contains(example_id id) const { return snapshot()->contains(id); }
  label_t label(example_id id) const { return snapshot()->label(id); }
  std::string text(example_id id) const { return std::string(snapshot()->text(id)); }
  std::string pair(example_id id) const { return std::string(snapshot()->pair(id)); }
  std::vector<example_id> ids() const { return snapshot()->ids(); }
  std::vector<label_t> labels() const { return snapshot()->labels(); }

  /// Searches from now on read the keys as bf16 and score again what may be near: the same neighbors and scores in half
  /// of the time where memory is what they wait for, for half as much memory more.  Cost: O(N D), once.
  void lower() requires(snapshot_type::may_be_lowered) {
    const std::lock_guard writing(writing_);
    if (current_->lanes_ > 0) return;
    const auto next = std::make_shared<snapshot_type>(current_->width(), current_->metric());
    next->lanes_ = kernel::near_lanes(current_->width());
    append_all(*current_, *next);
    publish(next);
  }
  bool lowered() const { return snapshot()->lanes_ > 0; }

  /// See FlatSnapshot::search.
  template <EntryFilter Filter = AcceptAll>
  NeighborLists search(ConstView queries, index_t k, const Filter& filter = {},
                       const Workers& workers = Workers()) const {
    return snapshot()->search(queries, k, filter, workers);
  }

  /// Appends examples and returns their ids, ascending and never given before.
  /// Errors: ShapeError (also for negative labels), NonFiniteError.  Cost: O(n D) and a step per 4,096 entries held.
  std::vector<example_id> add(ConstView keys,                             // [n, D]
                              std::span<const label_t> labels,            // [n]
                              std::span<const std::string> texts = {},    // [n], or none
                              std::span<const std::string> pairs = {}) {  // second texts [n], or none
    detail::require_entries(keys, labels, texts, pairs, width());
    const std::lock_guard writing(writing_);
    std::vector<example_id> ids(labels.size());
    std::iota(ids.begin(), ids.end(), next_id_);
    auto next = std::make_shared<snapshot_type>(*current_);
    append(*next, keys, labels, ids, texts, pairs, true);
    publish(std::move(next));
    next_id_ += keys.rows();
    return ids;
  }

  /// Removes entries; ids that are not there are ignored.  Returns how many were removed.
  index_t remove(std::span<const example_id> ids) {
    const std::lock_guard writing(writing_);
    auto next = std::make_shared<snapshot_type>(*current_);
    std::vector<std::shared_ptr<std::vector<std::uint64_t>>> bits(next->chunks_.size());
    for (const example_id id : ids) {
      const auto place = next->find(id);
      if (!place) continue;
      auto& chunk = next->chunks_[static_cast<std::size_t>(place->chunk - next->chunks_.data())];
      auto& own = bits[static_cast<std::size_t>(place->chunk - next->chunks_.data())];
      if (!own) chunk.removed = own = writable_bits(chunk);
      (*own)[static_cast<std::size_t>(place->row / 64)] |= std::uint64_t{1} << (place->row % 64);
      ++next->removed_;
    }
    const index_t count = next->removed_ - current_->removed_;
    if (2 * next->removed_ > next->rows_) next = compacted(*next);
    if (count > 0) publish(std::move(next));
    return count;
  }

  /// Drops removed entries from memory now (snapshots that show them keep them).
  void compact() {
    const std::lock_guard writing(writing_);
    if (current_->removed_ > 0) publish(compacted(*current_));
  }

  void clear() {
    const std::lock_guard writing(writing_);
    publish(empty_like(*current_));
  }

  /// Writes the store as safetensors: keys, labels, ids, texts, and second texts if there are any; the metadata names
  /// metric, encoder fingerprint and classes. Others may read and write meanwhile; the file holds the store as it was
  /// at the beginning. Errors: IoError, FormatError.
  void save(const std::filesystem::path& path, std::string_view fingerprint,
            std::span<const std::string> class_names) const {
    std::shared_ptr<const snapshot_type> saved;
    example_id next_id;
    {
      const std::lock_guard writing(writing_);
      saved = current_, next_id = next_id_;
    }
    detail::write_datastore(detail::entries_of(*saved, next_id), policy_name(saved->metric()), path, fingerprint,
                            class_names);
  }

  /// Errors: IoError; FormatError for a damaged file and for one made with another metric, encoder or, if class names
  /// are given, other classes.
  static FlatDatastore load(const std::filesystem::path& path, std::string_view fingerprint,
                            std::span<const std::string> class_names = {}, M metric = {}) {
    const auto content = detail::read_datastore(path, policy_name(metric), fingerprint, class_names);
    FlatDatastore store(content->width(), std::move(metric));
    auto next = std::make_shared<snapshot_type>(*store.current_);
    detail::for_each_piece(*content, [&](index_t first, ConstView keys) {
      if constexpr (requires { store.metric().first_unprepared(keys); })
        if (const index_t row = store.metric().first_unprepared(keys); row >= 0)
          raise<FormatError>("{}: the key of entry {} is not one that {} prepares", path.string(), first + row,
                             policy_name(store.metric()));
      const auto at = static_cast<std::size_t>(first), count = static_cast<std::size_t>(keys.rows());
      append(*next, keys, std::span(content->labels).subspan(at, count), std::span(content->ids).subspan(at, count),
             std::span(content->texts).subspan(at, count),
             content->pairs.empty() ? std::span<const std::string>() : std::span(content->pairs).subspan(at, count),
             false);
    });
    store.publish(std::move(next));
    store.next_id_ = content->next_id;
    return store;
  }

 private:
  static constexpr index_t smallest_chunk = 64, largest_chunk = 4096;  // rows

  void publish(std::shared_ptr<const snapshot_type> next) noexcept {
    const std::lock_guard reading(reading_);
    current_.swap(next);
  }

  /// Room for up to `wanted` rows at the end of a snapshot: what is left of its last chunk, or a new one.
  static std::pair<detail::ChunkView*, index_t> make_room(snapshot_type& s, index_t wanted) {
    if (!s.chunks_.empty()) {
      auto& last = s.chunks_.back();
      const index_t room = std::min(wanted, last.chunk->capacity() - last.rows);
      if (room > 0 && last.chunk->claim(last.rows, room)) return {&last, room};
    }
    const index_t capacity = std::clamp(std::max(wanted, s.rows_), smallest_chunk, largest_chunk);
    s.chunks_.push_back({.chunk = std::make_shared<detail::Chunk>(capacity, s.width_, s.lanes_), .first = s.rows_});
    const index_t room = std::min(wanted, capacity);
    s.chunks_.back().chunk->claim(0, room);
    return {&s.chunks_.back(), room};
  }

  static void append(snapshot_type& s, ConstView keys, std::span<const label_t> labels, std::span<const example_id> ids,
                     std::span<const std::string> texts, std::span<const std::string> pairs, bool prepare) {
    s.has_pairs_ |= std::any_of(pairs.begin(), pairs.end(), [](const std::string& pair) { return !pair.empty(); });
    for (index_t done = 0; done < keys.rows();) {
      const auto [view, count] = make_room(s, keys.rows() - done);
      detail::Chunk& chunk = *view->chunk;
      const index_t row = view->rows;
      copy(keys.row_range(done, count), chunk.rows(row, count));
      if (prepare) s.metric_.prepare(chunk.rows(row, count));
      if constexpr (snapshot_type::may_be_lowered)
        if (s.lanes_ > 0) lower(*view, row, count);
      std::copy_n(labels.begin() + done, count, chunk.labels.begin() + row);
      std::copy_n(ids.begin() + done, count, chunk.ids.begin() + row);
      if (!texts.empty()) std::copy_n(texts.begin() + done, count, chunk.texts.begin() + row);
      if (!pairs.empty()) std::copy_n(pairs.begin() + done, count, chunk.pairs.begin() + row);
      view->rows += count;
      s.rows_ += count;
      done += count;
    }
  }

  /// Rows [row, row + count) of a chunk, that nobody sees yet.
  static void lower(detail::ChunkView& view, index_t row, index_t count) requires(snapshot_type::may_be_lowered) {
    using Arch = typename ProductArch<M>::type;
    const ConstView keys = view.chunk->rows(row, count);
    kernel::lower_rows<Arch, kernel::Bf16>(keys, view.chunk->lowered_rows(row, count), nullptr);
    for (index_t i = 0; i < count; ++i)
      view.longest = std::max(view.longest, kernel::NearQueries<Arch>::length_of(keys.row(i)));
  }

  static std::shared_ptr<std::vector<std::uint64_t>> writable_bits(const detail::ChunkView& chunk) {
    if (chunk.removed) return std::make_shared<std::vector<std::uint64_t>>(*chunk.removed);
    return std::make_shared<std::vector<std::uint64_t>>(static_cast<std::size_t>((chunk.chunk->capacity() + 63) / 64));
  }

  static std::shared_ptr<snapshot_type> compacted(const snapshot_type& old) {
    const auto fresh = empty_like(old);
    append_all(old, *fresh);
    return fresh;
  }
  static std::shared_ptr<snapshot_type> empty_like(const snapshot_type& other) {
    auto fresh = std::make_shared<snapshot_type>(other.width(), other.metric());
    fresh->lanes_ = other.lanes_;
    return fresh;
  }
  static void append_all(const snapshot_type& from, snapshot_type& to) {
    from.for_each([&](example_id id, label_t label, std::span<const float> key, std::string_view text,
                      std::string_view pair) {
      const std::string first(text), second(pair);
      append(to, ConstView(key.data(), 1, std::ssize(key)), {&label, 1}, {&id, 1}, {&first, 1}, {&second, 1}, false);
    });
  }

  mutable std::mutex writing_;  // held by a writer from its first look to its publication
  mutable std::mutex reading_;  // held while current_ is read or replaced
  std::shared_ptr<const snapshot_type> current_;
  example_id next_id_ = 0;
};

}  // namespace knnbert::inline v0_1
