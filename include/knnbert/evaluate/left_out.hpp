#pragma once
#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/datastore/neighbor.hpp"

/// What all other examples say of an example's label.
namespace knnbert::inline v0_1 {

/// The distribution of labels by each example's neighbors, which leave it out, [N, C]: a similarity vote; uniform where
/// there is no neighbor.
inline Matrix left_out_votes(std::span<const std::vector<Neighbor>> neighbors, index_t classes, float temperature) {
  Matrix votes(std::ssize(neighbors), classes);
  votes.fill(0);
  for (index_t i = 0; i < votes.rows(); ++i) {
    const auto& own = neighbors[as_size(i)];
    double total = 0;
    const auto weight = [&](const Neighbor& n) {
      return std::exp((static_cast<double>(n.score) - own.front().score) / temperature);
    };
    for (const Neighbor& n : own) total += weight(n);
    for (const Neighbor& n : own) votes(i, n.label) += static_cast<float>(weight(n) / total);
    if (own.empty()) std::fill(votes.row(i).begin(), votes.row(i).end(), 1 / static_cast<float>(classes));
  }
  return votes;
}

/// Scores of a ridge regression of one-hot labels on the rows and a constant, each of the fit to all other rows,
/// [N, C]: y - (y - fit) / (1 - h), with h the row's leverage, so that one fit serves all.  rows [N, D]; penalty > 0.
/// Cost: O(N D (D + C)).
inline Matrix left_out_scores(ConstView rows, std::span<const label_t> labels, index_t classes, double penalty = 1) {
  require_shape("left_out_scores: rows", rows, std::ssize(labels), rows.cols());
  using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Dense x(rows.rows(), rows.cols() + 1), y = Dense::Zero(rows.rows(), classes);
  for (index_t i = 0; i < rows.rows(); ++i) {
    for (index_t d = 0; d < rows.cols(); ++d) x(i, d) = rows(i, d);
    x(i, rows.cols()) = 1;
    y(i, labels[as_size(i)]) = 1;
  }
  Dense products = x.transpose() * x;
  products.diagonal().array() += penalty;
  const Eigen::LLT<Dense> factor(products);
  const Dense fit = x * factor.solve(Dense(x.transpose() * y));
  const Dense half = factor.matrixL().solve(Dense(x.transpose()));  // [D + 1, N]
  Matrix out(rows.rows(), classes);
  for (index_t i = 0; i < rows.rows(); ++i) {
    const double rest = std::max(1e-6, 1 - half.col(i).squaredNorm());
    for (index_t c = 0; c < classes; ++c) out(i, c) = static_cast<float>(y(i, c) - (y(i, c) - fit(i, c)) / rest);
  }
  return out;
}

/// Both as one distribution, [N, C]: proportional to (vote + floor) e^(score / T), with the T of a few under which the
/// labels are likeliest if one in ten is anything: wrong labels are not to make it large.
inline Matrix left_out_distributions(ConstView votes, ConstView scores, std::span<const label_t> labels,
                                     double floor = 0.05) {
  require_shape("left_out_distributions: scores", scores, votes.rows(), votes.cols());
  Matrix best(votes.rows(), votes.cols()), row(1, votes.cols());
  double most = -1e300;
  const auto fill = [&](index_t i, double temperature, std::span<float> out) {
    const auto own = scores.row(i);
    const float top = *std::max_element(own.begin(), own.end());
    double sum = 0;
    for (std::size_t c = 0; c < out.size(); ++c) {
      const double p = (votes.row(i)[c] + floor) * std::exp((static_cast<double>(own[c]) - top) / temperature);
      out[c] = static_cast<float>(p), sum += p;
    }
    for (float& p : out) p = static_cast<float>(p / sum);
  };
  double chosen = 1;
  for (const double temperature : {0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0}) {
    double likelihood = 0;
    for (index_t i = 0; i < votes.rows(); ++i) {
      fill(i, temperature, row.row(0));
      likelihood +=
          std::log(0.9 * static_cast<double>(row(0, labels[as_size(i)])) + 0.1 / static_cast<double>(votes.cols()));
    }
    if (likelihood > most) most = likelihood, chosen = temperature;
  }
  for (index_t i = 0; i < votes.rows(); ++i) fill(i, chosen, best.row(i));
  return best;
}

}  // namespace knnbert::inline v0_1
