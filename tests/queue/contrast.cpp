#include "catch.hpp"
#include "knnbert/metric/euclidean.hpp"
#include "knnbert/queue/clustered.hpp"
#include "knnbert/queue/memory_bank.hpp"
#include "knnbert/testing/laws.hpp"

using namespace knnbert;
using knnbert::testing::random_rows;
using knnbert_test::approx;
using Labels = std::vector<label_t>;

namespace {

const Rng rng(7, Stream::positives);

Matrix unit_rows(index_t rows, index_t cols, std::uint64_t seed) {
  Matrix m = random_rows(rows, cols, seed);
  Cosine{}.prepare(m);
  return m;
}

Labels random_labels(index_t count, index_t classes, std::uint64_t seed) {
  Labels labels;
  for (index_t i = 0; i < count; ++i)
    labels.push_back(static_cast<label_t>(Rng(seed, Stream::sample).below(static_cast<std::uint64_t>(i), classes)));
  return labels;
}

struct Expected {
  double loss = 0;
  std::vector<std::vector<double>> d;  // [B][D]
};

/// The definition, straight from lists: positives[i] and negatives[i] are slots, in double.
Expected by_definition(ConstView queries, ConstView keys, const std::vector<std::vector<index_t>>& positives,
                       const std::vector<std::vector<index_t>>& negatives, const ContrastOptions& o) {
  Expected e;
  double anchors = 0, pairs = 0;
  for (std::size_t i = 0; i < positives.size(); ++i)
    if (!positives[i].empty() && !negatives[i].empty()) anchors += 1, pairs += static_cast<double>(positives[i].size());
  for (index_t i = 0; i < queries.rows(); ++i) {
    const auto &p = positives[static_cast<std::size_t>(i)], &n = negatives[static_cast<std::size_t>(i)];
    std::vector<double> d(static_cast<std::size_t>(queries.cols()));
    const auto u = [&](index_t j) {
      double s = 0;
      for (index_t c = 0; c < queries.cols(); ++c) s += static_cast<double>(queries(i, c)) * keys(j, c);
      return s / o.temperature;
    };
    const auto add = [&](index_t j, double d_s) {
      for (index_t c = 0; c < queries.cols(); ++c) d[static_cast<std::size_t>(c)] += d_s * keys(j, c);
    };
    if (!p.empty() && !n.empty()) {
      const double w = o.reduction == Reduction::pair_mean ? 1 / pairs : 1 / (anchors * static_cast<double>(p.size()));
      double z = 0;
      for (const index_t j : n) z += std::exp(u(j));
      for (const index_t j : p) {
        const double r = z / (z + std::exp(u(j)));
        e.loss += w * std::log1p(z / std::exp(u(j)));
        add(j, -w * r / o.temperature);
        for (const index_t k : n) add(k, w * r * std::exp(u(k)) / z / o.temperature);
      }
    }
    e.d.push_back(d);
  }
  return e;
}

/// Lists as the options describe them, by sorting everything.
template <class Mask>
void lists(const Mask& mask, ConstView queries, ConstView keys, const Labels& key_labels, const Labels& labels,
           const ContrastOptions& o, std::vector<std::vector<index_t>>& positives,
           std::vector<std::vector<index_t>>& negatives) {
  Matrix scores(queries.rows(), keys.rows());
  Dot{}.score(queries, keys, scores);
  std::size_t fewest_positives = 1u << 30, fewest_negatives = 1u << 30;
  for (index_t i = 0; i < queries.rows(); ++i) {
    std::vector<index_t> order, p, n;
    for (index_t j = 0; j < keys.rows(); ++j) order.push_back(j);
    std::stable_sort(order.begin(), order.end(), [&](index_t a, index_t b) { return scores(i, a) > scores(i, b); });
    for (const index_t j : order) {
      if (mask.positive(labels[static_cast<std::size_t>(i)], key_labels[static_cast<std::size_t>(j)])) p.push_back(j);
      if (mask.negative(labels[static_cast<std::size_t>(i)], key_labels[static_cast<std::size_t>(j)])) n.push_back(j);
    }
    positives.push_back(p);
    negatives.push_back(n);
    if (p.empty() || n.empty()) continue;
    fewest_positives = std::min(fewest_positives, p.size());
    fewest_negatives = std::min(fewest_negatives, n.size());
  }
  for (std::size_t i = 0; i < positives.size(); ++i) {
    if (o.lists == Lists::batch_min && !positives[i].empty() && !negatives[i].empty())
      positives[i].resize(fewest_positives), negatives[i].resize(fewest_negatives);
    const auto all = positives[i];
    const index_t size = std::ssize(all), most = std::min(size, o.most_similar),
                  least = std::min(size, o.least_similar);
    positives[i].assign(all.begin(), all.begin() + most);
    for (index_t at = size - least; at < size; ++at)
      if (at >= most || o.overlap == Overlap::duplicate) positives[i].push_back(all[static_cast<std::size_t>(at)]);
  }
}

void compare(const Expected& e, const ContrastReport& report, ConstView d) {
  CHECK(report.loss == approx(e.loss).epsilon(2e-5));
  double worst = 0, scale = 1e-9;
  for (index_t i = 0; i < d.rows(); ++i)
    for (index_t c = 0; c < d.cols(); ++c) {
      const double expected = e.d[static_cast<std::size_t>(i)][static_cast<std::size_t>(c)];
      worst = std::max(worst, std::abs(d(i, c) - expected));
      scale = std::max(scale, std::abs(expected));
    }
  CHECK(worst < 2e-5 * scale);
}

}  // namespace

