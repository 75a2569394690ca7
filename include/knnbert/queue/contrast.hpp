#pragma once
#include "knnbert/core/matrix.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/metric/concept.hpp"
#include "knnbert/queue/census.hpp"
#include "knnbert/queue/interleaved.hpp"

namespace knnbert::inline v0_1 {

/// Memory of a contrast, kept from one call to the next: clearing fresh pages costs half as much as the products.
struct ContrastScratch {
  struct Anchor {
    AlignedBuffer<float> candidates;  // their similarities, kernel::excluded at other slots
    std::vector<index_t> places;      // of candidates
    std::vector<float> scores;
    std::vector<Scored> positives, negatives;
    std::vector<double> residuals;
  };
  Matrix scores, d_scores;      // [group, N]; the gradient replaces the scores where the metric allows it
  std::vector<Anchor> anchors;  // one a worker
  Census census;
  std::vector<detail::AnchorOutcome> outcomes;  // of the anchors of the batch
};

/// Contrast of a batch with a queue of labeled keys (methods: KNN-BERT Eq. 3, MoCo): value and gradient.
/// For anchor i with positives P_i and negatives N_i, U = score / T, logZ_i = log sum over N_i of e^U:
///   loss = sum_i w_i sum over P_i of softplus(logZ_i - U_ij).
/// Keys are constants. Anchors are taken in groups, so memory is O(group * N) whatever the batch; results are the same
/// for any number of workers, and a row of the gradient depends on the other rows only through the weights w.
template <class Arch, DifferentiableMetric M, class Mask, PositivePolicy Positives>
class QueueContrast {
 public:
  QueueContrast(const M& metric, const Mask& mask, LabeledRows keys, const ContrastOptions& options,
                const Positives& positives, ContrastScratch& scratch)
      : metric_(metric), mask_(mask), keys_(keys), options_(options), positives_(positives), scratch_(scratch),
        census_(scratch.census), outcomes_(scratch.outcomes) {}

  /// Adds dL/dz to d_queries.  Errors: ShapeError, OptionError.
  ContrastReport operator()(LabeledRows anchors, const Rng& rng, View d_queries, const Workers& workers) {
    check(anchors, d_queries);
    take_census(mask_, keys_.labels, anchors.labels, options_, positives_, census_);
    outcomes_.assign(anchors.labels.size(), {});
    scratch_.anchors.resize(static_cast<std::size_t>(workers.size()));
    if (census_.valid_anchors > 0)
      for (index_t first = 0; first < anchors.rows.rows(); first += group) {
        const index_t count = std::min(group, anchors.rows.rows() - first);
        score(anchors.rows.row_range(first, count), workers);
        workers.for_each(count,
                         [&](index_t i, index_t worker) { take(first + i, i, anchors, rng, d_queries, worker); });
        propagate(anchors.rows.row_range(first, count), d_queries.row_range(first, count), workers);
      }
    return report(anchors.rows);
  }

 private:
  static constexpr index_t group = 16;                // anchors whose similarities are held at a time
  static constexpr index_t keys_a_task = 2400;        // a multiple of every register tile
  static constexpr bool in_place = ProductMetric<M>;  // its backward() does not look at scores

  Matrix& d_scores() { return in_place ? scratch_.scores : scratch_.d_scores; }

  void check(LabeledRows anchors, View d_queries) const {
    options_.validate();
    const index_t batch = anchors.rows.rows();
    if (batch != std::ssize(anchors.labels))
      raise<ShapeError>("QueueContrast: {} queries but {} labels", batch, anchors.labels.size());
    require_shape("QueueContrast: queries", anchors.rows, batch, keys_.rows.cols());
    require_shape("QueueContrast: d_queries", d_queries, batch, keys_.rows.cols());
    if constexpr (brings_positives<Positives>)
      require_shape("QueueContrast: keys of positives", positives_.keys, batch, keys_.rows.cols());
  }

