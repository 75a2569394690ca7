#pragma once
#include <concepts>
#include <span>
#include <string>
#include <vector>

#include "knnbert/core/view.hpp"
#include "knnbert/datastore/neighbor.hpp"

namespace knnbert {

/// Labeled examples that are searched by the similarity of their keys.
/// add(keys [n, D], labels [n], texts [n] or none) returns a new id for each; remove(ids) returns how many were there;
/// ids are never given twice. search(queries [B, D], k) lists for each query the k closest entries, sorted by score and
/// then by id; fewer than k only if the store holds fewer. Keys and queries need not be prepared by the metric. A
/// search sees the store as it was at one moment; add and remove leave it unchanged when they fail. Check yours with
/// testing/datastore_laws.hpp.
template <class D>
concept Datastore = requires(D& store, const D& constant, ConstView rows, std::span<const label_t> labels,
                             std::span<const std::string> texts, std::span<const example_id> ids, index_t k,
                             example_id id) {
  typename D::metric_type;
  { store.add(rows, labels, texts) } -> std::same_as<std::vector<example_id>>;
  { store.remove(ids) } -> std::convertible_to<index_t>;
  { constant.search(rows, k) } -> std::same_as<NeighborLists>;
  { constant.size() } -> std::convertible_to<index_t>;
  { constant.width() } -> std::convertible_to<index_t>;
  { constant.metric() } -> std::convertible_to<typename D::metric_type>;
  { constant.text(id) } -> std::convertible_to<std::string>;
};

}  // namespace knnbert
