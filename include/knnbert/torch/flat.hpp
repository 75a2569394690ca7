#pragma once
#include "knnbert/datastore/flat.hpp"
#include "knnbert/torch/device_keys.hpp"
#include "knnbert/torch/metric.hpp"

namespace knnbert::inline v0_1 {

/// FlatSnapshot that is searched on a device: blocks of keys are scored there, and the candidates that rounding could
/// have put among the k best are scored again by the metric. Neighbors and scores are therefore those of FlatSnapshot,
/// to the bit.
template <Metric M>
class TorchSnapshot : public FlatSnapshot<M> {
 public:
  TorchSnapshot(const FlatSnapshot<M>& host, std::shared_ptr<detail::DeviceKeys> keys, index_t scores_a_block)
      : FlatSnapshot<M>(host), keys_(std::move(keys)), scores_a_block_(scores_a_block) {}

  /// See FlatSnapshot::search.  Errors: the same and DeviceMemoryError.
  template <EntryFilter Filter = AcceptAll>
  NeighborLists search(ConstView queries,  // [B, D]
                       index_t k, const Filter& filter = {}, const Workers& = Workers()) const {
    require_queries(queries, k);
    Matrix prepared(queries.rows(), this->width());
    copy(queries, prepared);
    this->metric().prepare(prepared);
    return neighbors_of(prepared, k, filter);
  }

  /// The same for queries that the metric has prepared, of which no copy is made.
  template <EntryFilter Filter = AcceptAll>
  NeighborLists search_prepared(ConstView prepared,  // [B, D]
                                index_t k, const Filter& filter = {}, const Workers& = Workers()) const {
    require_queries(prepared, k);
    return neighbors_of(prepared, k, filter);
  }

 private:
  static constexpr index_t queries_a_group = 256, spare = 16;

  void require_queries(ConstView queries, index_t k) const {
    require_shape("TorchFlat::search", queries, queries.rows(), this->width());
    if (k < 0) raise<OptionError>("TorchFlat::search: k = {} given, at least 0 expected", k);
    require_finite("TorchFlat::search", queries);
  }

  template <class Filter>
  NeighborLists neighbors_of(ConstView prepared, index_t k, const Filter& filter) const {
    std::vector<std::vector<Neighbor>> found(static_cast<std::size_t>(prepared.rows()));
    if (k > 0 && this->rows() > 0)
      detail::guarded("TorchFlat::search", [&] {
        const c10::NoGradGuard no_graph;
        const auto rows = keys_->rows(this->chunks());
        const at::Tensor removed = removed_rows();
        for (index_t first = 0; first < prepared.rows(); first += queries_a_group) {
          std::vector<index_t> open;
          for (index_t q = first; q < std::min(prepared.rows(), first + queries_a_group); ++q) open.push_back(q);
          for (index_t wanted = std::min(this->rows(), k + spare); !open.empty();
               wanted = std::min(this->rows(), 4 * wanted))
            open = settle(prepared, open, rows, removed, k, wanted, filter, found);
        }
      });
    NeighborLists lists;
    for (const auto& list : found) lists.append(list);
    return lists;
  }

  /// Undefined if nothing was removed.
  at::Tensor removed_rows() const {
    if (this->size() == this->rows()) return {};
    at::Tensor removed = at::zeros({this->rows()}, at::kBool);
    bool* at = removed.data_ptr<bool>();
    for (const auto& chunk : this->chunks())
      for (index_t row = 0; row < chunk.rows; ++row) at[chunk.first + row] = !chunk.lives(row);
    return removed.to(keys_->device());
  }

  /// The `count` best rows of each query by the device's arithmetic: scores and positions [B, count], best first.
  std::pair<at::Tensor, at::Tensor> best(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& removed,
                                         index_t count) const {
    const index_t block = std::max<index_t>(1, scores_a_block_ / queries.size(0));
    at::Tensor scores, positions;
    for (index_t first = 0; first < keys.size(0); first += block) {
      const index_t size = std::min(block, keys.size(0) - first);
      at::Tensor all = at::mm(queries, keys.narrow(0, first, size).t());
      if (removed.defined()) all.masked_fill_(removed.narrow(0, first, size), -std::numeric_limits<double>::infinity());
      auto [own, at] = at::topk(all, std::min(count, size), 1, true, false);
      at = at + first;
      scores = scores.defined() ? at::cat({scores, own}, 1) : own;
      positions = positions.defined() ? at::cat({positions, at}, 1) : at;
      if (scores.size(1) <= count) continue;
      const auto [kept, order] = at::topk(scores, count, 1, true, false);
      scores = kept, positions = positions.gather(1, order);
    }
    const auto [sorted, order] = at::topk(scores, scores.size(1), 1, true, true);
    return {sorted.cpu(), positions.gather(1, order).cpu()};
  }

