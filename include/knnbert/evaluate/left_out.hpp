#pragma once
#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/matrix.hpp"
#include "knnbert/datastore/neighbor.hpp"

/// What all other examples say of an example's label.
namespace knnbert::inline v0_1 {

namespace detail {

/// Errors: ShapeError.
inline void require_labels(std::string_view where, std::span<const label_t> labels, index_t classes) {
  for (const label_t label : labels)
    if (label < 0 || label >= classes)
      raise<ShapeError>("{}: label {} given, 0 to {} expected", where, label, classes - 1);
}

}  // namespace detail

/// The distribution [C] of labels by an example's neighbors, which leave it out: a similarity vote; uniform where there
/// is no neighbor.
inline void left_out_vote(std::span<const Neighbor> neighbors, float temperature, std::span<float> vote) {
  std::fill(vote.begin(), vote.end(), neighbors.empty() ? 1 / static_cast<float>(vote.size()) : 0.0f);
  double total = 0;
  const auto weight = [&](const Neighbor& n) {
    return std::exp((static_cast<double>(n.score) - neighbors.front().score) / temperature);
  };
  for (const Neighbor& n : neighbors) total += weight(n);
  for (const Neighbor& n : neighbors) vote[static_cast<std::size_t>(n.label)] += static_cast<float>(weight(n) / total);
}

/// Scores of a ridge regression of one-hot labels on the rows and a constant, each of the fit to all other rows:
/// y - (y - fit) / (1 - h), with h the row's leverage, so that one fit serves all.  rows [N, D]; labels [N]; penalty >
/// 0.  Memory: O(D (N + C)).  Cost: O(N D (D + C)).
class LeftOutScores {
 public:
  /// The labels must outlive it.  Errors: ShapeError.
  LeftOutScores(ConstView rows, std::span<const label_t> labels, index_t classes, double penalty = 1)
      : labels_(labels), x_(rows.rows(), rows.cols() + 1) {
    require_shape("LeftOutScores: rows", rows, std::ssize(labels), rows.cols());
    detail::require_labels("LeftOutScores", labels, classes);
    weights_ = Dense::Zero(x_.cols(), classes);
    for (index_t i = 0; i < rows.rows(); ++i) {
      for (index_t d = 0; d < rows.cols(); ++d) x_(i, d) = rows(i, d);
      x_(i, rows.cols()) = 1;
      weights_.col(labels[as_size(i)]) += x_.row(i).transpose();
    }
    Dense products = x_.transpose() * x_;
    products.diagonal().array() += penalty;
    const Eigen::LLT<Dense> factor(products);
    factor.solveInPlace(weights_);
    const Dense half = factor.matrixL().solve(Dense(x_.transpose()));  // [D + 1, N]
    for (index_t i = 0; i < rows.rows(); ++i) rest_.push_back(std::max(1e-6, 1 - half.col(i).squaredNorm()));
  }

  index_t rows() const { return x_.rows(); }
  index_t classes() const { return weights_.cols(); }

  /// Those of the rows from `first` on, [M, C].
  void operator()(index_t first, View out) const {
    const Dense fit = x_.middleRows(first, out.rows()) * weights_;
    for (index_t r = 0; r < out.rows(); ++r) {
      const index_t own = labels_[as_size(first + r)];
      for (index_t c = 0; c < out.cols(); ++c) {
        const double y = c == own ? 1 : 0;
        out(r, c) = static_cast<float>(y - (y - fit(r, c)) / rest_[as_size(first + r)]);
      }
    }
  }

