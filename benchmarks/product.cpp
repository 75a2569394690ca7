// Products of activations with packed weights, the shapes of MiniLM and BERT-base: GFLOP/s and share of the peak that
// the core reaches on registers alone, measured before each line. naive and Eigen stand beside ours.
// Run pinned to a core: taskset -c 0 ./product
#include <benchmark/benchmark.h>

#include <Eigen/Core>

#include "clock.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/kernel/lower_panels.hpp"
#include "knnbert/kernel/product.hpp"

namespace {

using namespace knnbert;
using namespace knnbert_benchmark;

#if defined(__AVX2__) && defined(__FMA__)
using Avx2 = xsimd::fma3<xsimd::avx2>;
#else
using Avx2 = DefaultArch;
#endif

Matrix random(index_t rows, index_t cols) {
  Matrix m(rows, cols);
  const Rng rng(1, Stream::noise);
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < cols; ++j)
      m(i, j) = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i * cols + j)));
  return m;
}

template <class Arch>
void report(benchmark::State& state, double peak_operations) {
  const double operations = 2.0 * static_cast<double>(state.range(0) * state.range(1) * state.range(2));
  state.counters["GFLOP/s"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak_GFLOP/s"] = peak_operations * 1e-9;
  state.counters["of_peak"] =
      benchmark::Counter(operations / peak_operations, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(Arch::name());
}

/// out [M, N] = a [M, K] w^T + bias in a precision
template <class Arch, class Products>
void product(benchmark::State& state) {
  const index_t rows = state.range(0), columns = state.range(1), depth = state.range(2);
  const Matrix a = random(rows, depth);
  AlignedBuffer<float> panels(columns * depth), bias(columns + panel_width);
  std::fill_n(panels.data(), panels.size(), 0.01f);
  Matrix out(rows, columns);
  const kernel::AddBias epilogue{out, bias.data()};
  kernel::LoweredRows lowered;
  LoweredWeight weight;
  if constexpr (Products::precision != Precision::fp32) {
    weight.panels.reserve(columns * kernel::lanes_of<Products>(depth));
    weight.scales.reserve(columns);
    weight.sums.reserve(columns);
    kernel::lower_panels<Arch, Products>(panels.data(), depth, 0, columns / panel_width, weight);
    lowered.assign<Arch, Products>(a);
  }
  const double peak_operations = peak<Arch>();
  const auto multiply = [&] {
    if constexpr (Products::precision == Precision::fp32) kernel::product<Arch>(a, panels.data(), columns, epilogue);
    else if constexpr (Products::precision == Precision::bf16)
      kernel::product<Arch, Products>(lowered.lanes(), weight.panels.data(), columns, epilogue);
    else
      kernel::product<Arch, Products>(
          lowered.lanes(), weight.panels.data(), columns,
          kernel::Dequantize<kernel::AddBias>{epilogue, lowered.meanings(), weight.scales.data(), weight.sums.data()});
  };
  multiply();  // the pages of a large result come into being
  for (auto _ : state) {
    multiply();
    benchmark::ClobberMemory();
  }
  report<Arch>(state, peak_operations);
}

void eigen(benchmark::State& state) {
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Rows a = Rows::Random(state.range(0), state.range(2)), w = Rows::Random(state.range(1), state.range(2));
  const Eigen::RowVectorXf bias = Eigen::RowVectorXf::Random(state.range(1));
  Rows out(state.range(0), state.range(1));
  const double peak_operations = peak<DefaultArch>();
  out.setZero();
  for (auto _ : state) {
    out.noalias() = a * w.transpose();
    out.rowwise() += bias;
    benchmark::ClobberMemory();
  }
  report<DefaultArch>(state, peak_operations);
}

void naive(benchmark::State& state) {
  const index_t rows = state.range(0), columns = state.range(1), depth = state.range(2);
  const Matrix a = random(rows, depth), w = random(columns, depth);
  Matrix out(rows, columns);
  for (auto _ : state) {
    for (index_t m = 0; m < rows; ++m)
      for (index_t n = 0; n < columns; ++n) {
        float sum = 0;
        for (index_t k = 0; k < depth; ++k) sum += a(m, k) * w(n, k);
        out(m, n) = sum;
      }
    benchmark::ClobberMemory();
  }
  report<DefaultArch>(state, peak<DefaultArch>());
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"M", "N", "K"})->MinTime(0.2);
  for (const index_t rows : {25, 200, 800, 3200})
    for (const auto& [columns, depth] : std::initializer_list<std::pair<index_t, index_t>>{
             {384, 384}, {1152, 384}, {1536, 384}, {384, 1536}, {768, 768}, {3072, 768}, {768, 3072}})
      b->Args({rows, columns, depth});
}
void one_shape(benchmark::internal::Benchmark* b) { b->ArgNames({"M", "N", "K"})->Args({200, 384, 384}); }

BENCHMARK_TEMPLATE(product, DefaultArch, kernel::Fp32)->Apply(shapes);
BENCHMARK_TEMPLATE(product, Avx2, kernel::Fp32)->Apply(shapes);
BENCHMARK_TEMPLATE(product, DefaultArch, kernel::Bf16)->Apply(shapes);
BENCHMARK_TEMPLATE(product, DefaultArch, kernel::Int8)->Apply(shapes);
BENCHMARK(eigen)->Apply(shapes);
BENCHMARK(naive)->Apply(one_shape);

}  // namespace

BENCHMARK_MAIN();