TEST_CASE("contrast follows its definition under every switch", "[queue]") {
  const index_t size = GENERATE(3, 40, 1500), batch = GENERATE(1, 5, 37);
  const auto lists_kind = GENERATE(Lists::per_query, Lists::batch_min);
  const auto overlap = GENERATE(Overlap::unique, Overlap::duplicate);
  const auto reduction = GENERATE(Reduction::anchor_mean, Reduction::pair_mean);
  CAPTURE(size, batch, static_cast<int>(lists_kind), static_cast<int>(overlap), static_cast<int>(reduction));
  const ContrastOptions options{.temperature = 0.07f,
                                .most_similar = 10,
                                .least_similar = 3,
                                .reduction = reduction,
                                .lists = lists_kind,
                                .overlap = overlap};
  const Matrix keys = unit_rows(size, 21, 1), queries = unit_rows(batch, 21, 2);
  const Labels key_labels = random_labels(size, 4, 3), labels = random_labels(batch, 5, 4);  // class 4 has no key
  FifoQueue<> queue(size, 21);
  queue.push(keys, key_labels);
  Matrix d(batch, 21);
  const auto report = queue.contrast(queries, labels, options, rng, d);
  std::vector<std::vector<index_t>> positives, negatives;
  lists(SameLabel{}, queries, keys, key_labels, labels, options, positives, negatives);
  compare(by_definition(queries, keys, positives, negatives, options), report, d);
  index_t valid = 0, pairs = 0;
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (!positives[i].empty() && !negatives[i].empty()) ++valid, pairs += std::ssize(positives[i]);
  CHECK(report.valid_anchors == valid);
  CHECK(report.positive_pairs == pairs);
  CHECK(queue.count_valid(labels) == valid);
  CHECK(queue.count_pairs(labels, options) == pairs);
}

TEST_CASE("contrast with cluster masks", "[queue]") {
  const auto rule = GENERATE(ClusterRule::conjunction, ClusterRule::xnor);
  const Matrix keys = unit_rows(60, 9, 1), queries = unit_rows(6, 9, 2);
  const Labels key_labels = random_labels(60, 6, 3), labels = random_labels(6, 6, 4);  // 2 classes x 3 clusters
  ClusteredQueue<> queue(60, 9, 2, rule);
  queue.push(keys, key_labels);
  ContrastOptions options{.temperature = 0.2f, .most_similar = 4, .least_similar = 2};
  Matrix d(6, 9);
  const auto report = queue.contrast(queries, labels, options, rng, d);
  options.least_similar = 0;  // clusters use the most similar only
  std::vector<std::vector<index_t>> positives, negatives;
  lists(ClusterMask{2, rule}, queries, keys, key_labels, labels, options, positives, negatives);
  compare(by_definition(queries, keys, positives, negatives, options), report, d);
}

TEST_CASE("interleaved negatives repeat the ranked list and cut it into slices", "[queue]") {
  // Two positives and three negatives: the list 0 0 1 1 2 2 is cut into 0 0 1 and 1 2 2.
  ClusteredQueue<Dot> queue(5, 1, 2);
  Matrix keys(5, 1), query(1, 1), d(1, 1);
  const float values[] = {0.9f, 0.4f, 0.8f, 0.1f, -0.5f};
  for (index_t i = 0; i < 5; ++i) keys(i, 0) = values[i];
  queue.push(keys, Labels{0, 0, 1, 1, 1});
  query(0, 0) = 1;
  const auto report = queue.contrast(query, Labels{0}, ContrastOptions{.temperature = 0.5f, .most_similar = 5}, rng, d,
                                     ClusterPositives{.interleaved_negatives = true});
  const auto e = [](double s) { return std::exp(s / 0.5); };
  const double first = 2 * e(0.8) + e(0.1), second = e(0.1) + 2 * e(-0.5);
  CHECK(report.loss == approx(0.5 * std::log1p(first / e(0.9)) + 0.5 * std::log1p(second / e(0.4))));
  const double r1 = first / (first + e(0.9)), r2 = second / (second + e(0.4));
  const double slope =
      r1 * ((2 * 0.8 * e(0.8) + 0.1 * e(0.1)) / first - 0.9) + r2 * ((0.1 * e(0.1) - 2 * 0.5 * e(-0.5)) / second - 0.4);
  CHECK(d(0, 0) == approx(slope));  // weight 1/2 over temperature 1/2
}

