#pragma once
#include <cmath>
#include <vector>

#include "knnbert/kernel/accumulate.hpp"
#include "knnbert/kernel/masked_softmax.hpp"
#include "knnbert/nn/linear.hpp"

namespace knnbert::inline v0_1 {

/// The word table as a product reads it: [V / 16][H][16], rows past the last word zero. A copy of the values that it
/// was packed from.
class PackedWords {
 public:
  /// words [V, H] row by row; workers divide the panels.
  void assign(ConstView words, const Workers& workers) {
    constexpr index_t group = 64;
    words_ = words.rows(), width_ = words.cols();
    const index_t panels = round_up(words_, panel_width) / panel_width;
    panels_.reserve(panels * panel_width * width_);
    workers.for_each((panels + group - 1) / group, [&](index_t task, index_t) {
      for (index_t p = task * group; p < std::min(panels, (task + 1) * group); ++p) pack(words, p);
    });
  }
  index_t words() const { return words_; }
  index_t width() const { return width_; }

  /// logits [M, V] = rows E^T + bias; bias has room for whole panels.  rows [M, H]
  template <class Arch>
  void logits(ConstView rows, const float* bias, View logits, const Workers& workers) const {
    each_slice(words_, 2 * panel_width, workers, [&](index_t first, index_t count) {
      kernel::product<Arch>(rows, panels_.data(), first + count, kernel::AddBias{logits, bias}, first);
    });
  }

 private:
  void pack(ConstView words, index_t panel) {
    float* to = panels_.data() + panel * width_ * panel_width;
    const index_t first = panel * panel_width, lanes = std::min(panel_width, words.rows() - first);
    for (index_t k = 0; k < width_; ++k)
      for (index_t lane = 0; lane < panel_width; ++lane)
        to[k * panel_width + lane] = lane < lanes ? words.data()[(first + lane) * words.stride() + k] : 0.0f;
  }

  AlignedBuffer<float> panels_;
  index_t words_ = 0, width_ = 0;
};

/// Softmax over all words of rows [M, H] with logits rows E^T + b, the cross entropy of given words and its gradients:
/// rows at once so many that their logits take at most `floats_at_once` floats. The logits of a row depend on that row
/// alone.  Cost: 6 M H V floating-point operations.
template <class Arch = DefaultArch>
class TiedDecoder {
 public:
  index_t floats_at_once = index_t{1} << 24;

  /// Sum over the rows of the cross entropy. Adds `scale` times its gradients to d_rows [M, H], d_words [V, H] and
  /// d_bias [V]; where d_words has no rows, to d_rows and d_bias alone.
  double add_loss(ConstView rows, const PackedWords& packed, ConstView words, const float* bias,
                  std::span<const label_t> labels, float scale, View d_rows, View d_words, float* d_bias,
                  const Workers& workers) {
    double loss = 0;
    each_chunk(rows, packed, bias, workers, [&](index_t first, View logits) {
      losses_.assign(as_size(logits.rows()), 0.0);
      each_slice(logits.rows(), 4, workers, [&](index_t begin, index_t count) {
        for (index_t r = begin; r < begin + count; ++r)
          losses_[as_size(r)] = softmax_gradient(logits, r, labels[as_size(first + r)], scale);
      });
      for (const double l : losses_) loss += l;
      add_gradients(rows.row_range(first, logits.rows()), words, logits, d_rows.row_range(first, logits.rows()),
                    d_words, d_bias, workers);
    });
    return loss;
  }

  /// visit(first, logits [m, V]) for some rows after the others.
  template <class Visit>
  void each_chunk(ConstView rows, const PackedWords& packed, const float* bias, const Workers& workers, Visit&& visit) {
    const index_t most = std::max<index_t>(16, floats_at_once / padded_stride(packed.words()) / 16 * 16);
    for (index_t first = 0; first < rows.rows(); first += most) {
      const index_t count = std::min(most, rows.rows() - first);
      logits_.resize(count, packed.words());
      packed.template logits<Arch>(rows.row_range(first, count), bias, logits_, workers);
      visit(first, View(logits_));
    }
  }

 private:
  /// Replaces a row of logits by scale * (softmax - [word = label]); returns the cross entropy.
  static double softmax_gradient(View logits, index_t r, label_t label, float scale) {
    float* row = logits.row(r).data();
    const float right = row[label];
    kernel::pad_excluded(row, logits.cols());
    const float largest = kernel::largest_included<Arch>(row, logits.cols());
    const double total = kernel::exponentiate_included<Arch>(row, logits.cols(), 1.0f, largest);
    kernel::scale_row<Arch>(row, logits.cols(), static_cast<float>(static_cast<double>(scale) / total));
    row[label] -= scale;
    return std::log(total) + static_cast<double>(largest) - static_cast<double>(right);
  }

  void add_gradients(ConstView rows, ConstView words, ConstView d, View d_rows, View d_words, float* d_bias,
                     const Workers& workers) {
    each_slice(d.rows(), 4, workers, [&](index_t first, index_t count) {
      kernel::accumulate<Arch>(d.row_range(first, count), words, d_rows.row_range(first, count));
    });
    constexpr index_t group = 8;  // panels of a task
    const index_t panels = round_up(words.rows(), panel_width) / panel_width, width = words.cols();
    scratch_.resize(static_cast<std::size_t>(workers.size()));
    workers.for_each((panels + group - 1) / group, [&](index_t task, index_t worker) {
      const index_t first = task * group, last = std::min(panels, first + group);
      const index_t begin = first * panel_width, end = std::min(words.rows(), last * panel_width);
      kernel::add_column_sums<Arch>(d, d_bias, begin, end);
      if (d_words.empty()) return;
      Scratch& own = scratch_[as_size(worker)];
      own.copy.reserve(kernel::weight_gradient_scratch(d.rows()));
      own.panels.reserve(group * panel_width * width);
      std::fill_n(own.panels.data(), (last - first) * panel_width * width, 0.0f);
      kernel::add_weight_gradient<Arch>(rows, d.col_range(begin, end - begin), own.panels.data(), 0, last - first,
                                        own.copy.data());
      for (index_t v = begin; v < end; ++v) {
        const float* from = own.panels.data() + (v - begin) / panel_width * width * panel_width + v % panel_width;
        float* to = d_words.row(v).data();
        for (index_t k = 0; k < width; ++k) to[k] += from[k * panel_width];
      }
    });
  }

  struct Scratch {
    AlignedBuffer<float> copy, panels;
  };
  Matrix logits_;
  std::vector<double> losses_;
  std::vector<Scratch> scratch_;
};

}  // namespace knnbert::inline v0_1
