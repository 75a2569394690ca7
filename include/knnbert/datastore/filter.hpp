#pragma once
#include <algorithm>
#include <concepts>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Decides whether an entry may be a neighbor: filter(id, label), or filter(query, id, label) to decide by query.
template <class F>
concept EntryFilter =
    std::predicate<const F&, example_id, label_t> || std::predicate<const F&, index_t, example_id, label_t>;

/// Any entry may.
struct AcceptAll {
  bool operator()(example_id, label_t) const { return true; }
};

/// Entries of the given classes, all of them if none is given, except the excluded ones.
struct NeighborFilter {
  std::vector<label_t> classes;
  std::vector<example_id> excluded;

  bool operator()(example_id id, label_t label) const {
    const bool of_class = classes.empty() || std::find(classes.begin(), classes.end(), label) != classes.end();
    return of_class && std::find(excluded.begin(), excluded.end(), id) == excluded.end();
  }
};

}  // namespace knnbert::inline v0_1
