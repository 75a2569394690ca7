#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/core/top_k.hpp"
#include "knnbert/datastore/chunk.hpp"
#include "knnbert/datastore/filter.hpp"
#include "knnbert/datastore/neighbor.hpp"
#include "knnbert/metric/concept.hpp"

namespace knnbert::detail {

/// Exact search: every key is scored. Work is split into groups of queries and, when these are few, into ranges of
/// keys; the best k of a union do not depend on the split.
template <Metric M, EntryFilter Filter>
class ExactSearch {
 public:
  ExactSearch(const M& metric, std::span<const ChunkView> chunks, const Filter& filter)
      : metric_(metric), chunks_(chunks), filter_(filter) {
    for (std::size_t c = 0; c < chunks.size(); ++c)
      for (index_t first = 0; first < chunks[c].rows; first += keys_a_block)
        blocks_.push_back({c, first, std::min(keys_a_block, chunks[c].rows - first)});
  }

  /// For each prepared query the k best positions in the store.
  std::vector<std::vector<Scored>> operator()(ConstView queries, index_t k, const Workers& workers) const {
    const index_t groups = (queries.rows() + queries_a_group - 1) / queries_a_group;
    const index_t parts = std::clamp<index_t>((2 * workers.size() + groups - 1) / std::max<index_t>(groups, 1), 1,
                                              std::max<index_t>(1, std::ssize(blocks_)));
    const index_t split = workers.size() == 1 || groups >= 4 * workers.size() ? 1 : parts;
    std::vector<std::vector<TopK>> found(static_cast<std::size_t>(groups * split));
    workers.for_each(groups * split, [&](index_t task, index_t) {
      const index_t first = task / split * queries_a_group, count = std::min(queries_a_group, queries.rows() - first),
                    part = task % split;
      found[static_cast<std::size_t>(task)] =
          scan(queries.row_range(first, count), first, k, std::ssize(blocks_) * part / split,
               std::ssize(blocks_) * (part + 1) / split);
    });
    std::vector<std::vector<Scored>> best;
    for (index_t q = 0; q < queries.rows(); ++q) {
      TopK merged(k);
      for (index_t part = 0; part < split; ++part)
        for (const Scored& item : found[static_cast<std::size_t>(q / queries_a_group * split + part)]
                                       [static_cast<std::size_t>(q % queries_a_group)]
                                           .take())
          merged.offer(item);
      best.push_back(merged.take());
    }
    return best;
  }

 private:
  static constexpr index_t queries_a_group = 32, keys_a_block = 256;

  struct Block {
    std::size_t chunk;
    index_t first, count;
  };

  std::vector<TopK> scan(ConstView queries, index_t first_query, index_t k, index_t begin, index_t end) const {
    std::vector<TopK> best(static_cast<std::size_t>(queries.rows()), TopK(k));
    Matrix scores(queries.rows(), keys_a_block);
    for (index_t b = begin; b < end; ++b) {
      const Block& block = blocks_[static_cast<std::size_t>(b)];
      const View out = View(scores).col_range(0, block.count);
      metric_.score(queries, chunks_[block.chunk].keys().row_range(block.first, block.count), out);
      for (index_t q = 0; q < queries.rows(); ++q)
        select(out.row(q), block, first_query + q, best[static_cast<std::size_t>(q)]);
    }
    return best;
  }

  void select(std::span<const float> scores, const Block& block, index_t query, TopK& best) const {
    const ChunkView& chunk = chunks_[block.chunk];
    for (index_t j = 0; j < block.count; ++j) {
      const float score = scores[static_cast<std::size_t>(j)];
      const index_t row = block.first + j;
      if (best.admits(score) && chunk.lives(row) && accepts(query, chunk, row)) best.offer({score, chunk.first + row});
    }
  }

  bool accepts(index_t query, const ChunkView& chunk, index_t row) const {
    if constexpr (std::predicate<const Filter&, index_t, example_id, label_t>)
      return filter_(query, chunk.id(row), chunk.label(row));
    else
      return filter_(chunk.id(row), chunk.label(row));
  }

  const M& metric_;
  std::span<const ChunkView> chunks_;
  const Filter& filter_;
  std::vector<Block> blocks_;
};

}  // namespace knnbert::detail
