#pragma once
#include <algorithm>
#include <string>

#include "knnbert/datastore/concept.hpp"
#include "knnbert/distributed/team.hpp"
#include "knnbert/metric/finite.hpp"

namespace knnbert::inline v0_1 {

/// A datastore of which every process holds the entries whose id leaves its rank when divided by the number of
/// processes. Each searches its own, and the k best of all are merged: the neighbors of one store with everything.
/// Models Datastore; every member but size(), width() and metric() is collective, with the same arguments on all
/// processes.
template <Datastore Shard>
class ShardedDatastore {
 public:
  using metric_type = typename Shard::metric_type;

  /// `shard` must be empty and new.
  ShardedDatastore(Shard shard, const Team& team) : shard_(std::move(shard)), team_(team) {
    if (shard_.size() != 0)
      raise<OptionError>("ShardedDatastore: a shard of {} entries given, an empty one expected", shard_.size());
  }

  index_t size() const { return size_; }  ///< of all shards
  index_t width() const { return shard_.width(); }
  metric_type metric() const { return shard_.metric(); }
  const Shard& shard() const { return shard_; }

  /// Every process keeps its part of the rows.  Errors: of the shard; then none has changed.
  std::vector<example_id> add(ConstView keys, std::span<const label_t> labels,
                              std::span<const std::string> texts = {}) {
    require(keys, labels, texts);
    std::vector<example_id> ids;
    std::vector<label_t> own_labels;
    std::vector<std::string> own_texts;
    std::vector<index_t> own;
    for (index_t i = 0; i < keys.rows(); ++i) {
      ids.push_back(next_id_ + i);
      if (ids.back() % team_.size() != team_.rank()) continue;
      own.push_back(i);
      own_labels.push_back(labels[static_cast<std::size_t>(i)]);
      if (!texts.empty()) own_texts.push_back(texts[static_cast<std::size_t>(i)]);
    }
    Matrix own_keys(std::ssize(own), width());
    for (index_t i = 0; i < std::ssize(own); ++i)
      copy(keys.row_range(own[static_cast<std::size_t>(i)], 1), View(own_keys).row_range(i, 1));
    shard_.add(own_keys, own_labels, own_texts);
    next_id_ += keys.rows();
    size_ += keys.rows();
    return ids;
  }

  index_t remove(std::span<const example_id> ids) {
    std::vector<example_id> own;
    for (const example_id id : ids)
      if (mine(id)) own.push_back(id / team_.size());
    const index_t removed = shard_.remove(own);
    index_t all = 0;
    for (const index_t count : gather_values(team_, std::span<const index_t>(&removed, 1))) all += count;
    size_ -= all;
    return all;
  }

  /// Cost: B N / processes products on each, O(B k processes) numbers travel.
  NeighborLists search(ConstView queries, index_t k) const {
    const NeighborLists own = shard_.search(queries, k);
    std::vector<Neighbor> flat;
    std::vector<index_t> counts;
    for (index_t q = 0; q < queries.rows(); ++q) {
      for (Neighbor n : own[q]) {
        n.id = n.id * team_.size() + team_.rank();
        flat.push_back(n);
      }
      counts.push_back(std::ssize(own[q]));
    }
    return merge(gather_values(team_, std::span<const Neighbor>(flat)),
                 gather_values(team_, std::span<const index_t>(counts)), queries.rows(), k);
  }

  /// Errors: OptionError, if there is no such entry.
  std::string text(example_id id) const {
    if (id < 0 || id >= next_id_) raise<OptionError>("ShardedDatastore: no example {}", id);
    const auto owner = static_cast<index_t>(id % team_.size());
    std::string text;
    bool found = true;
    if (team_.rank() == owner) try {
        text = shard_.text(id / team_.size());
      } catch (const OptionError&) { found = false; }
    team_.broadcast(std::as_writable_bytes(std::span(&found, 1)), owner);
    if (!found) raise<OptionError>("ShardedDatastore: no example {}", id);
    auto size = text.size();
    team_.broadcast(std::as_writable_bytes(std::span(&size, 1)), owner);
    text.resize(size);
    team_.broadcast(std::as_writable_bytes(std::span(text)), owner);
    return text;
  }

 private:
  bool mine(example_id id) const { return id >= 0 && id % team_.size() == team_.rank(); }

  /// What a shard would refuse; here all processes refuse it together.
  void require(ConstView keys, std::span<const label_t> labels, std::span<const std::string> texts) const {
    require_shape("ShardedDatastore::add: keys", keys, std::ssize(labels), width());
    if (!texts.empty() && texts.size() != labels.size())
      raise<ShapeError>("ShardedDatastore::add: {} labels but {} texts", labels.size(), texts.size());
    for (const label_t label : labels)
      if (label < 0) raise<ShapeError>("ShardedDatastore::add: label {} given, labels count from 0", label);
    require_finite("ShardedDatastore::add", keys);
  }

  /// The lists of all processes, one process behind the other, each with a list for every query.
  NeighborLists merge(const std::vector<Neighbor>& all, const std::vector<index_t>& counts, index_t queries,
                      index_t k) const {
    std::vector<index_t> next(counts.size());
    for (std::size_t i = 1; i < counts.size(); ++i) next[i] = next[i - 1] + counts[i - 1];
    NeighborLists lists;
    std::vector<Neighbor> found;
    for (index_t q = 0; q < queries; ++q) {
      found.clear();
      for (index_t r = 0; r < team_.size(); ++r) {
        const auto list = static_cast<std::size_t>(r * queries + q);
        found.insert(found.end(), all.begin() + next[list], all.begin() + next[list] + counts[list]);
      }
      std::sort(found.begin(), found.end(), [](const Neighbor& a, const Neighbor& b) {
        return a.score > b.score || (a.score == b.score && a.id < b.id);
      });
      found.resize(std::min(found.size(), static_cast<std::size_t>(k)));
      lists.append(found);
    }
    return lists;
  }

  Shard shard_;
  Team team_;
  index_t size_ = 0;
  example_id next_id_ = 0;
};

}  // namespace knnbert::inline v0_1