TEST_CASE("one positive comes with the call", "[queue]") {
  const Matrix keys = unit_rows(30, 8, 1), queries = unit_rows(3, 8, 2), own = unit_rows(3, 8, 5);
  const Labels key_labels = random_labels(30, 2, 3), labels{0, 1, 7};
  MemoryBank<> bank(30, 8);
  bank.push(keys, key_labels);
  Matrix d(3, 8);
  const ContrastOptions options{.temperature = 0.1f};
  const auto report = bank.contrast(queries, labels, options, rng, d, OnePositive{own});
  Matrix all(33, 8);  // the definition with the three keys appended
  copy(keys, View(all).row_range(0, 30));
  copy(own, View(all).row_range(30, 3));
  std::vector<std::vector<index_t>> positives, negatives;
  for (index_t i = 0; i < 3; ++i) {
    positives.push_back({30 + i});
    negatives.emplace_back();
    for (index_t j = 0; j < 30; ++j)
      if (key_labels[static_cast<std::size_t>(j)] != labels[static_cast<std::size_t>(i)]) negatives.back().push_back(j);
  }
  compare(by_definition(queries, all, positives, negatives, options), report, d);
  CHECK(report.valid_anchors == 3);
  CHECK(bank.count_valid(labels, options, OnePositive{own}) == 3);
  CHECK_THROWS_AS(bank.contrast(queries, labels, options, rng, d, OnePositive{}), ShapeError);
}

TEST_CASE("random positives are drawn without replacement, per anchor or once for the batch", "[queue]") {
  std::vector<float> scores(40);
  std::vector<index_t> slots;
  for (index_t i = 0; i < 40; ++i) scores[static_cast<std::size_t>(i)] = static_cast<float>(i), slots.push_back(i);
  const ContrastOptions options{.most_similar = 12};
  const auto drawn = [&](const RandomPositives& policy, index_t anchor, index_t candidates, index_t fewest) {
    std::vector<Scored> chosen;
    policy.choose({anchor, std::span(slots).first(static_cast<std::size_t>(candidates)), scores, fewest}, options, rng,
                  chosen);
    std::vector<index_t> found;
    for (const Scored& s : chosen) {
      CHECK(s.score == scores[static_cast<std::size_t>(s.index)]);
      found.push_back(s.index);
    }
    CHECK(std::ssize(found) == policy.count(candidates, fewest, options));
    std::sort(found.begin(), found.end());
    CHECK(std::adjacent_find(found.begin(), found.end()) == found.end());
    return found;
  };
  const RandomPositives alone{}, shared{.shared_ranks = true};
  CHECK(drawn(alone, 0, 40, 20) == drawn(alone, 0, 40, 20));
  CHECK(drawn(alone, 0, 40, 20) != drawn(alone, 1, 40, 20));
  CHECK(drawn(alone, 0, 5, 5).size() == 5);  // fewer candidates than asked for: all
  const auto ranks = drawn(shared, 0, 40, 20);
  CHECK(ranks == drawn(shared, 1, 40, 20));
  for (const index_t slot : ranks) CHECK(slot >= 20);  // ranks below 20 are the slots with the largest scores
  CHECK(drawn(shared, 0, 40, 7).size() == 7);
}

TEST_CASE("equal similarities are ranked by slot", "[queue]") {
  FifoQueue<Dot> queue(8, 3);
  const Matrix keys = random_rows(8, 3, 1);
  const Labels labels{0, 0, 0, 0, 0, 0, 1, 1};
  queue.push(keys, labels);
  const Matrix zero(1, 3);
  Matrix d(1, 3);
  const ContrastOptions options{.temperature = 1, .most_similar = 2, .least_similar = 1};
  const auto report = queue.contrast(zero, Labels{0}, options, rng, d);
  CHECK(report.zero_anchors == 1);
  compare(by_definition(zero, keys, {{0, 1, 5}}, {{6, 7}}, options), report, d);
  CHECK(report.loss == approx(std::log(3)));  // softplus(log 2)
}