  /// Finds the neighbors of queries among `wanted` candidates each; returns those for which that is not certain to
  /// suffice.
  template <class Filter>
  std::vector<index_t> settle(ConstView prepared, const std::vector<index_t>& open,
                              const detail::DeviceKeys::Rows& rows, const at::Tensor& removed, index_t k,
                              index_t wanted, const Filter& filter, std::vector<std::vector<Neighbor>>& found) const {
    Matrix queries(std::ssize(open), this->width());
    for (index_t i = 0; i < queries.rows(); ++i) {
      const auto row = prepared.row(open[static_cast<std::size_t>(i)]);
      std::copy(row.begin(), row.end(), queries.row(i).begin());
    }
    const auto [scores, positions] = best(detail::to_device(queries, keys_->device()), rows.keys, removed, wanted);
    const auto score = scores.template accessor<float, 2>();
    const auto position = positions.template accessor<std::int64_t, 2>();
    std::vector<index_t> left;
    for (index_t i = 0; i < queries.rows(); ++i) {
      const index_t query = open[static_cast<std::size_t>(i)];
      std::vector<index_t> candidates;
      for (index_t j = 0; j < scores.size(1); ++j)
        if (score[i][j] > -std::numeric_limits<float>::infinity()) candidates.push_back(position[i][j]);
      auto list = ranked(ConstView(queries).row_range(i, 1), query, candidates, filter);
      // Two sums of products in different orders differ by at most 2 D u |q| |k|; what was left out may be that much
      // closer.
      const double error =
          2 * static_cast<double>(this->width()) * 0x1p-24 * detail::DeviceKeys::length(queries.row(i)) * rows.longest;
      const bool all = wanted == this->rows() || std::ssize(candidates) < wanted;
      const bool certain =
          all || (std::ssize(list) >= k && static_cast<double>(list[static_cast<std::size_t>(k - 1)].score) >
                                               static_cast<double>(score[i][wanted - 1]) + error);
      if (!certain) {
        left.push_back(query);
        continue;
      }
      if (std::ssize(list) > k) list.resize(static_cast<std::size_t>(k));
      for (Neighbor& n : list) n.score = bounded_score(this->metric(), n.score);
      found[static_cast<std::size_t>(query)] = std::move(list);
    }
    return left;
  }

  /// Candidates that pass the filter, scored by the metric; positions and ids ascend together.
  template <class Filter>
  std::vector<Neighbor> ranked(ConstView query, index_t number, const std::vector<index_t>& candidates,
                               const Filter& filter) const {
    Matrix keys(std::ssize(candidates), this->width()), scores(1, keys.rows());
    std::vector<Neighbor> list;
    for (const index_t position : candidates) {
      const auto& chunk = *(std::upper_bound(this->chunks().begin(), this->chunks().end(), position,
                                             [](index_t p, const auto& c) { return p < c.first; }) -
                            1);
      const index_t row = position - chunk.first;
      const auto key = chunk.keys().row(row);
      std::copy(key.begin(), key.end(), keys.row(std::ssize(list)).begin());
      list.push_back({chunk.id(row), chunk.label(row), 0});
    }
    this->metric().score(query, keys, scores);
    for (std::size_t i = 0; i < list.size(); ++i) list[i].score = scores(0, static_cast<index_t>(i));
    std::erase_if(list, [&](const Neighbor& n) {
      if constexpr (std::predicate<const Filter&, index_t, example_id, label_t>) return !filter(number, n.id, n.label);
      else return !filter(n.id, n.label);
    });
    std::sort(list.begin(), list.end(), [](const Neighbor& a, const Neighbor& b) {
      return ranks_before({a.score, a.id}, {b.score, b.id});
    });
    return list;
  }

  std::shared_ptr<detail::DeviceKeys> keys_;
  index_t scores_a_block_;
};

/// FlatDatastore that is searched on a device, where the keys stay from one search to the next; main memory keeps them
/// too, beside labels and texts. The same files and neighbors.  Thread safety: as FlatDatastore.
template <Metric M = Cosine>
class TorchFlat : public FlatDatastore<M> {
  static_assert(InnerProduct<M>, "TorchFlat computes inner products: a metric like Cosine or Dot expected");

 public:
  using snapshot_type = TorchSnapshot<M>;

  index_t scores_a_block = index_t{1} << 24;  ///< scores of a search that are held at a time, at least one a query

  /// Errors: OptionError.
  explicit TorchFlat(index_t width, M metric = {}, const std::string& device = "cpu")
      : FlatDatastore<M>(width, std::move(metric)) {
    set_device(device);
  }
  TorchFlat(const TorchFlat& other)
      : FlatDatastore<M>(other), scores_a_block(other.scores_a_block),
        keys_(std::make_shared<detail::DeviceKeys>(other.width(), other.keys_->device())) {}
  TorchFlat& operator=(const TorchFlat& other) {
    FlatDatastore<M>::operator=(other);
    scores_a_block = other.scores_a_block;
    keys_ = std::make_shared<detail::DeviceKeys>(other.width(), other.keys_->device());
    return *this;
  }

  /// Where it is searched from now on. Not while others use the store.  Errors: OptionError.
  void set_device(const std::string& device) {
    keys_ = std::make_shared<detail::DeviceKeys>(this->width(), torch_device(device));
  }

  std::shared_ptr<const snapshot_type> snapshot() const {
    return std::make_shared<const snapshot_type>(*FlatDatastore<M>::snapshot(), keys_, scores_a_block);
  }

  /// See TorchSnapshot::search.
  template <EntryFilter Filter = AcceptAll>
  NeighborLists search(ConstView queries, index_t k, const Filter& filter = {},
                       const Workers& workers = Workers()) const {
    return snapshot()->search(queries, k, filter, workers);
  }

  static TorchFlat load(const std::filesystem::path& path, std::string_view fingerprint,
                        std::span<const std::string> class_names = {}, M metric = {}) {
    return TorchFlat(FlatDatastore<M>::load(path, fingerprint, class_names, std::move(metric)));
  }

 private:
  explicit TorchFlat(const FlatDatastore<M>& host) : FlatDatastore<M>(host) { set_device("cpu"); }

  std::shared_ptr<detail::DeviceKeys> keys_;
};

static_assert(Datastore<TorchFlat<>>);

}  // namespace knnbert::inline v0_1
