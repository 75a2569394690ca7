#include "knnbert/kernel/attention_bf16.hpp"

#include <bit>

#include "kernel/values.hpp"

using namespace knnbert_test;

namespace {

using Arch = DefaultArch;

/// Queries, keys and values of two heads side by side, the second one of which is looked at.
struct Heads {
  index_t length, width;
  Matrix projections, context;

  Heads(index_t l, index_t e) : length(l), width(e), projections(l, 6 * e), context(l, 2 * e) {
    copy(random_matrix(l, 6 * e, static_cast<std::uint64_t>(l)), projections);
    context.fill(-7);
  }
  ConstView part(index_t i) const { return ConstView(projections).col_range((2 * i + 1) * width, width); }

  template <bool Lowered>
  void run(View into, kernel::PairedValues& paired, kernel::AttentionScratch& scratch) const {
    kernel::LoweredRows rows;
    rows.assign<Arch, kernel::Bf16>(projections);
    const ConstView all = rows.lanes();
    const auto lanes = [&](index_t first, index_t count) {
      return all.col_range(first * width / 2, count * width / 2);
    };
    const ConstView values = paired.assign<Arch>(lanes(4, 2));
    kernel::attention_bf16<Arch, Lowered>(
        {lanes(1, 1), lanes(3, 1), values.col_range(width, width), 1 / std::sqrt(static_cast<float>(width))}, into,
        scratch);
  }
  void run(kernel::PairedValues& paired, kernel::AttentionScratch& scratch) {
    run<false>(View(context).col_range(width, width), paired, scratch);
  }
  /// The context as lanes of both heads, [L, E]; only the second one is written.
  Matrix run_lowered() const {
    kernel::PairedValues paired;
    kernel::AttentionScratch scratch;
    Matrix lanes(length, width);
    lanes.fill(-7);
    run<true>(View(lanes).col_range(width / 2, width / 2), paired, scratch);
    return lanes;
  }
  void run() {
    kernel::PairedValues paired;
    kernel::AttentionScratch scratch;
    run(paired, scratch);
  }
  bool other_head_untouched() const {
    for (index_t r = 0; r < length; ++r)
      for (index_t c = 0; c < width; ++c)
        if (context(r, c) != -7) return false;
    return true;
  }
};

float rounded(float x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(kernel::detail::bf16_bits(x)) << 16;
  return std::bit_cast<float>(bits);
}

double exact(const Heads& heads, index_t row, index_t column) {
  const ConstView q = heads.part(0), k = heads.part(1), v = heads.part(2);
  double total = 0, sum = 0;
  for (index_t c = 0; c < heads.length; ++c) {
    double s = 0;
    for (index_t x = 0; x < heads.width; ++x) s += static_cast<double>(rounded(q(row, x))) * rounded(k(c, x));
    const double p = std::exp(s / std::sqrt(static_cast<double>(heads.width)));
    total += p;
    sum += p * rounded(v(c, column));
  }
  return sum / total;
}

}  // namespace

TEST_CASE("attention_bf16: lengths 1 to 40 and longer, every head width: within the rounding of the probabilities") {
  for (const index_t width : {4, 16, 20, 32, 64, 96})
    for (index_t length = 1; length <= 110; length += length < 40 ? 1 : 23) {
      CAPTURE(width, length);
      Heads heads(length, width);
      heads.run();
      CHECK(largest_error(View(heads.context).col_range(width, width),
                          [&](index_t r, index_t c) { return exact(heads, r, c); }) < 8e-3);
      CHECK(heads.other_head_untouched());
    }
}

TEST_CASE("attention_bf16, lowered: the context as bf16, the head before it untouched") {
  for (const index_t width : {4, 16, 20, 32, 96})
    for (const index_t length : {1, 7, 29}) {
      CAPTURE(width, length);
      Heads heads(length, width);
      heads.run();
      kernel::LoweredRows expected;
      expected.assign<Arch, kernel::Bf16>(View(heads.context).col_range(width, width));
      const Matrix given = heads.run_lowered();
      CHECK(same_bits(ConstView(given).col_range(width / 2, width / 2), expected.lanes()));
      bool untouched = true;
      for (index_t r = 0; r < length; ++r)
        for (index_t c = 0; c < width / 2; ++c) untouched = untouched && given(r, c) == -7;
      CHECK(untouched);
    }
}

TEST_CASE("attention_bf16: scratch that served a longer text changes nothing") {
  for (const index_t width : {20, 32}) {
    Heads fresh(9, width), reused(9, width), longer(61, width);
    for (index_t c = 0; c < 6 * width; ++c) longer.projections(60, c) = std::numeric_limits<float>::quiet_NaN();
    kernel::PairedValues paired;
    kernel::AttentionScratch scratch;
    longer.run(paired, scratch);
    reused.run(paired, scratch);
    fresh.run();
    CHECK(same_bits(fresh.context, reused.context));
  }
}

TEST_CASE("attention_bf16: a row depends on its query alone, not on how many others there are") {
  Heads all(45, 32);
  all.run();
  for (const index_t row : {0, 16, 31, 44}) {
    Heads one(45, 32);
    copy(ConstView(all.projections).row_range(row, 1), View(one.projections).row_range(0, 1));
    for (index_t r = 1; r < 45; ++r) one.projections(r, 32) += 1;  // other queries
    copy(ConstView(all.projections).col_range(64, 128), View(one.projections).col_range(64, 128));
    one.run();
    CHECK(same_bits(ConstView(one.context).row_range(0, 1).col_range(32, 32),
                    ConstView(all.context).row_range(row, 1).col_range(32, 32)));
  }
}
