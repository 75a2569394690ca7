#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/core/top_k.hpp"
#include "knnbert/datastore/chunk.hpp"
#include "knnbert/datastore/filter.hpp"
#include "knnbert/datastore/neighbor.hpp"
#include "knnbert/kernel/near_pairs.hpp"
#include "knnbert/metric/concept.hpp"

namespace knnbert::inline v0_1::detail {

/// Keys that are scored at a time.
struct KeyBlock {
  const ChunkView* chunk;
  index_t first, count;

  ConstView keys() const { return chunk->keys().row_range(first, count); }
  ConstView lowered() const { return chunk->lowered().row_range(first, count); }
};

/// Which entries may be found, and the best k of them for each of a group of queries.
template <EntryFilter Filter>
class Selection {
 public:
  Selection(const Filter& filter, index_t first_query, index_t queries, index_t k)
      : filter_(filter), first_query_(first_query), best_(static_cast<std::size_t>(queries), TopK(k)) {}

  bool admits(index_t query, float score) const { return at(query).admits(score); }
  float threshold(index_t query) const { return at(query).threshold(); }

  /// Key `row` of a block was scored for a query of the group.
  void offer(index_t query, const KeyBlock& block, index_t row, float score) {
    const index_t entry = block.first + row;
    if (admits(query, score) && block.chunk->lives(entry) && accepts(first_query_ + query, *block.chunk, entry))
      best_[static_cast<std::size_t>(query)].offer({score, block.chunk->first + entry});
  }

  std::vector<TopK> take() { return std::move(best_); }

 private:
  const TopK& at(index_t query) const { return best_[static_cast<std::size_t>(query)]; }

  bool accepts(index_t query, const ChunkView& chunk, index_t row) const {
    if constexpr (std::predicate<const Filter&, index_t, example_id, label_t>)
      return filter_(query, chunk.id(row), chunk.label(row));
    else return filter_(chunk.id(row), chunk.label(row));
  }

  const Filter& filter_;
  index_t first_query_;
  std::vector<TopK> best_;
};

/// A group of queries that scores blocks of keys by the metric and offers every score.
template <Metric M>
class ScoredQueries {
 public:
  static index_t group(index_t) { return 32; }
  ScoredQueries(const M& metric, ConstView queries) : metric_(metric), queries_(queries) {}

  template <class S>
  void scan(std::span<const KeyBlock> blocks, S& selection) const {
    Matrix scores;
    for (const KeyBlock& block : blocks) {
      scores.resize(queries_.rows(), block.count);
      metric_.score(queries_, block.keys(), scores);
      for (index_t q = 0; q < queries_.rows(); ++q)
        for (index_t j = 0; j < block.count; ++j)
          if (selection.admits(q, scores(q, j))) selection.offer(q, block, j, scores(q, j));
    }
  }

 private:
  const M& metric_;
  ConstView queries_;
};

/// The same for inner products: scores are compared with the k-th best in registers, and few of them
/// are ever written. The values are those of kernel::scores().
template <CompiledProductMetric M>
class ScoredQueries<M> {
  using Arch = typename ProductArch<M>::type;
  static constexpr index_t lanes_a_query = kernel::quad;

 public:
  /// Packed queries stay in the second-level cache.
  static index_t group(index_t width) {
    constexpr index_t floats = index_t{512 << 10} / index_t{sizeof(float)};
    return std::max<index_t>(16, floats / width / 16 * 16);
  }
  ScoredQueries(const M&, ConstView queries) : packed_(queries) {}

  template <class S>
  void scan(std::span<const KeyBlock> blocks, S& selection) const {
    std::vector<float> thresholds(static_cast<std::size_t>(round_up(packed_.rows() * lanes_a_query, lanes<Arch>)),
                                  std::numeric_limits<float>::infinity());
    for (index_t q = 0; q < packed_.rows(); ++q) set(thresholds.data(), q, selection.threshold(q));
    for (const KeyBlock& block : blocks)
      kernel::for_each_pair<Arch, kernel::Product>(
          packed_, block.keys(),
          [&, limits = thresholds.data() ](index_t query, index_t key, const auto& sums)
              __attribute__((always_inline)) {
                if (sums.all_below(limits + query * lanes_a_query)) return;
                offer(selection, limits, block, query, key, sums);
              });
  }

 private:
  static void set(float* limits, index_t query, float value) {
    std::fill_n(limits + query * lanes_a_query, lanes_a_query, value);
  }

  template <class S, int Keys, int Vectors>
  [[gnu::noinline]] void offer(S& selection, float* limits, const KeyBlock& block, index_t query, index_t key,
                               const kernel::PairSums<Arch, Keys, Vectors>& sums) const {
    const float* begin = limits + query * lanes_a_query;
    for (int v = 0; v < Vectors; ++v, query += kernel::quads_a_vector<Arch>)
      for (int b = 0; b < sums.key_blocks; ++b) {
        if (sums.block_below(v, b, begin)) continue;
        alignas(64) float scores[lanes<Arch>];
        sums.blocks[v][b].store_aligned(scores);
        for (index_t g = 0; g < kernel::quads_a_vector<Arch> && query + g < packed_.rows(); ++g) {
          for (int i = 0; i < sums.keys_of(b); ++i)
            selection.offer(query + g, block, key + b * kernel::quad + i, scores[g * kernel::quad + i]);
          set(limits, query + g, selection.threshold(query + g));
        }
      }
  }

