// usage: mpirun -n N distributed all-reduce [--largest FLOATS] [--repeats N]
//        mpirun -n N distributed train [--layers N --width N --inner N --length TOKENS] [--batch N] [--steps N]
//        [--warm-up N]
//                                      [--queue N --positives N] [--overlap 0|1]
// all-reduce: a JSON line a size with the fastest and the median time of a sum, the slowest process counting. train:
// steps of an encoder of random weights on random texts with cross entropy, and with --queue also KNN-BERT's contrast;
// prints a JSON line with the seconds of a step, those that the first process waits for others in it, and the bytes
// that each process gives to sums and gathers. --overlap 0 starts every sum only when all gradients are there.
#include <chrono>
#include <cstdio>

#include "arguments.hpp"
#include "knnbert/distributed/mpi.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/train/sampler.hpp"
#include "knnbert/train/stepper.hpp"

namespace {

using namespace knnbert;
using namespace knnbert_benchmark;

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Counts what passes through a communicator, and may hold sums back until somebody waits for them.
class CountedCommunicator {
 public:
  CountedCommunicator(MpiCommunicator& inner, bool overlap) : inner_(inner), overlap_(overlap) {}

  double waited = 0, reduced_bytes = 0, gathered_bytes = 0;

  index_t rank() const { return inner_.rank(); }
  index_t size() const { return inner_.size(); }
  void all_reduce(std::span<float> values) {
    reduced_bytes += static_cast<double>(values.size_bytes());
    timed([&] { inner_.all_reduce(values); });
  }
  void start_all_reduce(std::span<float> values) {
    reduced_bytes += static_cast<double>(values.size_bytes());
    if (overlap_) inner_.start_all_reduce(values);
    else held_.push_back(values);
  }
  void wait() {
    timed([&] {
      for (const auto values : held_) inner_.start_all_reduce(values);
      held_.clear();
      inner_.wait();
    });
  }
  void broadcast(std::span<std::byte> bytes, index_t root) {
    timed([&] { inner_.broadcast(bytes, root); });
  }
  void all_gather(std::span<std::byte> all, std::span<const index_t> ends) {
    gathered_bytes += static_cast<double>(all.size());
    timed([&] { inner_.all_gather(all, ends); });
  }
  void barrier() {
    timed([&] { inner_.barrier(); });
  }

 private:
  template <class F>
  void timed(F&& f) {
    const double start = seconds();
    f();
    waited += seconds() - start;
  }