 private:
  using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::span<const label_t> labels_;
  Dense x_, weights_;         // [N, D + 1], [D + 1, C]
  std::vector<double> rest_;  // 1 - h
};

/// Vote and scores as one distribution of each row: proportional to (vote + floor) e^(score / T), with the T of a few
/// under which the labels are likeliest if one in ten is anything: wrong labels are not to make it large. Rows are made
/// in blocks when they are asked for: ask in ascending order.
class LeftOutDistributions {
 public:
  /// neighbors [N] without the examples themselves, temperature: of their vote; block: rows of one, 0:
  /// as many as fit into 128 MiB. All but the labels must outlive it.  Errors: ShapeError.
  LeftOutDistributions(std::span<const std::vector<Neighbor>> neighbors, float temperature, const LeftOutScores& scores,
                       std::span<const label_t> labels, index_t block = 0, double floor = 0.05)
      : neighbors_(neighbors), vote_temperature_(temperature), scores_(scores), floor_(floor) {
    if (std::ssize(neighbors) != scores.rows() || neighbors.size() != labels.size())
      raise<ShapeError>("LeftOutDistributions: {} lists of neighbors and {} labels for {} rows given", neighbors.size(),
                        labels.size(), scores.rows());
    constexpr index_t cells = index_t{1} << 23;
    if (block <= 0) block = std::max<index_t>(1, cells / std::max<index_t>(1, scores.classes()));
    block = std::min(block, scores.rows());
    votes_.resize(block, scores.classes()), rows_.resize(block, scores.classes());
    choose_temperature(labels);
  }

  index_t rows() const { return scores_.rows(); }
  index_t classes() const { return scores_.classes(); }
  /// [N]: what each row says of its label.
  const std::vector<float>& of_labels() const { return of_labels_; }

  /// [C], until the next call.
  std::span<const float> operator()(index_t i) {
    if (i < first_ || i >= first_ + count_) {
      load(i - i % rows_.rows());
      for (index_t r = 0; r < count_; ++r) combine(r, temperature_, rows_.row(r));
    }
    return std::as_const(rows_).row(i - first_);
  }

 private:
  void load(index_t first) {
    first_ = first, count_ = std::min(rows_.rows(), rows() - first);
    scores_(first, View(rows_).row_range(0, count_));
    for (index_t r = 0; r < count_; ++r)
      left_out_vote(neighbors_[as_size(first + r)], vote_temperature_, votes_.row(r));
  }

  /// Of a row of the block, whose scores it may overwrite.
  void combine(index_t r, double temperature, std::span<float> out) const {
    const auto vote = votes_.row(r), own = rows_.row(r);
    const float top = *std::max_element(own.begin(), own.end());
    double sum = 0;
    for (std::size_t c = 0; c < out.size(); ++c) {
      const double p = (vote[c] + floor_) * std::exp((static_cast<double>(own[c]) - top) / temperature);
      out[c] = static_cast<float>(p), sum += p;
    }
    for (float& p : out) p = static_cast<float>(p / sum);
  }

  void choose_temperature(std::span<const label_t> labels) {
    constexpr double choices[] = {0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0};
    std::vector<double> likelihood(std::size(choices), 0);
    std::vector<std::vector<float>> found(std::size(choices));
    std::vector<float> row(as_size(classes()));
    for (index_t first = 0; first < rows(); first += count_) {
      load(first);
      for (index_t r = 0; r < count_; ++r)
        for (std::size_t t = 0; t < std::size(choices); ++t) {
          combine(r, choices[t], row);
          found[t].push_back(row[as_size(labels[as_size(first + r)])]);
          likelihood[t] += std::log(0.9 * static_cast<double>(found[t].back()) + 0.1 / static_cast<double>(classes()));
        }
    }
    const auto best = std::max_element(likelihood.begin(), likelihood.end()) - likelihood.begin();
    temperature_ = choices[best], of_labels_ = std::move(found[as_size(best)]);
    if (count_ < rows()) count_ = 0;  // what is there are scores, of the last rows
    for (index_t r = 0; r < count_; ++r) combine(r, temperature_, rows_.row(r));
  }

  std::span<const std::vector<Neighbor>> neighbors_;
  float vote_temperature_;
  const LeftOutScores& scores_;
  double floor_, temperature_ = 1;
  std::vector<float> of_labels_;
  Matrix votes_, rows_;  // [block, C]
  index_t first_ = 0, count_ = 0;
};

}  // namespace knnbert::inline v0_1
