#pragma once
#include <concepts>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "knnbert/core/view.hpp"
#include "knnbert/datastore/neighbor.hpp"

namespace knnbert::inline v0_1 {

/// Labeled examples that are searched by the similarity of their keys.
/// add(keys [n, D], labels [n], texts [n] or none) returns a new id for each; remove(ids) returns how many were there;
/// ids are never given twice. search(queries [B, D], k) lists for each query the k closest entries, sorted by score and
/// then by id; fewer than k only if the store holds fewer. Keys and queries need not be prepared by the metric. A
/// search sees the store as it was at one moment; add and remove leave it unchanged when they fail. Check yours with
/// testing/datastore_laws.hpp.
/// search(queries, k, filter, workers) is used where there is one, snapshot() too; without snapshot() predictions of a
/// classifier must not run beside its add() and remove().
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

/// A datastore that a classifier owns: made from a width, empty; ids() of its entries, ascending.
template <class D>
concept OwnedDatastore = Datastore<D> && std::constructible_from<D, index_t> && std::copyable<D> &&
    requires(const D& store) {
  { store.ids() } -> std::same_as<std::vector<example_id>>;
};

/// One that model directories hold: load(path, fingerprint, class names) reads what save() wrote, and refuses keys of
/// another fingerprint with a StateError or FormatError.
template <class D>
concept StoredDatastore = OwnedDatastore<D> &&
    requires(const D& store, const std::filesystem::path& path, const std::string& fingerprint,
             const std::vector<std::string>& classes) {
  store.save(path, fingerprint, classes);
  { D::load(path, fingerprint, classes) } -> std::same_as<D>;
};

}  // namespace knnbert::inline v0_1
