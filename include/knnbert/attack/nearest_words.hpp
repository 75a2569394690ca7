#pragma once
#include "knnbert/attack/synonyms.hpp"
#include "knnbert/attack/word_vectors.hpp"
#include "knnbert/datastore/flat.hpp"

namespace knnbert::inline v0_1 {

struct NearestWordsOptions {
  index_t most = 50;          ///< synonyms of a word
  float least_cosine = 0.5f;  ///< TextFooler's code; its paper says 0.7
};

/// Synonyms of words by their vectors: for each, the nearest others by cosine, by exact search. Words without a vector
/// are left out.  Errors: NonFiniteError.  Cost: O(n V D).
template <Metric M = Cosine>
SynonymTable nearest_words(const WordVectors& vectors, std::span<const std::string> words,
                           const NearestWordsOptions& options = {}, const Workers& workers = Workers()) {
  FlatDatastore<M> store(vectors.vectors.cols());
  store.add(vectors.vectors, std::vector<label_t>(vectors.words.size()));
  std::vector<index_t> rows;
  for (const auto& word : words)
    if (const auto row = vectors.find(word)) rows.push_back(*row);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  Matrix queries(std::ssize(rows), vectors.vectors.cols());
  for (index_t q = 0; q < queries.rows(); ++q)
    std::copy_n(vectors.vectors.row(rows[as_size(q)]).data(), queries.cols(), queries.row(q).data());
  store.metric().prepare(queries);
  SynonymTable table;
  const auto found = store.search(queries, options.most + 1, AcceptAll{}, workers);  // a word finds itself
  for (index_t q = 0; q < queries.rows(); ++q) {
    std::vector<std::string> near;
    for (const Neighbor& n : found[q])
      if (n.id != rows[as_size(q)] && n.score >= options.least_cosine && std::ssize(near) < options.most)
        near.push_back(vectors.words[static_cast<std::size_t>(n.id)]);
    table.add(vectors.words[as_size(rows[as_size(q)])], near);
  }
  return table;
}

}  // namespace knnbert::inline v0_1
