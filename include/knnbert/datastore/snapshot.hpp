#pragma once
#include <optional>
#include <string_view>

#include "knnbert/datastore/search.hpp"
#include "knnbert/metric/finite.hpp"

namespace knnbert::inline v0_1 {

/// A datastore as it was at one moment: neighbors, labels and texts that belong together while others add and remove.
/// Copies are cheap and share the keys.  Thread safety: const, always.
template <Metric M, class Precisions = OnlyFp32>
class FlatSnapshot {
 public:
  FlatSnapshot(index_t width, M metric) : metric_(std::move(metric)), width_(width) {}

  index_t size() const { return rows_ - removed_; }
  index_t width() const { return width_; }
  const M& metric() const { return metric_; }
  /// Whether an entry with a second text was added, since the removed ones were last cleared away.
  bool has_pairs() const { return has_pairs_; }

  /// The k closest entries of each query that pass the filter, sorted by score, then by id; only then are scores that
  /// rounding put beyond the metric's range moved into it. Queries need not be prepared; they are only read. A zero row
  /// has similarity 0 to everything under Cosine. Errors: ShapeError; NonFiniteError; OptionError for k < 0.  Cost: B N
  /// D products, O(B k) memory.
  template <EntryFilter Filter = AcceptAll>
  NeighborLists search(ConstView queries,  // [B, D]
                       index_t k, const Filter& filter = {}, const Workers& workers = Workers()) const {
    require_queries(queries, k);
    Matrix prepared(queries.rows(), width_);
    copy(queries, prepared);
    metric_.prepare(prepared);
    return neighbors_of(prepared, k, filter, workers);
  }

  /// The same for queries that the metric has prepared, of which no copy is made.
  template <EntryFilter Filter = AcceptAll>
  NeighborLists search_prepared(ConstView prepared,  // [B, D]
                                index_t k, const Filter& filter = {}, const Workers& workers = Workers()) const {
    require_queries(prepared, k);
    return neighbors_of(prepared, k, filter, workers);
  }

  bool contains(example_id id) const { return find(id).has_value(); }
  /// Errors: OptionError, if there is no such entry.
  label_t label(example_id id) const { return at(id).chunk->label(at(id).row); }
  /// Valid as long as this snapshot.  Errors: OptionError, if there is no such entry.
  std::string_view text(example_id id) const { return at(id).chunk->text(at(id).row); }
  /// The second text, empty if there is none.  Valid and errors as text().
  std::string_view pair(example_id id) const { return at(id).chunk->pair(at(id).row); }
  /// The prepared key.  Valid and errors as text().
  std::span<const float> key(example_id id) const { return at(id).chunk->keys().row(at(id).row); }

  /// The rows as they lie in memory, removed ones included, for searches elsewhere.
  std::span<const detail::ChunkView> chunks() const { return chunks_; }
  /// Their number.
  index_t rows() const { return rows_; }

  /// Calls visit(id, label, key, text, pair) for every entry, ids ascending.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& chunk : chunks_)
      for (index_t row = 0; row < chunk.rows; ++row)
        if (chunk.lives(row))
          visit(chunk.id(row), chunk.label(row), chunk.keys().row(row), std::string_view(chunk.text(row)),
                std::string_view(chunk.pair(row)));
  }
  std::vector<example_id> ids() const {
    std::vector<example_id> all;
    for_each([&](example_id id, label_t, auto, auto, auto) { all.push_back(id); });
    return all;
  }
  std::vector<label_t> labels() const {
    std::vector<label_t> all;
    for_each([&](example_id, label_t label, auto, auto, auto) { all.push_back(label); });
    return all;
  }

  static constexpr bool may_be_lowered = ProductMetric<M> && Precisions::include(Precision::bf16);

 private:
  template <Metric, class>
  friend class FlatDatastore;

  struct Place {
    const detail::ChunkView* chunk;
    index_t row;
  };

  void require_queries(ConstView queries, index_t k) const {
    require_shape("FlatDatastore::search", queries, queries.rows(), width_);
    if (k < 0) raise<OptionError>("FlatDatastore::search: k = {} given, at least 0 expected", k);
    require_finite("FlatDatastore::search", queries);
  }

  template <EntryFilter Filter>
  NeighborLists neighbors_of(ConstView prepared, index_t k, const Filter& filter, const Workers& workers) const {
    NeighborLists lists;
    std::vector<Neighbor> found;
    for (const auto& best : closest(prepared, std::min(k, rows_), filter, workers)) {
      found.clear();
      for (const Scored& item : best) {
        const auto [chunk, row] = locate(item.index);
        found.push_back({chunk->id(row), chunk->label(row), bounded_score(metric_, item.score)});
      }
      lists.append(found);
    }
    return lists;
  }

  template <EntryFilter Filter>
  std::vector<std::vector<Scored>> closest(ConstView prepared, index_t k, const Filter& filter,
                                           const Workers& workers) const {
    if constexpr (may_be_lowered)
      if (lanes_ > 0)
        return detail::ExactSearch<M, Filter, detail::RefinedQueries<M>>(metric_, chunks_, filter)(prepared, k,
                                                                                                   workers);
    return detail::ExactSearch<M, Filter>(metric_, chunks_, filter)(prepared, k, workers);
  }

  Place locate(index_t position) const {
    const auto after = std::upper_bound(chunks_.begin(), chunks_.end(), position,
                                        [](index_t p, const auto& chunk) { return p < chunk.first; });
    return {&*(after - 1), position - (after - 1)->first};
  }

  std::optional<Place> find(example_id id) const {
    const auto chunk =
        std::partition_point(chunks_.begin(), chunks_.end(), [&](const auto& c) { return c.id(c.rows - 1) < id; });
    if (chunk == chunks_.end()) return std::nullopt;
    const auto& ids = chunk->chunk->ids;
    const index_t row = std::lower_bound(ids.begin(), ids.begin() + chunk->rows, id) - ids.begin();
    if (chunk->id(row) != id || !chunk->lives(row)) return std::nullopt;
    return Place{&*chunk, row};
  }
  Place at(example_id id) const {
    const auto place = find(id);
    if (!place) raise<OptionError>("FlatDatastore: no example {}", id);
    return *place;
  }

  M metric_;
  index_t width_ = 0, lanes_ = 0;          // of a key, and of the same in bf16 if that is kept
  std::vector<detail::ChunkView> chunks_;  // none empty
  index_t rows_ = 0, removed_ = 0;         // removed ones are counted in rows_
  bool has_pairs_ = false;
};

}  // namespace knnbert::inline v0_1
