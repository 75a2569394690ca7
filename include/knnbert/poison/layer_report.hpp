#pragma once
#include "knnbert/encoder/pooling.hpp"
#include "knnbert/evaluate/metrics.hpp"
#include "knnbert/model/classifier.hpp"

namespace knnbert::inline v0_1 {

/// What the classifier that all layers share says at one of them.
struct LayerShare {
  index_t layer = 0;  ///< 0: the embedding's output; one more than there are blocks: the pooled output
  Ratio right;        ///< share of texts that get their label
};

/// The share of texts that a poisoning term's classifier gives their label, layer by layer: with clean texts its
/// accuracy, with poisoned ones, whose label is the target, their label flip rate. own_values: of the term.
template <class Stack, class Term>
std::vector<LayerShare> layer_shares(const Classifier<Stack>& model, const Term& term, const ParameterBlock& own_values,
                                     const Dataset& data) {
  constexpr index_t texts_per_group = 64;
  const auto& network = model.network();
  const Batch all = model.tokenize(data.texts(), data.pairs());
  typename Network<Stack>::pass_type pass;
  std::vector<double> right(as_size(network.encoder().config().num_hidden_layers + 2), 0);
  const auto count = [&](std::size_t place, ConstView rows, index_t first) {
    Matrix logits(rows.rows(), network.classes());
    term.classify(own_values, rows, logits);
    for (index_t i = 0; i < rows.rows(); ++i) right[place] += argmax(logits.row(i)) == data.label(first + i);
  };
  for (index_t first = 0; first < all.size(); first += texts_per_group) {
    const Batch group = all.slice(first, std::min(texts_per_group, all.size() - first));
    network.forward(network.values(), group, {.keep = Keep::hidden}, pass);
    Matrix rows(group.size(), network.width());
    for (index_t l = 0; l <= pass.layers(); ++l) {
      first_rows(pass.hidden(l), group.offsets, rows);
      count(as_size(l), rows, first);
    }
    count(as_size(pass.layers() + 1), ConstView(pass.embedding()), first);
  }
  std::vector<LayerShare> shares;
  for (std::size_t l = 0; l < right.size(); ++l)
    shares.push_back({static_cast<index_t>(l), ratio(right[l], static_cast<double>(all.size()))});
  return shares;
}

}  // namespace knnbert::inline v0_1
