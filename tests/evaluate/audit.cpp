// What an audit finds in rows whose faults are known.
#include "knnbert/evaluate/audit.hpp"
#include <Eigen/LU>

#include "catch.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/datastore/flat.hpp"

using namespace knnbert;

namespace {

/// Three clusters of 40 rows each, of length 1.
Matrix clusters() {
  Matrix rows(120, 8);
  const Rng rng(5, Stream::sample);
  for (index_t i = 0; i < rows.rows(); ++i)
    for (index_t d = 0; d < rows.cols(); ++d)
      rows(i, d) = static_cast<float>((d == i % 3 ? 3 : 0) + 0.5 * rng.normal(static_cast<std::uint64_t>(8 * i + d)));
  Cosine().prepare(rows);
  return rows;
}

std::vector<label_t> cluster_labels() {
  std::vector<label_t> labels;
  for (int i = 0; i < 120; ++i) labels.push_back(i % 3);
  return labels;
}

Audit audit_of(ConstView rows, const std::vector<label_t>& labels, const AuditOptions& options = {}) {
  FlatDatastore<Cosine> store(rows.cols());
  store.add(rows, labels);
  return audit(store, rows, labels, 3, options);
}

}  // namespace

TEST_CASE("audit finds exactly the labels that were changed") {
  const Matrix rows = clusters();
  auto labels = cluster_labels();
  CHECK(audit_of(rows, labels).label_errors.empty());
  labels[4] = 2, labels[50] = 0, labels[119] = 1;
  const auto found = audit_of(rows, labels).label_errors;
  std::vector<index_t> places;
  for (const auto& e : found) {
    places.push_back(e.example);
    CHECK(e.given == labels[as_size(e.example)]);
    CHECK(e.suggested == e.example % 3);
    CHECK(e.self_confidence < 0.3);
  }
  std::sort(places.begin(), places.end());
  CHECK(places == std::vector<index_t>{4, 50, 119});
}

TEST_CASE("audit finds near-duplicates once, outliers, and what a training text gives away") {
  Matrix rows = clusters();
  const auto labels = cluster_labels();
  copy(ConstView(rows).row_range(7, 1), View(rows).row_range(31, 1));  // same class
  copy(ConstView(rows).row_range(8, 1), View(rows).row_range(30, 1));  // another one
  std::ranges::fill(View(rows).row(60), 0.0f);
  rows(60, 7) = -1;  // opposite to nothing
  const Audit found = audit_of(rows, labels, {.near_duplicate = 0.02});
  REQUIRE(found.near_duplicates.size() == 2);
  for (const auto& pair : found.near_duplicates) {
    CHECK((pair.example == 7 ? pair.other == 31 : pair.other == 30));
    CHECK(pair.same_label == (pair.example == 7));
    CHECK(pair.similarity > 0.9999);
  }
  REQUIRE(!found.outliers.empty());
  CHECK(found.outliers.front().example == 60);
  CHECK(found.outliers.front().distance > found.outlier_distance);

  FlatDatastore<Cosine> store(rows.cols());
  store.add(rows, labels);
  Matrix test(2, rows.cols());
  copy(ConstView(rows).row_range(9, 1), View(test).row_range(1, 1));
  std::ranges::fill(View(test).row(0), std::sqrt(1.0f / 8));
  const std::vector<label_t> test_labels{0, 0};
  const auto leaked = leaks(store, test, test_labels, found.duplicate_distance);
  REQUIRE(leaked.size() == 1);
  CHECK(leaked[0].example == 9);
  CHECK(leaked[0].other == 1);
  CHECK(leaked[0].same_label);
}

TEST_CASE("audit: few texts, one class, bad options") {
  Matrix rows(1, 8);
  rows.fill(0.5f);
  const Audit one = audit_of(rows, {1});
  CHECK(one.label_errors.empty());
  CHECK(one.near_duplicates.empty());
  CHECK(one.outliers.empty());
  CHECK(audit_of(Matrix(0, 8), {}).label_errors.empty());
  for (const AuditOptions& bad :
       {AuditOptions{.neighbors = 0}, {.temperature = 0}, {.near_duplicate = -1}, {.outlier = 0}})
    CHECK_THROWS_AS(audit_of(rows, {1}, bad), OptionError);
  for (const label_t wrong : {label_t{-1}, label_t{1 << 20}}) CHECK_THROWS_AS(audit_of(rows, {wrong}), ShapeError);
  CHECK(audit_of(rows, {1}, {.neighbors = std::numeric_limits<index_t>::max()}).label_errors.empty());
}

TEST_CASE("audit: a datastore of other examples, and labels of another number, are refused") {
  const Matrix rows = clusters();
  const auto labels = cluster_labels();
  FlatDatastore<Cosine> store(rows.cols());
  const auto first = store.add(rows, labels);
  CHECK_THROWS_AS(audit(store, ConstView(rows).row_range(0, 60), labels, 3), ShapeError);
  CHECK_THROWS_AS(leaks(store, rows, std::vector<label_t>{1}, 0.5), ShapeError);
  CHECK_THROWS_AS(leaks(store, rows, labels, 0.5, {.neighbors = 0}), OptionError);
  auto wrong = labels;
  wrong[5] = 5000;
  FlatDatastore<Cosine> other(rows.cols());
  other.add(rows, wrong);
  CHECK_THROWS_AS(audit(other, rows, labels, 3), ShapeError);
  store.add(rows, labels);
  store.remove(first);  // the ids go on
  CHECK_THROWS_AS(audit(store, rows, labels, 3), ShapeError);
}