  kernel::PackedRows<Arch> packed_;
};

/// The same neighbors from keys in bf16: a pair is scored if its approximate score may reach the k-th best.
template <ProductMetric M>
class RefinedQueries {
  using Arch = typename ProductArch<M>::type;

 public:
  RefinedQueries(const M& metric, ConstView queries) : queries_(queries), exact_(metric, queries), near_(queries) {}

  /// Every block's chunk is lowered.
  template <class S>
  void scan(std::span<const KeyBlock> blocks, S& selection) const {
    if (blocks.empty()) return;
    exact_.scan(blocks.first(1), selection);  // a first guess of the k best
    std::vector<float> limits(static_cast<std::size_t>(near_.padded()), std::numeric_limits<float>::infinity());
    std::vector<kernel::NearPair> found;
    for (const KeyBlock& block : blocks.subspan(1)) {
      for (index_t q = 0; q < queries_.rows(); ++q)
        limits[static_cast<std::size_t>(q)] =
            selection.threshold(q) - kernel::near_error(near_.length(q), block.chunk->longest, queries_.cols());
      found.clear();
      near_.near_pairs(block.lowered(), limits.data(), found);
      for (const auto& [query, key] : found)
        selection.offer(
            query, block, key,
            kernel::pair_score<Arch>(queries_.row(query).data(), block.keys().row(key).data(), queries_.cols()));
    }
  }

 private:
  ConstView queries_;
  ScoredQueries<M> exact_;
  kernel::NearQueries<Arch> near_;
};

/// Exact search: every key is scored, or those that may be near. Work is split into groups of queries and ranges of
/// keys; the best k of a union do not depend on the split.
template <Metric M, EntryFilter Filter, class Queries = ScoredQueries<M>>
class ExactSearch {
 public:
  ExactSearch(const M& metric, std::span<const ChunkView> chunks, const Filter& filter)
      : metric_(metric), filter_(filter) {
    for (const ChunkView& chunk : chunks)
      for (index_t first = 0; first < chunk.rows; first += keys_a_block)
        blocks_.push_back({&chunk, first, std::min(keys_a_block, chunk.rows - first)});
  }

  /// For each prepared query the k best positions in the store.
  std::vector<std::vector<Scored>> operator()(ConstView queries, index_t k, const Workers& workers) const {
    const index_t most = ScoredQueries<M>::group(queries.cols()), groups = (queries.rows() + most - 1) / most;
    const index_t parts = parts_of(groups, workers.size());
    const auto first_of = [&](index_t group) { return groups == 0 ? 0 : queries.rows() * group / groups; };
    std::vector<Queries> packed;
    for (index_t g = 0; g < groups; ++g)
      packed.emplace_back(metric_, queries.row_range(first_of(g), first_of(g + 1) - first_of(g)));
    std::vector<std::vector<TopK>> found(static_cast<std::size_t>(groups * parts));
    workers.for_each(groups * parts, [&](index_t task, index_t) {
      const index_t g = task / parts, part = task % parts, blocks = std::ssize(blocks_);
      const index_t begin = blocks * part / parts, end = blocks * (part + 1) / parts;
      Selection<Filter> selection(filter_, first_of(g), first_of(g + 1) - first_of(g), k);
      packed[static_cast<std::size_t>(g)].scan(
          std::span(blocks_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
          selection);
      found[static_cast<std::size_t>(task)] = selection.take();
    });
    return merged(found, parts);
  }

 private:
  static constexpr index_t keys_a_block = 768;  // whole register tiles, whatever their height

  /// Ranges of keys, so that there are enough tasks for the workers.
  index_t parts_of(index_t groups, index_t workers) const {
    if (workers == 1 || groups >= 4 * workers || groups == 0) return 1;
    return std::clamp<index_t>((2 * workers + groups - 1) / groups, 1, std::max<index_t>(1, std::ssize(blocks_)));
  }

  static std::vector<std::vector<Scored>> merged(std::vector<std::vector<TopK>>& found, index_t parts) {
    std::vector<std::vector<Scored>> best;
    for (std::size_t task = 0; task < found.size(); task += static_cast<std::size_t>(parts))
      for (std::size_t q = 0; q < found[task].size(); ++q) {
        TopK all = std::move(found[task][q]);
        for (std::size_t part = 1; part < static_cast<std::size_t>(parts); ++part)
          for (const Scored& item : found[task + part][q].take()) all.offer(item);
        best.push_back(all.take());
      }
    return best;
  }

  const M& metric_;
  const Filter& filter_;
  std::vector<KeyBlock> blocks_;
};

}  // namespace knnbert::inline v0_1::detail
