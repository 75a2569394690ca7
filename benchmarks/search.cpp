// Exact search of one core: the ten closest of N keys for batches of queries.
//   search [--benchmark_filter=...]
//   search turns KEYS N D QUERIES B     serves benchmarks/peers/search.py: raw float32 files
// bf16: keys read in bf16, what may be near scored again; the same neighbors.
// Counters: share of the read bandwidth and of the multiply-add peak measured in the same run; queries a second.
// "naive" is the plain double loop with a partial sort.
#include <benchmark/benchmark.h>

#include <fstream>
#include <iostream>

#include "bandwidth.hpp"
#include "knnbert/datastore/flat.hpp"

using namespace knnbert;
using namespace knnbert_benchmark;

namespace {

constexpr index_t neighbors = 10;

float pseudo_random(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<std::int32_t>(state)) * 4.6e-10f;
}

Matrix random_rows(index_t rows, index_t cols, std::uint32_t seed) {
  Matrix m(rows, cols);
  for (index_t i = 0; i < rows; ++i)
    for (float& x : m.row(i)) x = pseudo_random(seed);
  return m;
}

/// A store that is filled once for all benchmarks of its shape, which come one after another.
template <class Precisions>
const FlatDatastore<Cosine, Precisions>& store_of(index_t size, index_t width) {
  static std::unique_ptr<FlatDatastore<Cosine, Precisions>> store;
  if (store && store->size() == size && store->width() == width) return *store;
  store = std::make_unique<FlatDatastore<Cosine, Precisions>>(width);
  if constexpr (requires { store->lower(); }) store->lower();
  constexpr index_t piece = 4096;
  for (index_t first = 0; first < size; first += piece) {
    const index_t count = std::min(piece, size - first);
    store->add(random_rows(count, width, static_cast<std::uint32_t>(first + 1)),
               std::vector<label_t>(static_cast<std::size_t>(count)));
  }
  return *store;
}

void report(benchmark::State& state, double seconds, index_t batch, index_t size, index_t width) {
  static const Matrix memory = random_rows(100000, 384, 1);  // 154 MB
  const auto once = static_cast<double>(state.iterations()) / seconds,
             pairs = static_cast<double>(batch * size * width);
  const double bytes = 4.0 * static_cast<double>(size * width) * once, flops = 2 * pairs * once;
  const double bandwidth = read_bandwidth<DefaultArch>(memory.data(), memory.rows() * memory.stride());
  state.counters["queries/s"] = static_cast<double>(batch) * once;
  state.counters["GB/s"] = bytes * 1e-9;
  state.counters["%bandwidth"] = 100 * bytes / bandwidth;
  state.counters["GFLOP/s"] = flops * 1e-9;
  state.counters["%peak"] = 100 * flops / peak<DefaultArch>();
  state.SetLabel(DefaultArch::name());
}

template <class Precisions>
void search(benchmark::State& state) {
  const index_t batch = state.range(0), size = state.range(1), width = state.range(2);
  const auto& store = store_of<Precisions>(size, width);
  const Matrix queries = random_rows(batch, width, 77);
  const double start = cpu_seconds();
  for (auto _ : state) benchmark::DoNotOptimize(store.search(queries, neighbors));
  report(state, cpu_seconds() - start, batch, size, width);
}

void naive(benchmark::State& state) {
  const index_t batch = state.range(0), size = state.range(1), width = state.range(2);
  const Matrix queries = random_rows(batch, width, 77), keys = random_rows(size, width, 78);
  std::vector<std::pair<float, index_t>> scores(static_cast<std::size_t>(size));
  const double start = cpu_seconds();
  for (auto _ : state)
    for (index_t q = 0; q < batch; ++q) {
      for (index_t i = 0; i < size; ++i) {
        float sum = 0;
        for (index_t c = 0; c < width; ++c) sum += ConstView(queries)(q, c) * ConstView(keys)(i, c);
        scores[static_cast<std::size_t>(i)] = {-sum, i};
      }
      std::partial_sort(scores.begin(), scores.begin() + neighbors, scores.end());
      benchmark::DoNotOptimize(scores.data());
    }
  report(state, cpu_seconds() - start, batch, size, width);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "N", "D"})->Unit(benchmark::kMillisecond);
  for (const index_t size : {100000, 1000000})
    for (const index_t width : {384, 768})
      for (const index_t batch : {1, 16, 256}) b->Args({batch, size, width});
}

BENCHMARK(search<OnlyFp32>)->Name("search")->Apply(shapes);
BENCHMARK(search<AnyPrecision>)->Name("bf16")->Apply(shapes);
BENCHMARK(naive)
    ->ArgNames({"batch", "N", "D"})
    ->Args({1, 100000, 384})
    ->Args({16, 100000, 384})
    ->Unit(benchmark::kMillisecond);

Matrix read_rows(std::ifstream& file, index_t rows, index_t cols) {
  Matrix m(rows, cols);
  for (index_t i = 0; i < rows; ++i)
    file.read(reinterpret_cast<char*>(m.row(i).data()), static_cast<std::streamsize>(m.row(i).size_bytes()));
  if (!file) raise<Error>("search turns: a file is too short");
  return m;
}

/// Prints the ids of all neighbors; then, for every line of input, searches once in fp32 and once with keys in bf16,
/// and prints the seconds that took, read bandwidth and peak.
int take_turns(char** argument) {
  const index_t size = std::atol(argument[1]), width = std::atol(argument[2]), batch = std::atol(argument[4]);
  std::ifstream key_file(argument[0], std::ios::binary), query_file(argument[3], std::ios::binary);
  FlatDatastore<Dot> store(width);
  FlatDatastore<Dot, AnyPrecision> lowered(width);
  lowered.lower();
  constexpr index_t piece = 4096;
  for (index_t first = 0; first < size; first += piece) {
    const index_t count = std::min(piece, size - first);
    const Matrix keys = read_rows(key_file, count, width);
    const std::vector<label_t> labels(static_cast<std::size_t>(count));
    store.add(keys, labels);
    lowered.add(keys, labels);
  }
  const Matrix queries = read_rows(query_file, batch, width);
  const auto lists = store.search(queries, neighbors);
  if (!(lowered.search(queries, neighbors) == lists)) raise<Error>("search turns: other neighbors with keys in bf16");
  for (index_t q = 0; q < batch; ++q)
    for (const Neighbor& n : lists[q]) std::cout << n.id << ' ';
  const Matrix memory = random_rows(100000, 384, 1);
  std::cout << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const double start = cpu_seconds();
    benchmark::DoNotOptimize(store.search(queries, neighbors));
    const double between = cpu_seconds();
    benchmark::DoNotOptimize(lowered.search(queries, neighbors));
    std::cout << between - start << ' ' << cpu_seconds() - between << ' '
              << read_bandwidth_once<DefaultArch>(memory.data(), memory.rows() * memory.stride()) << ' '
              << peak<DefaultArch>() << std::endl;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 7 && std::string_view(arguments[1]) == "turns") return take_turns(arguments + 2);
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
