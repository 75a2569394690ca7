#include "knnbert/evaluate/rejection.hpp"

#include "catch.hpp"
#include "knnbert/core/rng.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity(), no_number = std::numeric_limits<float>::quiet_NaN();
using floats = std::vector<float>;
const floats in{-0.9f, -0.8f, -0.8f, -0.7f, -0.5f, -0.5f, -0.2f}, out{-0.8f, -0.5f, -0.4f, -0.2f, -0.1f, 0};

/// The mean share of new values that are accepted, over many draws of n held-out and as many new ones from a pool.
double mean_coverage(const std::vector<float>& pool, index_t n, double coverage) {
  constexpr index_t draws = 4000;
  index_t accepted = 0;
  for (index_t draw = 0; draw < draws; ++draw) {
    const auto order = Rng(1, Stream::sample, as_size(draw)).permutation(std::ssize(pool));
    std::vector<float> held_out;
    for (index_t i = 0; i < n; ++i) held_out.push_back(pool[as_size(order[as_size(i)])]);
    const float threshold = conformal_threshold(held_out, coverage);
    for (index_t i = n; i < 2 * n; ++i) accepted += pool[as_size(order[as_size(i)])] <= threshold;
  }
  return static_cast<double>(accepted) / static_cast<double>(draws * n);
}

}  // namespace

TEST_CASE("rejection: how well scores separate, ties counting half, as scikit-learn has it") {
  CHECK(auroc(in, out).value == approx(0.7976190476190477).epsilon(1e-12));  // roc_auc_score
  // roc_curve of the texts in scope by minus their scores: the first rate at which the true positives suffice
  CHECK(accepted_out_of_scope(in, out, 0.95).value == approx(0.6666666666666666));
  CHECK(accepted_out_of_scope(in, out, 0.8).value == approx(0.3333333333333333));
  CHECK(accepted_out_of_scope(in, out, 0.5).value == approx(0.16666666666666666));
  CHECK(auroc(in, in).value == 0.5);
  CHECK(auroc(out, in).value == approx(1 - 0.7976190476190477));
  CHECK(auroc(floats{-infinity, 0}, floats{infinity, 1}).value == 1);
  CHECK_FALSE(auroc(in, {}).defined);
  CHECK_FALSE(auroc({}, out).defined);
  CHECK_FALSE(accepted_out_of_scope(in, {}).defined);
  CHECK_FALSE(accepted_out_of_scope({}, out).defined);
  CHECK_THROWS_AS(auroc(in, floats{no_number}), Error);
  CHECK_THROWS_AS(accepted_out_of_scope(floats{no_number}, out), Error);
  CHECK_THROWS_AS(accepted_out_of_scope(in, out, 0), OptionError);
}

TEST_CASE("rejection: the threshold is the ceil((n + 1) coverage)-th smallest score") {
  std::vector<float> scores;
  for (int i = 19; i >= 1; --i) scores.push_back(static_cast<float>(i));
  CHECK(conformal_threshold(scores, 0.95) == 19);  // 20 * 0.95 = 19
  CHECK(conformal_threshold(scores, 0.9) == 18);
  CHECK(conformal_threshold(scores, 0.901) == 19);
  CHECK(conformal_threshold(scores, 0.5) == 10);
  CHECK(conformal_threshold(scores, 1e-9) == 1);
  CHECK(conformal_threshold(std::vector<float>(19, 7.0f), 0.95) == 7);
}

TEST_CASE("rejection: as many texts as a coverage needs, said when there are fewer") {
  for (const auto& [coverage, needed] : {std::pair{0.5, 1}, {0.8, 4}, {0.9, 9}, {0.95, 19}, {0.97, 33}, {0.99, 99}}) {
    CHECK(held_out_needed(coverage) == needed);
    CHECK(conformal_threshold(std::vector<float>(as_size(needed), 1.0f), coverage) == 1);
    const std::vector<float> fewer(as_size(needed - 1), 1.0f);
    CHECK_THROWS_WITH(conformal_threshold(fewer, coverage),
                      format("conformal_threshold: {} held-out texts given, at least {} expected for a coverage of {}",
                             needed - 1, needed, coverage));
    CHECK_THROWS_AS(conformal_threshold(fewer, coverage), ShapeError);
  }
  for (const double coverage : {0.0, 1.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(conformal_threshold(in, coverage), OptionError);
  CHECK_THROWS_AS(conformal_threshold(floats{no_number, 1, 2}, 0.5), Error);
  CHECK_THROWS_AS(conformal_threshold(floats{infinity, 1, 2}, 0.5), Error);
}

TEST_CASE("rejection: over many draws the share of accepted texts is what the threshold promises") {
  std::vector<float> distinct, tied;
  for (int i = 0; i < 400; ++i) distinct.push_back(static_cast<float>(i)), tied.push_back(static_cast<float>(i % 10));
  for (const auto& [n, coverage] : {std::pair{50, 0.9}, {19, 0.95}, {20, 0.95}, {101, 0.8}}) {
    const double promised = std::ceil((n + 1) * coverage - 1e-9) / (n + 1);
    CHECK(promised >= coverage - 1e-12);
    CHECK(promised <= coverage + 1.0 / (n + 1));
    CHECK(std::abs(mean_coverage(distinct, n, coverage) - promised) < 0.004);
    CHECK(mean_coverage(tied, n, coverage) > promised - 0.004);
  }
}
