#include "knnbert/kernel/softmax.hpp"

#include "kernel/values.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;
constexpr float infinity = std::numeric_limits<float>::infinity();

std::vector<double> exact_softmax(std::span<const float> s, double scale) {
  double most = -1e300, total = 0;
  for (const float x : s) most = std::max(most, scale * x);
  std::vector<double> p;
  for (const float x : s) p.push_back(std::exp(scale * x - most)), total += p.back();
  for (double& x : p) x /= total;
  return p;
}

/// softmax_numerators with its normalization, in a matrix whose scratch holds NaN.
Matrix softmax(const Matrix& s, float scale) {
  Matrix p = s;
  std::vector<float> factors(static_cast<std::size_t>(p.rows()));
  kernel::softmax_numerators<Arch>(p, scale, factors.data());
  for (index_t r = 0; r < p.rows(); ++r)
    for (float& x : p.row(r)) x *= factors[static_cast<std::size_t>(r)];
  return p;
}

}  // namespace

TEST_CASE("softmax: rows of 1 to 70 elements within 1e-6 of the double result, relative to each probability") {
  for (index_t size = 1; size <= 70; ++size)
    for (const float scale : {1.0f, 0.125f, 3.0f}) {
      CAPTURE(size, scale);
      const Matrix s = random_matrix(2, size, static_cast<std::uint64_t>(size), 3), p = softmax(s, scale);
      for (index_t r = 0; r < 2; ++r) {
        const auto expected = exact_softmax(s.row(r), scale);
        double worst = 0, total = 0;
        for (index_t c = 0; c < size; ++c) {
          worst = std::max(worst, std::abs(p(r, c) / expected[static_cast<std::size_t>(c)] - 1));
          total += p(r, c);
        }
        // The exponent is rounded in float: an argument of 40 loses 40 * 2^-24.
        CHECK(worst < 5e-6);
        CHECK(total == approx(1).epsilon(1e-6));
      }
    }
}

TEST_CASE("softmax: whole vectors past the last element become zero, nothing further is written") {
  for (index_t size = 1; size <= 40; ++size) {
    Matrix p = random_matrix(1, size, 1);
    for (index_t c = size; c < p.stride(); ++c) p.data()[c] = 5;
    float factor;
    kernel::softmax_numerators<Arch>(p, 1, &factor);
    for (index_t c = size; c < p.stride(); ++c) REQUIRE(p.data()[c] == (c < round_up(size, lanes<Arch>) ? 0.0f : 5.0f));
  }
}

TEST_CASE("softmax: large, equal, very different and infinite scores") {
  Matrix s(1, 5);
  for (const auto& [scores, expected] : std::initializer_list<std::pair<std::vector<float>, std::vector<float>>>{
           {{1e4f, 1e4f, 1e4f, 1e4f, 1e4f}, {.2f, .2f, .2f, .2f, .2f}},
           {{-1e4f, -1e4f, -1e4f, -1e4f, -1e4f}, {.2f, .2f, .2f, .2f, .2f}},
           {{1e4f, 0, 0, 0, 0}, {1, 0, 0, 0, 0}},
           {{-1e30f, 0, -1e30f, 0, -1e30f}, {0, .5f, 0, .5f, 0}},
           {{-infinity, 2, 2, -infinity, -infinity}, {0, .5f, .5f, 0, 0}}}) {
    std::copy(scores.begin(), scores.end(), s.row(0).begin());
    const Matrix p = softmax(s, 1);
    for (index_t c = 0; c < 5; ++c) CHECK(std::fabs(p(0, c) - expected[static_cast<std::size_t>(c)]) < 1e-6f);
  }
}

TEST_CASE("softmax: one NaN makes the whole row NaN") {
  for (index_t at = 0; at < 21; ++at) {
    Matrix s = random_matrix(1, 21, 2);
    s(0, at) = std::numeric_limits<float>::quiet_NaN();
    const Matrix p = softmax(s, 1);
    for (const float x : p.row(0)) REQUIRE(std::isnan(x));
  }
}

TEST_CASE("softmax backward: the double formula, which agrees with central differences") {
  for (const index_t size : {1, 2, 7, 8, 16, 23, 40}) {
    CAPTURE(size);
    const double scale = 0.3;
    const Matrix s = random_matrix(1, size, 1), upstream = random_matrix(1, size, 2);
    Matrix factors(1, size);  // of dropout
    for (index_t c = 0; c < size; ++c) factors(0, c) = c % 3 == 1 ? 0.0f : 1.25f;
    const auto value = [&](std::span<const float> scores) {
      const auto p = exact_softmax(scores, scale);
      double total = 0;
      for (std::size_t c = 0; c < p.size(); ++c) total += p[c] * factors.row(0)[c] * upstream.row(0)[c];
      return total;
    };
    const auto p = exact_softmax(s.row(0), scale);
    Matrix plain(1, size), kept(1, size), d = upstream;
    for (index_t c = 0; c < size; ++c) {
      plain(0, c) = static_cast<float>(p[static_cast<std::size_t>(c)]);
      kept(0, c) = plain(0, c) * factors(0, c);
    }
    kernel::softmax_backward<Arch>(plain.data(), kept.data(), d.data(), size, static_cast<float>(scale));
    double inner = 0;
    for (index_t c = 0; c < size; ++c) inner += p[static_cast<std::size_t>(c)] * factors(0, c) * upstream(0, c);
    const auto formula = [&](index_t c) {
      return scale * p[static_cast<std::size_t>(c)] * (factors(0, c) * upstream(0, c) - inner);
    };
    CHECK(largest_error(d, [&](index_t, index_t c) { return formula(c); }) < 5e-7);
    for (index_t c = 0; c < size; ++c) {
      Matrix moved = s;
      const float h = 1e-2f;
      moved(0, c) = s(0, c) + h;
      const double up = value(moved.row(0)), above = moved(0, c);
      moved(0, c) = s(0, c) - h;
      CHECK(std::abs((up - value(moved.row(0))) / (above - moved(0, c)) - formula(c)) < 1e-5);
    }
    for (index_t c = size; c < round_up(size, lanes<Arch>); ++c) CHECK(d.data()[c] == 0);
  }
}