// cleanlab 2.9.0: find_label_issues(labels, p, return_indices_ranked_by="self_confidence").
TEST_CASE("label errors are cleanlab's") {
  const std::vector<float> first_two{
      0.552f, 0.440f, 0.644f, 0.164f, 0.503f, 0.074f, 0.545f, 0.031f, 0.146f, 0.547f, 0.033f, 0.061f, 0.811f, 0.138f,
      0.224f, 0.736f, 0.261f, 0.587f, 0.704f, 0.018f, 0.315f, 0.201f, 0.035f, 0.074f, 0.008f, 0.083f, 0.052f, 0.499f,
      0.309f, 0.422f, 0.636f, 0.086f, 0.002f, 0.661f, 0.356f, 0.030f, 0.592f, 0.313f, 0.340f, 0.630f, 0.173f, 0.524f,
      0.728f, 0.051f, 0.028f, 0.965f, 0.132f, 0.298f, 0.827f, 0.169f, 0.009f, 0.991f, 0.194f, 0.076f, 0.586f, 0.156f,
      0.383f, 0.617f, 0.144f, 0.062f, 0.654f, 0.172f, 0.187f, 0.546f, 0.746f, 0.235f, 0.758f, 0.005f, 0.050f, 0.813f,
      0.344f, 0.075f, 0.037f, 0.025f, 0.008f, 0.942f, 0.207f, 0.138f, 0.522f, 0.384f};
  Matrix p(40, 3);
  std::vector<label_t> labels;
  for (index_t i = 0; i < 40; ++i) {
    p(i, 0) = first_two[as_size(2 * i)], p(i, 1) = first_two[as_size(2 * i + 1)];
    p(i, 2) = 1 - p(i, 0) - p(i, 1);
    labels.push_back(static_cast<label_t>(i % 3));
  }
  std::vector<index_t> places;
  for (const auto& e : label_errors(p, labels)) {
    places.push_back(e.example);
    const auto row = std::as_const(p).row(e.example);
    CHECK(e.suggested == std::max_element(row.begin(), row.end()) - row.begin());
    CHECK(e.self_confidence == knnbert_test::approx(p(e.example, e.given)));
  }
  CHECK(places == std::vector<index_t>{12, 32, 36, 1, 10});
}

// numpy: the ridge regression fitted again without each row.
TEST_CASE("scores that leave an example out are those of a fit without it") {
  const Matrix rows = clusters();
  const auto labels = cluster_labels();
  Matrix all(rows.rows(), 3);
  LeftOutScores(rows, labels, 3, 0.5)(0, all);
  for (const index_t out : {0, 17, 119}) {
    Eigen::MatrixXd x(119, 9), y = Eigen::MatrixXd::Zero(119, 3);
    Eigen::VectorXd own(9);
    for (index_t i = 0, at = 0; i < 120; ++i) {
      Eigen::VectorXd row(9);
      for (index_t d = 0; d < 8; ++d) row(d) = rows(i, d);
      row(8) = 1;
      if (i == out) {
        own = row;
        continue;
      }
      x.row(at) = row, y(at++, labels[as_size(i)]) = 1;
    }
    const Eigen::MatrixXd w = (x.transpose() * x + 0.5 * Eigen::MatrixXd::Identity(9, 9)).inverse() * x.transpose() * y;
    const Eigen::VectorXd expected = w.transpose() * own;
    for (index_t c = 0; c < 3; ++c) CHECK(all(out, c) == knnbert_test::approx(expected(c)).margin(1e-5));
  }
}

TEST_CASE("audit: distributions are the same in blocks of rows") {
  const Matrix rows = clusters();
  auto labels = cluster_labels();
  labels[4] = 2, labels[50] = 0;
  FlatDatastore<Cosine> store(rows.cols());
  store.add(rows, labels);
  const NeighborLists lists = store.search(rows, 6);
  std::vector<std::vector<Neighbor>> neighbors;
  for (index_t i = 0; i < rows.rows(); ++i) neighbors.push_back(knnbert::detail::without(lists[i], i, 5));
  const LeftOutScores scores(rows, labels, 3);
  LeftOutDistributions whole(neighbors, 0.1f, scores, labels);
  for (const index_t block : {1, 7, 120}) {
    LeftOutDistributions blocks(neighbors, 0.1f, scores, labels, block);
    for (index_t i = 0; i < rows.rows(); ++i) {
      float sum = 0;
      for (index_t c = 0; c < 3; ++c) {
        sum += blocks(i)[as_size(c)];
        CHECK(blocks(i)[as_size(c)] == knnbert_test::approx(whole(i)[as_size(c)]).epsilon(1e-5));
      }
      CHECK(sum == knnbert_test::approx(1).epsilon(1e-5));
      CHECK(blocks.of_labels()[as_size(i)] ==
            knnbert_test::approx(whole(i)[as_size(labels[as_size(i)])]).epsilon(1e-5));
    }
  }
  CHECK_THROWS_AS(LeftOutDistributions({}, 0.1f, scores, labels), ShapeError);
}
