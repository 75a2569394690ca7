#pragma once
#include <limits>
#include <vector>

#include "knnbert/core/matrix.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/kernel/dot.hpp"

namespace knnbert::inline v0_1 {

/// Rows in groups, each around its mean.
struct Clusters {
  std::vector<index_t> of;  // [N] the cluster of each row
  Matrix means;             // [clusters, D]
};

namespace detail {

/// One k-means at work.
template <class Arch>
class KMeans {
 public:
  KMeans(ConstView rows, index_t clusters, const Workers& workers)
      : rows_(rows), workers_(workers), found_{std::vector<index_t>(as_size(rows.rows()), 0), {}},
        nearest_(as_size(rows.rows()), std::numeric_limits<double>::infinity()), squares_(as_size(rows.rows())) {
    found_.means.resize(clusters, rows.cols());
    for (index_t i = 0; i < rows.rows(); ++i) squares_[as_size(i)] = square(rows.row(i));
  }

  /// Means far from each other: each is a row, drawn with a chance that grows with the square of its distance to the
  /// means before it.  Arthur and Vassilvitskii 2007.
  void spread(const Rng& rng) {
    for (index_t c = 0; c < found_.means.rows(); ++c) {
      copy(rows_.row_range(draw(rng, c), 1), View(found_.means).row_range(c, 1));
      assign(c, 1);
    }
  }

  /// Assigns every row to its nearest mean and moves the means, until nothing changes.
  Clusters settle(index_t most_rounds) {
    std::vector<index_t> before;
    for (index_t round = 0; round < most_rounds && before != found_.of; ++round) {
      before = found_.of;
      move();
      std::fill(nearest_.begin(), nearest_.end(), std::numeric_limits<double>::infinity());
      assign(0, found_.means.rows());
    }
    return std::move(found_);
  }

 private:
  static constexpr index_t group = 64;  // rows whose products with the means are held at a time

  static double square(std::span<const float> row) {
    double sum = 0;
    for (const float x : row) sum += static_cast<double>(x) * x;
    return sum;
  }

  index_t draw(const Rng& rng, index_t c) const {
    const auto number = static_cast<std::uint64_t>(c);
    if (c == 0) return rng.below(number, rows_.rows());
    double total = 0;
    for (const double d : nearest_) total += d;
    double left = rng.uniform(number) * total;
    for (index_t i = 0; i < rows_.rows(); ++i)
      if ((left -= nearest_[as_size(i)]) < 0) return i;
    return rng.below(number, rows_.rows());  // rows that are all alike
  }

  /// Gives rows to means [first, first + count) that are nearer than the mean that they have.
  void assign(index_t first, index_t count) {
    const ConstView means = ConstView(found_.means).row_range(first, count);
    std::vector<double> squares;
    for (index_t c = 0; c < count; ++c) squares.push_back(square(means.row(c)));
    workers_.for_each((rows_.rows() + group - 1) / group, [&](index_t task, index_t) {
      const index_t begin = task * group, size = std::min(group, rows_.rows() - begin);
      Matrix products(size, count);
      kernel::scores<Arch>(rows_.row_range(begin, size), means, products);
      for (index_t i = 0; i < size; ++i)
        for (index_t c = 0; c < count; ++c) {
          const auto row = as_size(begin + i);
          const double distance = std::max(0.0, squares_[row] + squares[as_size(c)] - 2.0 * products(i, c));
          if (distance < nearest_[row]) nearest_[row] = distance, found_.of[row] = first + c;
        }
    });
  }

  /// A mean that lost all its rows stays where it was.
  void move() {
    const index_t clusters = found_.means.rows();
    std::vector<double> sums(as_size(clusters * rows_.cols()), 0.0);
    std::vector<index_t> counts(as_size(clusters), 0);
    for (index_t i = 0; i < rows_.rows(); ++i) {
      const index_t c = found_.of[as_size(i)];
      ++counts[as_size(c)];
      double* sum = sums.data() + c * rows_.cols();
      for (const float x : rows_.row(i)) *sum++ += x;
    }
    for (index_t c = 0; c < clusters; ++c)
      for (index_t k = 0; counts[as_size(c)] > 0 && k < rows_.cols(); ++k)
        found_.means(c, k) =
            static_cast<float>(sums[as_size(c * rows_.cols() + k)] / static_cast<double>(counts[as_size(c)]));
  }

  ConstView rows_;
  const Workers& workers_;
  Clusters found_;
  std::vector<double> nearest_, squares_;  // [N] squared distance to the mean; squared length
};

}  // namespace detail

/// Lloyd's k-means by Euclidean distance from spread-out means, at most 25 rounds; fewer clusters where there are fewer
/// rows. A function of its arguments, whatever the number of workers.
/// Errors: OptionError for less than one cluster.  Cost: about 50 N clusters D flops.
template <class Arch = DefaultArch>
Clusters k_means(ConstView rows, index_t clusters, const Rng& rng, const Workers& workers = Workers()) {
  if (clusters < 1) raise<OptionError>("k_means: {} clusters given, at least 1 expected", clusters);
  if (rows.rows() == 0) return {};
  constexpr index_t most_rounds = 25;
  detail::KMeans<Arch> own(rows, std::min(clusters, rows.rows()), workers);
  own.spread(rng);
  return own.settle(most_rounds);
}

}  // namespace knnbert::inline v0_1
