#include "knnbert/kernel/attention.hpp"

#include "kernel/values.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;
using Doubles = std::vector<std::vector<double>>;

Doubles zeros(index_t rows, index_t cols) {
  return Doubles(static_cast<std::size_t>(rows), std::vector<double>(static_cast<std::size_t>(cols)));
}

/// One head as columns of wider matrices, whose other columns hold NaN.
struct Head {
  index_t length, width;
  Matrix rows, d_rows, context, d_context;  // query, key and value side by side, with gaps
  std::vector<std::uint64_t> keys;
  float rate;

  Head(index_t l, index_t e, float dropout)
      : length(l), width(e), rows(l, 3 * e + 4), d_rows(l, 3 * e + 4), context(l, e + 3), d_context(l, e + 3),
        rate(dropout) {
    rows.fill(std::numeric_limits<float>::quiet_NaN());
    d_context.fill(std::numeric_limits<float>::quiet_NaN());
    d_rows.fill(-7);
    context.fill(-7);
    for (index_t i = 0; i < 3; ++i) copy(random_matrix(l, e, static_cast<std::uint64_t>(i + 1)), part(rows, i));
    copy(random_matrix(l, e, 9), inner(d_context));
    for (index_t r = 0; r < l; ++r) keys.push_back(Rng(3, Stream::dropout).bits(static_cast<std::uint64_t>(r)));
  }

  View part(Matrix& m, index_t i) const { return View(m).col_range(i * (width + 1), width); }
  View inner(Matrix& m) const { return View(m).col_range(2, width); }
  Dropout dropout() const { return Dropout{rate, 0, keys.data()}.at_site(4); }
  kernel::AttentionHead views() {
    return {.query = part(rows, 0),
            .key = part(rows, 1),
            .value = part(rows, 2),
            .scale = 1 / std::sqrt(static_cast<float>(width)),
            .dropout = dropout()};
  }

  void forward() {
    kernel::AttentionScratch scratch;
    kernel::attention<Arch>(views(), inner(context), scratch);
  }
  void backward() {
    kernel::AttentionScratch scratch;
    kernel::attention_backward<Arch>(views(), inner(d_context), part(d_rows, 0), part(d_rows, 1), part(d_rows, 2),
                                     scratch);
  }
  /// Columns between and behind the parts.
  bool gaps_untouched() {
    for (index_t r = 0; r < length; ++r) {
      for (const index_t gap : {width, 2 * width + 1, 3 * width + 2, 3 * width + 3})
        if (d_rows(r, gap) != -7) return false;
      for (const index_t gap : {index_t{0}, index_t{1}, width + 2})
        if (context(r, gap) != -7) return false;
    }
    return true;
  }
};

/// The same in double: probabilities, context and the gradients by the chain rule.
struct Exact {
  Doubles p, kept, context, d_query, d_key, d_value;

  explicit Exact(Head& head) {
    const index_t n = head.length, e = head.width;
    const double scale = 1 / std::sqrt(static_cast<double>(e));
    const auto q = head.part(head.rows, 0), k = head.part(head.rows, 1), v = head.part(head.rows, 2),
               d = head.inner(head.d_context);
    Matrix factors(n, n);
    factors.fill(1);
    if (head.rate > 0) kernel::apply_dropout<Arch>(factors, head.dropout(), factors);
    p = kept = zeros(n, n);
    context = d_query = d_key = d_value = zeros(n, e);
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto r = static_cast<index_t>(i);
      double most = -1e300, total = 0, inner = 0;
      for (index_t c = 0; c < n; ++c) {
        double& s = p[i][static_cast<std::size_t>(c)];
        for (index_t x = 0; x < e; ++x) s += scale * q(r, x) * k(c, x);
        most = std::max(most, s);
      }
      for (double& s : p[i]) s = std::exp(s - most), total += s;
      std::vector<double> d_kept(p.size());
      for (std::size_t c = 0; c < p.size(); ++c) {
        p[i][c] /= total;
        kept[i][c] = p[i][c] * factors(r, static_cast<index_t>(c));
        for (index_t x = 0; x < e; ++x) {
          context[i][static_cast<std::size_t>(x)] += kept[i][c] * v(static_cast<index_t>(c), x);
          d_value[c][static_cast<std::size_t>(x)] += kept[i][c] * d(r, x);
          d_kept[c] += static_cast<double>(d(r, x)) * v(static_cast<index_t>(c), x);
        }
        inner += d_kept[c] * kept[i][c];
      }
      for (std::size_t c = 0; c < p.size(); ++c) {
        const double d_score = scale * (d_kept[c] * kept[i][c] - p[i][c] * inner);
        for (index_t x = 0; x < e; ++x) {
          d_query[i][static_cast<std::size_t>(x)] += d_score * k(static_cast<index_t>(c), x);
          d_key[c][static_cast<std::size_t>(x)] += d_score * q(r, x);
        }
      }
    }
  }
};

