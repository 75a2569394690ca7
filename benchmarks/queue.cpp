// The contrast of 16 anchors with a queue of K keys on one core: scores, choice of 100 + 1 positives, loss, gradient.
//   queue [--benchmark_filter=...]
//   queue turns FOLDER K D     serves benchmarks/peers/queue_contrast.py: raw files keys, labels, queries, anchors;
//                              writes gradient
// Counter "x floor": time over the larger of reading the keys twice and 4 B K D operations at peak, both measured in
// the same run. "naive" ranks every anchor's keys by a full sort and loops over pairs.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "bandwidth.hpp"
#include "knnbert/queue/fifo.hpp"

using namespace knnbert;
using namespace knnbert_benchmark;

namespace {

constexpr index_t batch = 16;

Matrix random_rows(index_t rows, index_t cols, std::uint32_t state) {
  Matrix m(rows, cols);
  for (index_t i = 0; i < rows; ++i)
    for (float& x : m.row(i)) {
      state = state * 1664525u + 1013904223u;
      x = static_cast<float>(static_cast<std::int32_t>(state)) * 4.6e-10f;
    }
  Cosine{}.prepare(m);
  return m;
}

struct Problem {
  Problem(index_t size, index_t width, index_t classes)
      : queue(size, width), queries(random_rows(batch, width, 5)), d_queries(batch, width) {
    std::vector<label_t> labels;
    for (index_t i = 0; i < size; ++i) labels.push_back(static_cast<label_t>(i * 7919 / 13 % classes));
    queue.push(random_rows(size, width, 3), labels);
    for (index_t i = 0; i < batch; ++i) anchors.push_back(static_cast<label_t>(i % classes));
  }
  FifoQueue<> queue;
  Matrix queries, d_queries;
  std::vector<label_t> anchors;
};

void report(benchmark::State& state, double seconds, const Problem& p) {
  const auto size = static_cast<double>(p.queue.size() * p.queue.width());
  const ConstView keys = p.queue.keys();
  const double floor = std::max(8 * size / read_bandwidth<DefaultArch>(keys.data(), keys.rows() * keys.stride()),
                                4 * static_cast<double>(batch) * size / peak<DefaultArch>());
  const double once = seconds / static_cast<double>(state.iterations());
  state.counters["x floor"] = once / floor;
  state.counters["GFLOP/s"] = 4e-9 * static_cast<double>(batch) * size / once;
  state.counters["GB/s"] = 8e-9 * size / once;
  state.SetLabel(DefaultArch::name());
}

void contrast(benchmark::State& state) {
  Problem p(state.range(0), state.range(1), state.range(2));
  const Rng rng(7, Stream::positives);
  const double start = cpu_seconds();
  for (auto _ : state)
    benchmark::DoNotOptimize(p.queue.contrast(p.queries, p.anchors, ContrastOptions{}, rng, p.d_queries));
  report(state, cpu_seconds() - start, p);
}

/// One anchor as the formula says: rank all keys of its class, weigh every pair.
void contrast_naively(const Problem& p, index_t anchor, std::span<float> gradient) {
  const ConstView keys = p.queue.keys();
  const auto query = p.queries.row(anchor);
  const label_t label = p.anchors[static_cast<std::size_t>(anchor)];
  std::vector<std::pair<double, index_t>> own, others;
  for (index_t j = 0; j < keys.rows(); ++j) {
    double score = 0;
    for (std::size_t c = 0; c < query.size(); ++c) score += query[c] * keys.row(j)[c];
    (p.queue.labels()[static_cast<std::size_t>(j)] == label ? own : others).emplace_back(score / 0.07, j);
  }
  std::sort(own.rbegin(), own.rend());
  own.erase(own.begin() + 100, own.end() - 1);
  const auto pull = [&](index_t j, double weight) {
    for (std::size_t c = 0; c < gradient.size(); ++c) gradient[c] += static_cast<float>(weight) * keys.row(j)[c];
  };
  double z = 0, attraction = 0;
  for (const auto& [u, j] : others) z += std::exp(u);
  for (const auto& [u, j] : own) {
    const double r = z / (z + std::exp(u)) / static_cast<double>(batch * std::ssize(own)) / 0.07;
    attraction += r;
    pull(j, -r);
  }
  for (const auto& [u, j] : others) pull(j, attraction * std::exp(u) / z);
}

void naive(benchmark::State& state) {
  Problem p(state.range(0), state.range(1), state.range(2));
  const double start = cpu_seconds();
  for (auto _ : state)
    for (index_t i = 0; i < batch; ++i) contrast_naively(p, i, p.d_queries.row(i));
  report(state, cpu_seconds() - start, p);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"K", "D", "classes"})->Unit(benchmark::kMillisecond);
  for (const index_t size : {32000, 100000})
    for (const index_t width : {384, 768})
      for (const index_t classes : {2, 6}) b->Args({size, width, classes});
}

BENCHMARK(contrast)->Apply(shapes);
BENCHMARK(naive)->ArgNames({"K", "D", "classes"})->Args({32000, 384, 2})->Unit(benchmark::kMillisecond);

template <class T>
std::vector<T> read_all(const std::filesystem::path& path) {
  std::vector<T> values(std::filesystem::file_size(path) / sizeof(T));
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
  return values;
}

/// Prints the loss and writes the gradient; then, for every line of input, contrasts once and prints the seconds that
/// took, read bandwidth and peak.
int take_turns(const std::filesystem::path& folder, index_t size, index_t width) {
  const auto keys = read_all<float>(folder / "keys"), queries = read_all<float>(folder / "queries");
  const auto labels = read_all<label_t>(folder / "labels"), anchors = read_all<label_t>(folder / "anchors");
  FifoQueue<> queue(size, width);
  queue.push(ConstView(keys.data(), size, width), labels);
  const ConstView rows(queries.data(), std::ssize(anchors), width);
  std::vector<float> gradient(queries.size());
  const View d(gradient.data(), rows.rows(), width);
  const Rng rng(7, Stream::positives);
  std::cout << queue.contrast(rows, anchors, ContrastOptions{}, rng, d).loss << std::endl;
  std::ofstream file(folder / "gradient", std::ios::binary);
  file.write(reinterpret_cast<const char*>(gradient.data()),
             static_cast<std::streamsize>(gradient.size() * sizeof(float)));
  file.close();
  std::cout << "written" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const double start = cpu_seconds();
    benchmark::DoNotOptimize(queue.contrast(rows, anchors, ContrastOptions{}, rng, d));
    const double seconds = cpu_seconds() - start;
    std::cout << seconds << ' ' << read_bandwidth_once<DefaultArch>(queue.keys().data(), size * queue.keys().stride())
              << ' ' << peak<DefaultArch>() << std::endl;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 5 && std::string_view(arguments[1]) == "turns")
    return take_turns(arguments[2], std::atol(arguments[3]), std::atol(arguments[4]));
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