  MpiCommunicator& inner_;
  bool overlap_;
  std::vector<std::span<float>> held_;
};

double largest_of(const Team& team, double mine) {
  const auto all = gather_values(team, std::span<const double>(&mine, 1));
  return *std::max_element(all.begin(), all.end());
}

int measure_sums(MpiCommunicator& communicator, const Arguments& arguments) {
  const Team team(communicator);
  constexpr index_t warm_up = 2;
  const index_t largest = arguments.number("--largest", index_t{1} << 22), repeats = arguments.number("--repeats", 21);
  for (index_t size = 1; size <= largest; size *= 4) {
    std::vector<float> values(static_cast<std::size_t>(size), 1.0f);
    std::vector<double> times;
    for (index_t i = -warm_up; i < repeats; ++i) {
      communicator.barrier();
      const double start = seconds();
      communicator.all_reduce(values);
      const double slowest = largest_of(team, seconds() - start);
      if (i >= 0) times.push_back(slowest);
    }
    std::sort(times.begin(), times.end());
    if (team.first())
      std::printf(
          "{\"measure\":\"all-reduce\",\"processes\":%td,\"cores\":%u,\"bytes\":%td,\"seconds\":%.9f,\"fastest\":%.9f}"
          "\n",
          team.size(), std::thread::hardware_concurrency(), size * 4, times[times.size() / 2], times.front());
  }
  return 0;
}

struct Shape {
  index_t layers, width, inner, length, batch, steps, warm_up, examples;
};

TrainingData random_texts(const Shape& s, index_t vocabulary) {
  Batch tokens;
  std::vector<label_t> labels;
  const Rng rng(1, Stream::sample);
  for (index_t i = 0; i < s.examples; ++i) {
    for (index_t t = 0; t < s.length; ++t)
      tokens.ids.push_back(static_cast<token_t>(rng.below(static_cast<std::uint64_t>(i * s.length + t), vocabulary)));
    tokens.close_text();
    labels.push_back(static_cast<label_t>(i % 8));
  }
  return TrainingData(std::move(tokens), std::move(labels), 8);
}

template <class... Terms>
void measure_steps(const Shape& s, CountedCommunicator& communicator, Network<DefaultStack>& network,
                   const TrainingData& data, bool overlap, Terms... terms) {
  const Team team(communicator);
  Stepper stepper(network, data, {.batch_size = s.batch}, std::move(terms)...);
  stepper.join(team);
  const ShuffledBatches batches(data, s.batch, 42, 0);
  std::vector<double> wall, waited, backward;
  for (index_t step = 0; step < s.warm_up + s.steps; ++step) {
    const double start = seconds(), waited_before = communicator.waited;
    if (step == s.warm_up) communicator.reduced_bytes = communicator.gathered_bytes = 0;
    auto report = stepper.step({42, 0, static_cast<std::uint64_t>(step)}, batches[step % batches.count()], 1e-5f);
    const double end = seconds(), in_calls = communicator.waited - waited_before;
    if (step < s.warm_up) continue;
    wall.push_back(end - start), waited.push_back(in_calls), backward.push_back(report.phase("backward").seconds);
  }
  const auto median = [](std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  };
  if (!team.first()) return;
  const auto steps = static_cast<double>(s.steps);
  std::printf(
      "{\"measure\":\"train\",\"processes\":%td,\"batch\":%td,\"layers\":%td,\"width\":%td,\"overlap\":%d,\"terms\":%"
      "zu,\"seconds\":%.6f,\"waited\":%.6f,"
      "\"backward\":%.6f,\"reduced_bytes\":%.0f,\"gathered_bytes\":%.0f}\n",
      team.size(), s.batch, s.layers, s.width, static_cast<int>(overlap), sizeof...(Terms), median(wall),
      median(waited), median(backward), communicator.reduced_bytes / steps, communicator.gathered_bytes / steps);
}

int measure_training(MpiCommunicator& inner, const Arguments& a) {
  const Shape s{.layers = a.number("--layers", 6),
                .width = a.number("--width", 384),
                .inner = a.number("--inner", 1536),
                .length = a.number("--length", 32),
                .batch = a.number("--batch", 32),
                .steps = a.number("--steps", 7),
                .warm_up = a.number("--warm-up", 2),
                .examples = a.number("--examples", 512)};
  const BertConfig config{.vocab_size = 30522,
                          .hidden_size = s.width,
                          .num_hidden_layers = s.layers,
                          .num_attention_heads = s.width / 32,
                          .intermediate_size = s.inner};
  const TrainingData data = random_texts(s, config.vocab_size);
  Network<DefaultStack> network(config, 8, {});
  const Rng rng(2, Stream::noise);
  for (index_t i = 0; i < network.values().size(); ++i)
    network.values().data()[i] = 0.04f * static_cast<float>(rng.uniform(static_cast<std::uint64_t>(i)) - 0.5);
  const bool overlap = a.number("--overlap", 1) != 0;
  CountedCommunicator communicator(inner, overlap);
  const index_t keys = a.number("--queue", 0);
  if (keys == 0) return measure_steps(s, communicator, network, data, overlap, CrossEntropy{}), 0;
  const QueueContrastiveOptions options{
      .weight = 0.5f, .capacity = keys, .positives = a.number("--positives", 4), .warm_up = false};
  return measure_steps(s, communicator, network, data, overlap, CrossEntropy{0.5f}, QueueContrastive(options)), 0;
}

int run(const Arguments& arguments) {
  MpiCommunicator communicator;
  if (arguments.positional(0, "all-reduce or train") == "train") return measure_training(communicator, arguments);
  return measure_sums(communicator, arguments);
}

}  // namespace

int main(int count, char** values) { return knnbert_benchmark::run_program(count, values, run); }