double error(ConstView given, const Doubles& expected) {
  return largest_error(
      given, [&](index_t r, index_t c) { return expected[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)]; });
}

/// sum of context * d_context
double value(Head& head) {
  const Exact exact(head);
  const auto d = head.inner(head.d_context);
  double total = 0;
  for (index_t r = 0; r < head.length; ++r)
    for (index_t x = 0; x < head.width; ++x)
      total += exact.context[static_cast<std::size_t>(r)][static_cast<std::size_t>(x)] * d(r, x);
  return total;
}

constexpr index_t widths[] = {1, 8, 10, 16, 20, 32, 64};

}  // namespace

TEST_CASE("attention: lengths 1 to 30 and longer, every head width: context and gradients within 2e-5 of double") {
  for (const index_t width : widths)
    for (const float rate : {0.0f, 0.3f})
      for (index_t length = 1; length <= 70; length += length < 30 ? 1 : 13) {
        CAPTURE(width, rate, length);
        Head head(length, width, rate);
        const Exact exact(head);
        head.forward();
        head.backward();
        CHECK(error(head.inner(head.context), exact.context) < 5e-6);
        CHECK(error(head.part(head.d_rows, 0), exact.d_query) < 2e-5);
        CHECK(error(head.part(head.d_rows, 1), exact.d_key) < 2e-5);
        CHECK(error(head.part(head.d_rows, 2), exact.d_value) < 2e-5);
        CHECK(head.gaps_untouched());
      }
}

TEST_CASE("attention: the formulas in double agree with central differences, with dropout too") {
  for (const float rate : {0.0f, 0.4f}) {
    Head head(5, 3, rate);
    const Exact exact(head);
    for (const auto& [part, gradient] :
         {std::pair(index_t{0}, &exact.d_query), {index_t{1}, &exact.d_key}, {index_t{2}, &exact.d_value}})
      for (index_t r = 0; r < 5; ++r)
        for (index_t c = 0; c < 3; ++c) {
          float& at = head.part(head.rows, part)(r, c);
          const float kept = at;
          at = kept + 1e-3f;
          const double up = value(head), above = at;
          at = kept - 1e-3f;
          const double down = value(head), below = at;
          at = kept;
          CHECK(std::abs((up - down) / (above - below) -
                         (*gradient)[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)]) < 1e-5);
        }
  }
}

TEST_CASE("attention: scratch that served a longer text changes nothing") {
  for (const index_t width : {10, 32}) {
    Head fresh(9, width, 0.2f), reused(9, width, 0.2f), longer(61, 64, 0.2f);
    for (index_t i = 0; i < 3; ++i) longer.part(longer.rows, i)(60, 0) = std::numeric_limits<float>::infinity();
    kernel::AttentionScratch scratch;
    kernel::attention<Arch>(longer.views(), longer.inner(longer.context), scratch);
    kernel::attention_backward<Arch>(longer.views(), longer.inner(longer.d_context), longer.part(longer.d_rows, 0),
                                     longer.part(longer.d_rows, 1), longer.part(longer.d_rows, 2), scratch);
    kernel::attention<Arch>(reused.views(), reused.inner(reused.context), scratch);
    kernel::attention_backward<Arch>(reused.views(), reused.inner(reused.d_context), reused.part(reused.d_rows, 0),
                                     reused.part(reused.d_rows, 1), reused.part(reused.d_rows, 2), scratch);
    fresh.forward();
    fresh.backward();
    CHECK(same_bits(fresh.inner(fresh.context), reused.inner(reused.context)));
    for (index_t i = 0; i < 3; ++i) CHECK(same_bits(fresh.part(fresh.d_rows, i), reused.part(reused.d_rows, i)));
  }
}

TEST_CASE("attention: a token alone attends to itself; equal keys share the attention") {
  Head one(1, 20, 0);
  one.forward();
  for (index_t c = 0; c < 20; ++c)
    CHECK(one.inner(one.context)(0, c) == approx(one.part(one.rows, 2)(0, c)).epsilon(1e-6));
  Head equal(6, 8, 0);
  for (index_t r = 0; r < 6; ++r)
    for (index_t c = 0; c < 8; ++c) equal.part(equal.rows, 1)(r, c) = 1.5f;
  equal.forward();
  for (index_t c = 0; c < 8; ++c) {
    double mean = 0;
    for (index_t r = 0; r < 6; ++r) mean += equal.part(equal.rows, 2)(r, c) / 6.0;
    for (index_t r = 0; r < 6; ++r) CHECK(std::abs(equal.inner(equal.context)(r, c) - mean) < 1e-6);
  }
}
