#pragma once
#include <limits>

#include "knnbert/queue/census.hpp"
#include "knnbert/torch/device.hpp"

namespace knnbert::inline v0_1::detail {

/// What a contrast knows of its anchors on the device; [B] each.
struct TorchAnchors {
  at::Tensor labels;       // int64
  at::Tensor most, least;  // int64: positives taken from either end of the ranking
  at::Tensor weight;       // float: of one positive; 0 for an anchor that takes no part
};

struct TorchContrastResult {
  at::Tensor d_queries;                          // [B, D]
  at::Tensor loss, mean_positive, sum_negative;  // [B]
};

/// The loss of QueueContrast over keys [N, D] of a device in one pass over chunks of them: a running log-sum-exp and a
/// running mean of the negatives under their softmax (both rescaled when a larger score appears), and running
/// selections of the positives at both ends of the ranking. Memory is O(B (chunk + positives)), whatever N; nothing is
/// sorted but these selections.
class TorchContrast {
 public:
  TorchContrast(at::Tensor queries, TorchAnchors anchors, double temperature, index_t most, index_t least)
      : queries_(std::move(queries)), anchors_(std::move(anchors)),
        temperature_(temperature), most_{most, true}, least_{least, false} {
    const auto column = [&](double value) { return at::full({queries_.size(0), 1}, value, queries_.options()); };
    largest_ = column(-infinity), total_ = column(0), negatives_ = column(0);
    mean_ = at::zeros_like(queries_);
    for (Selection* s : {&most_, &least_}) {
      s->scores = at::full({queries_.size(0), s->size}, s->closest ? -infinity : infinity, queries_.options());
      s->slots = at::zeros({queries_.size(0), s->size}, queries_.options().dtype(at::kLong));
    }
  }

  /// Keys [n, D] with labels [n], the first of which is in slot `first`.
  void scan(const at::Tensor& keys, const at::Tensor& labels, index_t first) {
    const at::Tensor scores = at::mm(queries_, keys.t());
    const at::Tensor same = anchors_.labels.unsqueeze(1) == labels.unsqueeze(0);
    const at::Tensor negative = (scores / temperature_).masked_fill_(same, -infinity);
    const at::Tensor larger = at::maximum(largest_, negative.amax({1}, true));
    // no negative so far: weights of 0, not NaN
    const at::Tensor base = at::where(larger == -infinity, at::zeros_like(larger), larger);
    const at::Tensor weights = at::exp(negative - base), rescale = at::exp(largest_ - base);
    total_ = total_ * rescale + weights.sum({1}, true);
    mean_ = at::addmm(mean_ * rescale, weights, keys);
    negatives_ = negatives_ + scores.masked_fill(same, 0).sum({1}, true);
    largest_ = larger;
    const at::Tensor other = at::logical_not(same);
    for (Selection* s : {&most_, &least_})
      if (s->size > 0) s->offer(scores.masked_fill(other, s->closest ? -infinity : infinity), first);
  }

  /// keys: all of them, [N, D].
  TorchContrastResult finish(const at::Tensor& keys) const {
    const at::Tensor part = anchors_.weight.unsqueeze(1) > 0;
    const at::Tensor log_z = at::where(part, largest_ + at::log(total_), at::zeros_like(total_));
    at::Tensor loss = at::zeros_like(total_), attraction = loss, positive = loss, pull = at::zeros_like(mean_);
    for (const auto& [selection, count] : {std::pair(&most_, &anchors_.most), std::pair(&least_, &anchors_.least)}) {
      if (selection->size == 0) continue;
      const at::Tensor taken =
          at::logical_and(at::arange(selection->size, count->options()).unsqueeze(0) < count->unsqueeze(1), part);
      const at::Tensor scores = at::where(taken, selection->scores, at::zeros_like(selection->scores));
      const at::Tensor gap = log_z - scores / temperature_, used = taken.to(at::kFloat);
      const at::Tensor residual = at::sigmoid(gap) * used;
      loss = loss + (at::softplus(gap) * used).sum({1}, true);
      attraction = attraction + residual.sum({1}, true);
      positive = positive + scores.sum({1}, true);
      const at::Tensor chosen =
          keys.index_select(0, selection->slots.reshape({-1})).view({queries_.size(0), selection->size, keys.size(1)});
      pull = pull + at::bmm(residual.unsqueeze(1), chosen).squeeze(1);
    }
    const at::Tensor weight = anchors_.weight.unsqueeze(1),
                     count = at::clamp_min((anchors_.most + anchors_.least).unsqueeze(1), 1);
    const at::Tensor mean = at::where(part, mean_ / total_, at::zeros_like(mean_));
    return {(attraction * mean - pull) * (weight / temperature_), (loss * weight).squeeze(1),
            (positive / count).squeeze(1), at::where(part, negatives_, at::zeros_like(negatives_)).squeeze(1)};
  }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();

  /// The `size` largest or smallest scores of each anchor so far, best first.
  struct Selection {
    index_t size;
    bool closest;
    at::Tensor scores{}, slots{};

    void offer(const at::Tensor& candidates, index_t first) {
      const auto [best, at] = at::topk(candidates, std::min(size, candidates.size(1)), 1, closest, false);
      const at::Tensor all = at::cat({scores, best}, 1), all_slots = at::cat({slots, at + first}, 1);
      const auto [kept, order] = at::topk(all, size, 1, closest, true);
      scores = kept, slots = all_slots.gather(1, order);
    }
  };

  at::Tensor queries_;
  TorchAnchors anchors_;
  double temperature_;
  Selection most_, least_;
  at::Tensor largest_, total_, mean_, negatives_;
};

}  // namespace knnbert::inline v0_1::detail
