#include "knnbert/kernel/attention_int8.hpp"

#include "kernel/values.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;

/// Queries, keys and values of two heads side by side, the second one of which is looked at. All are integers up to
/// 127, which every row of queries and keys and every column of values has: quantization changes nothing.
struct Integral {
  index_t length, width;
  Matrix projections, context;
  float scale;  // scores are about 1

  Integral(index_t l, index_t e)
      : length(l), width(e), projections(l, 6 * e), context(l, 2 * e),
        scale(1.7e-4f / std::sqrt(static_cast<float>(e))) {
    const Rng rng(1, Stream::noise);
    for (index_t r = 0; r < l; ++r)
      for (index_t c = 0; c < 6 * e; ++c) {
        const bool extreme = c < 4 * e ? (c + r) % e == 0 : r == c % l;
        projections(r, c) =
            extreme ? 127.0f : static_cast<float>(rng.below(static_cast<std::uint64_t>(r * 6 * e + c), 255) - 127);
      }
    context.fill(-7);
  }
  ConstView part(index_t i) const { return ConstView(projections).col_range((2 * i + 1) * width, width); }

  void run(kernel::QuantizedValues& values, kernel::AttentionScratch& scratch) {
    kernel::LoweredRows rows;
    rows.assign<Arch, kernel::Bf16>(projections);
    const ConstView all = rows.lanes();
    const auto lanes = [&](index_t first, index_t count) {
      return all.col_range(first * width / 2, count * width / 2);
    };
    values.assign<Arch>(lanes(4, 2));
    kernel::attention_int8<Arch>({.query = lanes(1, 1),
                                  .key = lanes(3, 1),
                                  .value = values.quads().col_range(width, width),
                                  .value_scales = values.scales() + width,
                                  .scale = scale},
                                 View(context).col_range(width, width), scratch);
  }
  void run() {
    kernel::QuantizedValues values;
    kernel::AttentionScratch scratch;
    run(values, scratch);
  }

  /// With probabilities in steps of 1/255, or without steps.
  double expected(index_t row, index_t column, bool steps) const {
    const ConstView q = part(0), k = part(1), v = part(2);
    std::vector<double> scores;
    for (index_t c = 0; c < length; ++c) {
      double s = 0;
      for (index_t x = 0; x < width; ++x) s += static_cast<double>(q(row, x)) * k(c, x);
      scores.push_back(s * scale);
    }
    const double most = *std::max_element(scores.begin(), scores.end());
    double total = 0, sum = 0;
    for (index_t c = 0; c < length; ++c) {
      const double numerator = 255 * std::exp(scores[static_cast<std::size_t>(c)] - most),
                   p = steps ? std::nearbyint(numerator) : numerator;
      total += p;
      sum += p * v(c, column);
    }
    return sum / total;
  }
};

}  // namespace

TEST_CASE("attention_int8: every length and head width: exact but for the steps of probabilities") {
  for (const index_t width : {16, 32, 64, 128})
    for (index_t length = 1; length <= 131; length += length < 40 ? 1 : 23) {
      CAPTURE(width, length);
      Integral heads(length, width);
      heads.run();
      const ConstView given = View(heads.context).col_range(width, width);
      CHECK(largest_error(given, [&](index_t r, index_t c) { return heads.expected(r, c, true); }) < 127 * 5e-3);
      CHECK(largest_error(given, [&](index_t r, index_t c) { return heads.expected(r, c, false); }) < 127 * 2e-2);
      bool untouched = true;
      for (index_t r = 0; r < length; ++r)
        for (index_t c = 0; c < width; ++c) untouched = untouched && heads.context(r, c) == -7;
      CHECK(untouched);
    }
}

TEST_CASE("attention_int8: what a row, a column and a probability mean scales with them") {
  Integral heads(50, 32);
  Integral scaled = heads;
  for (index_t r = 0; r < 50; ++r)
    // queries, keys, values
    for (index_t c = 0; c < 6 * 32; ++c) scaled.projections(r, c) *= c < 64 ? 0.5f : c < 128 ? 4.0f : 0.25f;
  scaled.scale /= 2;
  heads.run();
  scaled.run();
  const ConstView context = heads.context;
  CHECK(largest_error(View(scaled.context).col_range(32, 32),
                      [&](index_t r, index_t c) { return 0.25 * context(r, 32 + c); }) < 1e-4);
}

TEST_CASE("attention_int8: zeros are zeros") {
  Integral heads(9, 16);
  heads.projections.fill(0);
  heads.run();
  CHECK(largest_error(View(heads.context).col_range(16, 16), [](index_t, index_t) { return 0.0; }) == 0);
}

TEST_CASE("attention_int8: scratch that served a longer text changes nothing") {
  Integral fresh(9, 32), reused(9, 32), longer(61, 32);
  for (index_t c = 0; c < 6 * 32; ++c) longer.projections(60, c) = std::numeric_limits<float>::quiet_NaN();
  kernel::QuantizedValues values;
  kernel::AttentionScratch scratch;
  longer.run(values, scratch);
  reused.run(values, scratch);
  fresh.run();
  CHECK(same_bits(fresh.context, reused.context));
}

TEST_CASE("attention_int8: a row depends on its query alone, not on how many others there are") {
  Integral all(45, 32);
  all.run();
  for (const index_t row : {0, 16, 31, 44}) {
    Integral one = all;
    for (index_t r = 0; r < 45; ++r)
      copy(ConstView(all.projections).row_range(r == 0 ? row : 0, 1).col_range(0, 64),
           View(one.projections).row_range(r, 1).col_range(0, 64));
    one.run();
    CHECK(same_bits(ConstView(one.context).row_range(0, 1).col_range(32, 32),
                    ConstView(all.context).row_range(row, 1).col_range(32, 32)));
  }
}