  void score(ConstView queries, const Workers& workers) {
    const index_t size = keys_.rows.rows();
    scratch_.scores.resize(queries.rows(), size);
    if (!in_place) scratch_.d_scores.resize(queries.rows(), size);
    workers.for_each((size + keys_a_task - 1) / keys_a_task, [&](index_t task, index_t) {
      const index_t first = task * keys_a_task, count = std::min(keys_a_task, size - first);
      metric_.score(queries, keys_.rows.row_range(first, count), View(scratch_.scores).col_range(first, count));
    });
  }

  /// Loss of one anchor; its row of d_scores is complete afterwards.
  void take(index_t anchor, index_t row, LabeledRows anchors, const Rng& rng, View d_queries, index_t worker) {
    const auto d_row = d_scores().row(row);
    if (!census_.valid(anchor)) return std::fill(d_row.begin(), d_row.end(), 0.0f);
    ContrastScratch::Anchor& scratch = scratch_.anchors[static_cast<std::size_t>(worker)];
    scratch.positives.clear();
    separate(anchors.label(anchor), scratch_.scores.row(row).data(), scratch.candidates, d_row.data());
    if constexpr (brings_positives<Positives>) scratch.positives.push_back({own_score(anchor, anchors.rows), anchor});
    else choose(anchor, scratch, rng);
    auto& outcome = outcomes_[static_cast<std::size_t>(anchor)] = lose(anchor, row, scratch);
    outcome.mean_negative /= static_cast<double>(negatives(anchor));
    if constexpr (brings_positives<Positives>) return pull(anchor, anchors.rows, scratch, d_queries);
    for (std::size_t j = 0; j < scratch.positives.size(); ++j)
      d_row[static_cast<std::size_t>(scratch.positives[j].index)] -= static_cast<float>(scratch.residuals[j]);
  }

  /// Copies the similarities of possible positives and of negatives, kernel::excluded at all others.
  void separate(label_t label, const float* scores, AlignedBuffer<float>& candidates, float* negatives) const {
    const label_t* labels = keys_.labels.data();
    const index_t size = std::ssize(keys_.labels);
    candidates.reserve(size + panel_width);
    float* __restrict positives = candidates.data();
    for (index_t j = 0; j < size; ++j) {
      const float score = scores[j];
      positives[j] = mask_.positive(label, labels[j]) ? score : kernel::excluded;
      negatives[j] = mask_.negative(label, labels[j]) ? score : kernel::excluded;
    }
    kernel::pad_excluded(positives, size);
    kernel::pad_excluded(negatives, size);
  }

  /// Lets the policy choose among the candidates, those at the ends of the ranking if it needs no others.
  void choose(index_t anchor, ContrastScratch::Anchor& scratch, const Rng& rng) const {
    const float* candidates = scratch.candidates.data();
    const index_t size = std::ssize(keys_.labels);
    kernel::Ends ends{kernel::excluded, std::numeric_limits<float>::max()};  // all
    if constexpr (requires { positives_.ends(options_); })
      if (const auto few = positives_.ends(options_))
        ends = kernel::bound_ends<Arch>(candidates, size, few->most, few->least);
    scratch.places.clear();
    scratch.scores.clear();
    kernel::collect_in_ends<Arch>(candidates, size, ends, scratch.places, scratch.scores);
    positives_.choose({options_.first_anchor + anchor, scratch.places, scratch.scores, census_.fewest_candidates},
                      options_, rng, scratch.positives);
  }

  detail::AnchorOutcome lose(index_t anchor, index_t row, ContrastScratch::Anchor& scratch) {
    const auto d_row = d_scores().row(row);
    const double weight = census_.weight(anchor, options_);
    if (poorest_negatives()) rank_negatives(d_row, scratch.negatives);
    if (interleaved())
      return detail::interleaved_loss(d_row, scratch.negatives, scratch.positives, weight, options_.temperature,
                                      scratch.residuals);
    return detail::anchor_loss<Arch>(d_row.data(), std::ssize(d_row), scratch.positives, weight, options_.temperature,
                                     scratch.residuals);
  }

