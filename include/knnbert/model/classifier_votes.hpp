#pragma once
#include "knnbert/loss/binary_cross_entropy.hpp"
#include "knnbert/model/classifier.hpp"

/// What votes weigh, and what they and the head say together: what Classifier declares.
namespace knnbert::inline v0_1 {

/// Of a class that was added after training: the root of how many times more examples the known classes have on
/// average. From few examples only few neighbors can come, however near they are; the features were not made for them.
template <class Stack>
template <class Store>
std::vector<float> Classifier<Stack>::vote_weights(const Store& store, index_t classes) const {
  const index_t known = network_.classes();
  if (!single_label() || !head_trained_ || classes <= known) return {};
  std::vector<index_t> counts(static_cast<std::size_t>(classes));
  if constexpr (requires { store.labels(); }) {
    for (const label_t label : store.labels())
      if (label < classes) ++counts[static_cast<std::size_t>(label)];  // others were added since the names were read
  } else {
    return {};
  }
  if (std::all_of(counts.begin() + known, counts.end(), [](index_t count) { return count == 0; })) return {};
  double examples = 0, usual = 0;
  for (index_t c = 0; c < known; ++c) {
    const auto count = static_cast<double>(counts[static_cast<std::size_t>(c)]);
    examples += count, usual += count > 0 ? 1 : 0;
  }
  std::vector<float> weights(static_cast<std::size_t>(classes), 1.0f);
  for (auto c = static_cast<std::size_t>(known); c < weights.size() && usual > 0; ++c)
    weights[c] = static_cast<float>(
        std::sqrt(std::max(1.0, examples / usual / std::max<double>(1, static_cast<double>(counts[c])))));
  return weights;
}

/// A class that was added after training is unknown to the head: there the head follows the neighbors, and what it says
/// of the others is scaled to the rest; else this is the fusion alone. A head that was never trained says nothing.
template <class Stack>
void Classifier<Stack>::fuse(std::span<const float> head, std::span<const float> knn, std::span<float> combined) const {
  if (!head_trained_) return fusion_(knn, knn, combined);
  const auto known = static_cast<std::size_t>(network_.classes());
  double unknown = 0;
  for (std::size_t c = known; c < knn.size() && single_label(); ++c) unknown += knn[c];
  unknown = std::min(unknown, 1.0);
  std::vector<float> extended(head.begin(), head.end());
  for (std::size_t c = 0; c < known; ++c) extended[c] *= static_cast<float>(1 - unknown);
  for (std::size_t c = known; c < knn.size(); ++c) extended[c] = knn[c];
  fusion_(extended, knn, combined);
}

template <class Stack>
void Classifier<Stack>::combine(Distributions& all) const {
  const index_t n = all.combined.rows(), c = all.combined.cols();
  for (const Matrix* one : {&all.head, &all.knn}) require_shape("Classifier::combine", ConstView(*one), n, c);
  if (c < network_.classes()) raise<ShapeError>("Classifier::combine: {} classes given, more expected", c);
  for (index_t i = 0; i < all.combined.rows(); ++i) {
    fuse(std::as_const(all.head).row(i), std::as_const(all.knn).row(i), all.combined.row(i));
    if (!all_finite(all.combined.row(i)))
      raise<NonFiniteError>("Classifier::combine: what head and vote say of text {} of {} together is not finite",
                            i + 1, n);
    if (single_label()) detail::temper(decision_.temperature, all.combined.row(i));
  }
}

template <class Stack>
void Classifier<Stack>::answer(std::span<const float> logits, std::span<float> out) const {
  if (single_label()) return softmax(logits, out);
  for (std::size_t c = 0; c < logits.size(); ++c)
    out[c] = task_.task == Task::regression ? task_.mean + task_.scale * logits[c] : sigmoid(logits[c]);
}

template <class Stack>
Certificate Classifier<Stack>::certificate(const Answers& texts, index_t text) const {
  Certificate found;
  if constexpr (WeightedVoting<voting_type>) {
    const auto& d = texts.distributions;
    const index_t classes = d.knn.cols();
    if (text < 0 || text >= d.knn.rows() || d.head.cols() != classes || texts.neighbors.size() != d.knn.rows())
      raise<ShapeError>("Classifier::certificate: text {} of {} given", text, d.knn.rows());
    if (!single_label() || texts.reweighed || classes == 1) return found;  // one class alone has nothing to turn to
    const bool exact = [&] {
      if constexpr (requires { voting_.exact(); }) return voting_.exact();
      else return false;
    }();
    constexpr std::optional<float> best = best_score<metric_type>;
    if (!best && !exact) return found;
    const double largest = voting_.weight(best.value_or(1));
    const auto edits = [&](const Matrix& rows, double phi) {
      const auto row = std::as_const(rows).row(text);
      const CertifiedAnswer answer{
          .label = static_cast<label_t>(std::max_element(row.begin(), row.end()) - row.begin()),
          .phi = phi,
          .head = std::as_const(d.head).row(text),
          .classes = classes,
          .exact = exact && phi == 1};
      return certified_edits(
          texts.neighbors[text], neighbors_, answer, [&](float score) { return voting_.weight(score); }, largest);
    };
    found.knn = edits(d.knn, 1);
    if constexpr (is_convex<fusion_type>)
      found.combined = head_trained_ ? edits(d.combined, static_cast<double>(fusion_.phi)) : found.knn;
  }
  return found;
}

}  // namespace knnbert::inline v0_1
