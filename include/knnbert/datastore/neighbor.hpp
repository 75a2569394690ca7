#pragma once
#include <span>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// An entry of a datastore that was found for a query.
struct Neighbor {
  example_id id;
  label_t label;
  float score;  ///< by the metric; larger is closer

  bool operator==(const Neighbor&) const = default;
};

/// The neighbors of each of B queries, closest first.
class NeighborLists {
 public:
  index_t size() const { return std::ssize(offsets_) - 1; }  ///< number of queries
  std::span<const Neighbor> operator[](index_t query) const& {
    const auto first = offsets_[static_cast<std::size_t>(query)], last = offsets_[static_cast<std::size_t>(query) + 1];
    return std::span(all_).subspan(first, last - first);
  }
  /// A copy, so that `for (const Neighbor& n : store.search(query, k)[0])` is safe.
  std::vector<Neighbor> operator[](index_t query) const&& {
    const auto list = (*this)[query];
    return {list.begin(), list.end()};
  }

  /// Appends the list of the next query.
  void append(std::span<const Neighbor> neighbors) {
    all_.insert(all_.end(), neighbors.begin(), neighbors.end());
    offsets_.push_back(all_.size());
  }

  bool operator==(const NeighborLists&) const = default;

 private:
  std::vector<Neighbor> all_;
  std::vector<std::size_t> offsets_{0};
};

}  // namespace knnbert::inline v0_1
