// usage: train ENCODER_DIR LABELED_IDS [--batch N] [--steps N] [--warm-up N] [--precision fp32|bf16] [--threads N]
// [--seed N]
//              [--lambda X --queue N --positives N --key-precision fp32|bf16|int8]
// Steps of fine-tuning with cross entropy, dropout on, examples shuffled; with --queue also KNN-BERT's contrast. A line
// of LABELED_IDS is a label's number, a tab and token ids, special tokens included. Prints a JSON line: processor
// seconds of the steps (calling thread), examples and tokens, products and attention at real lengths (three times a
// forward pass, keys once) in GFLOP/s, and their share of the fp32 peak measured around the steps.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "arguments.hpp"
#include "clock.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/train/sampler.hpp"
#include "knnbert/train/stepper.hpp"

namespace {

using namespace knnbert;
using namespace knnbert_benchmark;

struct Stack : DefaultStack {
  using encoder_type = BasicBert<DefaultArch, AnyPrecision>;
};

TrainingData read_examples(const std::string& path) {
  std::ifstream file(path);
  if (!file) raise<IoError>("{}: cannot be opened", path);
  Batch tokens;
  std::vector<label_t> labels;
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line);
    label_t label;
    if (!(numbers >> label)) raise<FormatError>("{}: line {}: a label expected", path, labels.size() + 1);
    labels.push_back(label);
    for (token_t id; numbers >> id;) tokens.ids.push_back(id);
    tokens.close_text();
  }
  const auto classes = static_cast<index_t>(*std::max_element(labels.begin(), labels.end())) + 1;
  return TrainingData(std::move(tokens), std::move(labels), classes);
}

/// Fills the queue, if a term has one, with random unit keys: a step's cost depends on their number only.
template <class... Terms>
index_t fill_queue(std::tuple<Terms...>& terms, const Network<Stack>& network, index_t classes) {
  using Contrastive = bound_term<QueueContrastive, Network<Stack>>;
  if constexpr (!(std::is_same_v<Terms, Contrastive> || ...)) return 0;
  else {
    auto& queue = std::get<Contrastive>(terms).queue();
    const Rng rng(1, Stream::noise);
    Matrix keys(queue.capacity(), network.projection_width());
    std::vector<label_t> labels;
    for (index_t i = 0; i < keys.rows(); ++i) {
      for (index_t c = 0; c < keys.cols(); ++c)
        keys(i, c) = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i * keys.cols() + c)));
      labels.push_back(static_cast<label_t>(i % classes));
    }
    network.metric().prepare(keys);
    queue.push(keys, labels);
    return queue.size();
  }
}

template <class... Terms>
void measure(const Arguments& arguments, Network<Stack>& network, const TrainingData& data, index_t positives,
             Terms... terms) {
  const index_t batch = arguments.number("--batch", 32), steps = arguments.number("--steps", 40),
                warm_up = arguments.number("--warm-up", 5);
  const auto seed = static_cast<std::uint64_t>(arguments.number("--seed", 42));
  Stepper stepper(network, data, TrainerOptions{.batch_size = batch, .seed = seed}, std::move(terms)...);
  const ShuffledBatches batches(data, batch, seed, 0);
  const BertConfig& config = network.encoder().config();
  stepper.start();
  const index_t keys = fill_queue(stepper.terms(), network, data.classes());
  double seconds = 0, wall = 0, operations = 0, loss = 0, highest = peak<DefaultArch>();
  index_t tokens = 0, examples = 0;
  for (index_t s = 0; s < warm_up + steps; ++s) {
    const auto chosen = batches[s % batches.count()];
    const double start = cpu_seconds(), wall_start = wall_seconds();
    const auto report = stepper.step({seed, 0, static_cast<std::uint64_t>(s)}, chosen, 1e-5f);
    if (!report.finite) raise<OptionError>("step {}: the loss is not finite", s);
    if (s < warm_up) continue;
    loss = static_cast<double>(report.loss);
    seconds += cpu_seconds() - start, wall += wall_seconds() - wall_start;
    const double forward = forward_operations(config, data.tokens().select(chosen));
    operations += forward * (3 + static_cast<double>(positives));  // positives are about as long as their queries
    tokens += report.tokens, examples += report.examples;
  }
  highest = std::max(highest, peak<DefaultArch>());
  std::printf(
      "{\"seconds\":%.6f,\"wall\":%.6f,\"steps\":%ld,\"examples\":%ld,\"tokens\":%ld,\"seconds_per_step\":%.6f,"
      "\"keys\":%ld,\"loss\":%.5f,\"gflops\":%.1f,\"peak\":%.1f,\"peak_share\":%.4f,\"instructions\":\"%s\"}\n",
      seconds, wall, static_cast<long>(steps), static_cast<long>(examples), static_cast<long>(tokens),
      seconds / static_cast<double>(steps), static_cast<long>(keys), loss, operations / seconds * 1e-9, highest * 1e-9,
      operations / seconds / highest, DefaultArch::name());
}

int run(const Arguments& arguments) {
  const BertCheckpoint checkpoint(arguments.positional(0, "ENCODER_DIR"));
  const TrainingData data = read_examples(arguments.positional(1, "LABELED_IDS"));
  Network<Stack> network(checkpoint.config(), data.classes(), {.threads = arguments.number("--threads", 1)});
  checkpoint.read(network.encoder(), network.values());
  network.set_precision(precision_from(arguments.text("--precision", "fp32")));
  const index_t capacity = arguments.number("--queue", 0), positives = arguments.number("--positives", 16);
  if (capacity == 0) return measure(arguments, network, data, 0, CrossEntropy{}), 0;
  const std::string of_keys = arguments.text("--key-precision", "");
  const QueueContrastiveOptions options{
      .weight = std::stof(arguments.text("--lambda", "0.5")),
      .capacity = capacity,
      .positives = positives,
      .warm_up = false,
      .key_precision = of_keys.empty() ? std::nullopt : std::optional(precision_from(of_keys)),
      .contrast = {.most_similar = arguments.number("--top-k", 100), .least_similar = arguments.number("--end-k", 1)}};
  return measure(arguments, network, data, positives, CrossEntropy{.weight = 1 - options.weight},
                 QueueContrastive(options)),
         0;
}

}  // namespace

int main(int count, char** values) { return knnbert_benchmark::run_program(count, values, run); }