TEST_CASE("a batch's fewest candidates are no more than the keys have by then", "[queue]") {
  FifoQueue<> queue(20, 4);
  std::vector<label_t> keys(20);
  for (std::size_t i = 10; i < 20; ++i) keys[i] = 1;
  queue.push(unit_rows(20, 4, 1), keys);
  ContrastOptions options{.most_similar = 10, .lists = Lists::batch_min};
  options = queue.for_batch(Labels{0, 0}, options);
  queue.push(unit_rows(9, 4, 2), std::vector<label_t>(9, 1));  // one key of class 0 is left
  Matrix d(2, 4);
  const auto report = queue.contrast(unit_rows(2, 4, 3), Labels{0, 0}, options, rng, d);
  CHECK(report.valid_anchors == 2);
  CHECK(std::isfinite(static_cast<float>(report.loss)));
}

TEST_CASE("anchors without positive or negative take no part", "[queue]") {
  FifoQueue<> queue(6, 4);
  const Matrix queries = unit_rows(2, 4, 2);
  Matrix d(2, 4);
  queue.push(unit_rows(3, 4, 1), Labels{0, 0, 0});  // one class only: no negative
  auto report = queue.contrast(queries, Labels{0, 0}, ContrastOptions{}, rng, d);
  CHECK_FALSE(report.present());
  CHECK(report.loss == 0.0f);
  queue.push(unit_rows(1, 4, 3), Labels{1});  // now class 0 has negatives; class 2 has no positive
  report = queue.contrast(queries, Labels{2, 0}, ContrastOptions{}, rng, d);
  CHECK(report.valid_anchors == 1);
  CHECK(report.positive_pairs == 3);
  for (const float x : d.row(0)) CHECK(x == 0.0f);
  CHECK(report.mean_positive <= 1.0);
  CHECK_THROWS_AS(queue.contrast(queries, Labels{0}, ContrastOptions{}, rng, d), ShapeError);
  CHECK_THROWS_AS(queue.contrast(queries, Labels{0, 0}, ContrastOptions{.temperature = 0}, rng, d), OptionError);
  CHECK_THROWS_AS(queue.contrast(queries, Labels{0, 0}, ContrastOptions{.most_similar = 0, .least_similar = 0}, rng, d),
                  OptionError);
}

TEST_CASE("contrast does not overflow", "[queue]") {
  FifoQueue<Dot> queue(4, 1);
  Matrix keys(4, 1), query(1, 1), d(1, 1);
  keys(0, 0) = 100, keys(1, 0) = -100, keys(2, 0) = 90, keys(3, 0) = -90;
  queue.push(keys, Labels{0, 0, 1, 1});
  query(0, 0) = 50;
  const auto report = queue.contrast(query, Labels{0}, ContrastOptions{.temperature = 0.01f}, rng, d);
  // Positive at 5000 / T is free, the one at -5000 / T costs the whole gap to the negative at 4500 / T.
  CHECK(report.loss == approx(0.5 * 9500 / 0.01));
  CHECK(d(0, 0) == approx(0.5 * 190 / 0.01));
  query(0, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(queue.contrast(query, Labels{0}, ContrastOptions{}, rng, d).loss));
}

TEST_CASE("a split batch gives the sum of its parts, any number of workers the same bits", "[queue]") {
  const index_t size = 3000, batch = 40, width = 33;
  const Matrix keys = unit_rows(size, width, 1), queries = unit_rows(batch, width, 2);
  const Labels labels = random_labels(batch, 4, 4);
  FifoQueue<> queue(size, width);
  queue.push(keys, random_labels(size, 3, 3));
  const auto compare_parts = [&](ContrastOptions options, const auto& policy) {
    Matrix whole(batch, width), threaded(batch, width), parts(batch, width);
    const auto report = queue.contrast(queries, labels, options, rng, whole, policy);
    const auto again = queue.contrast(queries, labels, options, rng, threaded, policy, Workers(3));
    CHECK(report.loss == again.loss);
    CHECK(testing::same_bits(whole, threaded));
    options = queue.for_batch(labels, options, policy);
    CHECK(options.valid_anchors == queue.count_valid(labels, ContrastOptions{}, policy));
    double loss = 0;
    for (index_t first = 0; first < batch; first += 9) {
      const index_t count = std::min<index_t>(9, batch - first);
      const std::span<const label_t> some =
          std::span(labels).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
      options.first_anchor = first;
      loss += queue
                  .contrast(ConstView(queries).row_range(first, count), some, options, rng,
                            View(parts).row_range(first, count), policy)
                  .loss;
    }
    CHECK(loss == approx(report.loss).epsilon(1e-5));
    CHECK(testing::same_bits(whole, parts));
  };
  for (const auto reduction : {Reduction::anchor_mean, Reduction::pair_mean})
    for (const auto kind : {Lists::per_query, Lists::batch_min}) {
      const ContrastOptions options{.most_similar = 20, .reduction = reduction, .lists = kind};
      compare_parts(options, MostAndLeastSimilar{});
      compare_parts(options, RandomPositives{});
      compare_parts(options, RandomPositives{.shared_ranks = true});
    }
}