  /// Keeps the closest negatives only, as many as the poorest anchor has.
  void rank_negatives(std::span<float> d_row, std::vector<Scored>& ranked) const {
    ranked.clear();
    for (std::size_t j = 0; j < d_row.size(); ++j)
      if (d_row[j] != kernel::excluded) ranked.push_back({d_row[j], static_cast<index_t>(j)});
    std::sort(ranked.begin(), ranked.end(), ranks_before);
    for (auto j = static_cast<std::size_t>(census_.fewest_negatives); j < ranked.size(); ++j)
      d_row[static_cast<std::size_t>(ranked[j].index)] = kernel::excluded;
    ranked.resize(std::min(ranked.size(), static_cast<std::size_t>(census_.fewest_negatives)));
  }

  bool interleaved() const {
    if constexpr (requires { positives_.interleaved_negatives; }) return positives_.interleaved_negatives;
    else return false;
  }
  bool poorest_negatives() const { return options_.lists == Lists::batch_min || interleaved(); }
  index_t negatives(index_t anchor) const {
    return poorest_negatives() ? census_.fewest_negatives : census_.anchors[static_cast<std::size_t>(anchor)].negatives;
  }

  float own_score(index_t anchor, ConstView queries) const {
    float score;
    metric_.score(queries.row_range(anchor, 1), positives_.keys.row_range(anchor, 1), View(&score, 1, 1));
    return score;
  }
  void pull(index_t anchor, ConstView queries, const ContrastScratch::Anchor& scratch, View d_queries) const {
    const float score = scratch.positives.front().score, d_score = -static_cast<float>(scratch.residuals.front());
    metric_.backward(queries.row_range(anchor, 1), positives_.keys.row_range(anchor, 1), ConstView(&score, 1, 1),
                     ConstView(&d_score, 1, 1), d_queries.row_range(anchor, 1));
  }

  /// Anchors are handed out in slices of several, so that the keys are read once per worker, not once per anchor.
  void propagate(ConstView queries, View d_queries, const Workers& workers) {
    const index_t slice = round_up((queries.rows() + workers.size() - 1) / workers.size(), 8);
    workers.for_each((queries.rows() + slice - 1) / slice, [&](index_t task, index_t) {
      const index_t first = task * slice, count = std::min(slice, queries.rows() - first);
      metric_.backward(queries.row_range(first, count), keys_.rows, ConstView(scratch_.scores).row_range(first, count),
                       ConstView(d_scores()).row_range(first, count), d_queries.row_range(first, count));
    });
  }

  ContrastReport report(ConstView queries) const {
    ContrastReport report{
        .anchors = queries.rows(), .valid_anchors = census_.valid_anchors, .positive_pairs = census_.positive_pairs};
    double loss = 0;
    const auto valid = static_cast<double>(std::max<index_t>(census_.valid_anchors, 1));
    for (index_t i = 0; i < queries.rows(); ++i) {
      const auto row = queries.row(i);
      report.zero_anchors += std::all_of(row.begin(), row.end(), [](float x) { return x == 0.0f; });
      const auto& outcome = outcomes_[static_cast<std::size_t>(i)];
      loss += outcome.loss;
      report.mean_positive += outcome.mean_positive / valid;
      report.mean_negative += outcome.mean_negative / valid;
    }
    report.loss = static_cast<float>(loss);
    return report;
  }

  const M& metric_;
  const Mask& mask_;
  LabeledRows keys_;
  const ContrastOptions& options_;
  const Positives& positives_;
  ContrastScratch& scratch_;
  Census& census_;
  std::vector<detail::AnchorOutcome>& outcomes_;
};

}  // namespace knnbert::inline v0_1
