// The LibTorch backend on a device; benchmarks/peers/torch_table.py runs it beside others and makes the table.
//   torch train  --device cuda --shape base --precision bf16 --batch 32 --length 128 --steps 30 [--ragged 1]
//                [--recompute 1]
//   torch encode --device cuda --shape minilm --precision bf16 --texts 4096 [--padding 0]
//   torch knn    --device cuda --shape base --precision bf16 --batch 16 --keys 100000 --positives 16 --steps 10
//                [--length 128]
//   torch contrast --device cuda --width 768 --batch 16 --keys 100000 --steps 20
//   torch search --device cuda --width 768 --keys 1000000 --queries 1000 --neighbors 10
// Prints one JSON object. Encoders have random weights, texts random tokens; --ragged 1 draws lengths as of short real
// texts.
// --threads N: of LibTorch on the CPU. "peak" is that of a large bf16 or fp32 product of the device, measured in the
// same run.
#include <ATen/Parallel.h>

#include "arguments.hpp"
#include "clock.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/jsonl.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/torch/stack.hpp"
#include "knnbert/train/stepper.hpp"

using namespace knnbert;
using namespace knnbert_benchmark;

namespace {

BertConfig shape_of(const std::string& name) {
  if (name == "tiny")
    return {.vocab_size = 1000,
            .hidden_size = 128,
            .num_hidden_layers = 2,
            .num_attention_heads = 2,
            .intermediate_size = 512};
  if (name == "minilm")
    return {.hidden_size = 384, .num_hidden_layers = 6, .num_attention_heads = 12, .intermediate_size = 1536};
  if (name == "base") return {};
  if (name == "large")
    return {.hidden_size = 1024, .num_hidden_layers = 24, .num_attention_heads = 16, .intermediate_size = 4096};
  raise<OptionError>("--shape: '{}' given, tiny, minilm, base or large expected", name);
}

/// Texts of `length` tokens, or of lengths between 6 and `length` of which most are short.
Batch random_texts(const BertConfig& config, index_t texts, index_t length, bool ragged) {
  const Rng rng(1, Stream::sample);
  Batch batch;
  for (index_t i = 0; i < texts; ++i) {
    const double drawn = std::exp(3.0 + 0.6 * rng.fork(1).normal(static_cast<std::uint64_t>(i)));
    const index_t size =
        ragged ? std::clamp<index_t>(static_cast<index_t>(drawn), std::min<index_t>(6, length), length) : length;
    for (index_t t = 0; t < size; ++t)
      batch.ids.push_back(
          static_cast<token_t>(rng.below(static_cast<std::uint64_t>(batch.ids.size()), config.vocab_size)));
    batch.close_text();
  }
  return batch;
}

void synchronize(at::Device device) {
  if (device.is_cuda()) at::ones({1}, device).item<float>();
}

/// Operations a second of a large product.
double peak_of(at::Device device, at::ScalarType type) {
  const index_t n = device.is_cuda() ? 8192 : 1024;
  const auto a = at::randn({n, n}, device).to(type), b = at::randn({n, n}, device).to(type);
  double best = 1e30;
  for (int i = 0; i < 5; ++i) {
    synchronize(device);
    const double start = wall_seconds();
    at::mm(a, b);
    synchronize(device);
    best = std::min(best, wall_seconds() - start);
  }
  return 2.0 * static_cast<double>(n * n) * static_cast<double>(n) / best;
}

struct Setting {
  explicit Setting(const Arguments& a)
      : device(torch_device(a.text("--device", "cpu"))),
        config(shape_of(a.text("--shape", "minilm"))), options{.max_length = a.number("--length", 128)},
        precision(precision_from(a.text("--precision", "fp32"))) {
    options.precision = precision, options.device = a.text("--device", "cpu");
    at::set_num_threads(static_cast<int>(a.number("--threads", 1)));
    validate(config);
  }
  at::Device device;
  BertConfig config;
  ClassifierOptions options;
  Precision precision;

  /// Weights in +-0.02, gains 1, biases 0; heads keep their values.
  static void fill(ParameterBlock& block) {
    const Rng rng(2, Stream::initialize);
    float* values = block.data();
    for (const auto& p : block.table().all())
      if (!p.name.starts_with("classifier") && !p.name.starts_with("projection"))
        for (index_t i = p.offset; i < p.offset + p.size; ++i)
          values[i] = p.name.ends_with("LayerNorm.weight") ? 1.0f
                      : p.vector                           ? 0.0f
                                 : 0.02f * static_cast<float>(2 * rng.uniform(static_cast<std::uint64_t>(i)) - 1);
  }
  Network<TorchStack> network(index_t classes) const {
    Network<TorchStack> made(config, classes, options);
    fill(made.values());
    made.lower(made.values());
    return made;
  }
  double peak() const { return peak_of(device, precision == Precision::bf16 ? at::kBFloat16 : at::kFloat); }
};

/// Times steps of any terms after three that are not counted.
template <class... Terms>
OrderedJson time_steps(const Arguments& a, const Setting& s, index_t examples, Terms... terms) {
  constexpr index_t classes = 6, warm_up = 3;
  const index_t batch = a.number("--batch", 32), steps = a.number("--steps", 10);
  const Batch texts = random_texts(s.config, examples, a.number("--length", 128), a.number("--ragged", 0) != 0);
  std::vector<label_t> labels;
  for (index_t i = 0; i < examples; ++i) labels.push_back(static_cast<label_t>(i % classes));
  const TrainingData data(texts, labels, classes);
  auto network = s.network(classes);
  Stepper stepper(network, data, TrainerOptions{.batch_size = batch, .recompute = a.number("--recompute", 0) != 0},
                  std::move(terms)...);
  double start = 0, tokens = 0, operations = 0;
  Deferred<float> loss;
  for (index_t step = 0; step < warm_up + steps; ++step) {
    std::vector<index_t> chosen;
    for (index_t i = 0; i < batch; ++i) chosen.push_back((step * batch + i) % examples);
    if (step == warm_up) synchronize(s.device), start = wall_seconds();
    const StepReport& report = stepper.step({.seed = 1, .step = static_cast<std::uint64_t>(step)}, chosen, 1e-5f);
    if (step < warm_up) continue;
    tokens += static_cast<double>(report.tokens), loss = report.loss;
    for (const auto& phase : report.phases) operations += phase.operations;
  }
  synchronize(s.device);
  const double seconds = wall_seconds() - start;
  const double peak = s.peak();
  return {{"seconds_a_step", seconds / static_cast<double>(steps)},
          {"tokens_per_second", tokens / seconds},
          {"flops", operations / seconds},
          {"peak", peak},
          {"share_of_peak", operations / seconds / peak},
          {"loss", static_cast<float>(loss)}};
}

OrderedJson train(const Arguments& a) {
  const Setting s(a);
  return time_steps(a, s, std::max<index_t>(64, 4 * a.number("--batch", 32)), CrossEntropy{});
}

OrderedJson knn(const Arguments& a) {
  const Setting s(a);
  const index_t keys = a.number("--keys", 100000), examples = 512;
  // The queue is full from the first step on: it starts with as many random keys as it holds.
  using Contrastive = bound_term<QueueContrastive, Network<TorchStack>>;
  struct Filled : Contrastive {
    using Contrastive::Contrastive;
    void start(const Network<TorchStack>& model, const TrainingData& data) {
      warm_up = false;
      Contrastive::start(model, data);
      const Rng rng(3, Stream::noise);
      Matrix rows(4096, queue().width());
      for (index_t first = 0; first < queue().capacity(); first += rows.rows()) {
        std::vector<label_t> labels;
        for (index_t i = 0; i < rows.rows(); ++i) {
          labels.push_back(static_cast<label_t>(i % 6));
          for (float& x : rows.row(i))
            x = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(&x - rows.data() + first)) - 0.5);
        }
        model.metric().prepare(rows);
        queue().push(rows, labels);
      }
    }
  };
  return time_steps(
      a, s, examples, CrossEntropy{0.9f},
      Filled(QueueContrastiveOptions{.weight = 0.1f, .capacity = keys, .positives = a.number("--positives", 16)}));
}

OrderedJson encode(const Arguments& a) {
  const Setting s(a);
  const Batch texts = random_texts(s.config, a.number("--texts", 1024), a.number("--length", 128), true);
  TorchBert encoder(s.config, TorchBertOptions{.device = s.options.device,
                                               .padding = std::stod(a.text("--padding", "0")),
                                               .tokens_a_pass = a.number("--tokens", 0)});
  ParameterTable table(Layout::row_major);
  encoder.declare_dense(table);
  encoder.declare_lookup(table);
  ParameterBlock values(std::make_shared<const ParameterTable>(std::move(table)));
  Setting::fill(values);
  encoder.lower(values, s.precision);
  TorchWorkspace workspace;
  Matrix out(texts.size(), s.config.hidden_size);
  double best = 1e30;
  for (index_t i = 0; i < a.number("--steps", 3); ++i) {
    const double start = wall_seconds();
    encoder.encode(values, texts, {}, out, workspace);
    best = std::min(best, wall_seconds() - start);
  }
  const double peak = s.peak(), operations = encoder.operations(texts) / best;
  return {{"sentences_per_second", static_cast<double>(texts.size()) / best},
          {"tokens_per_second", static_cast<double>(texts.tokens()) / best},
          {"flops", operations},
          {"peak", peak},
          {"share_of_peak", operations / peak}};
}

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

OrderedJson contrast(const Arguments& a) {
  const Setting s(a);
  const index_t width = a.number("--width", 768), batch = a.number("--batch", 16), keys = a.number("--keys", 100000),
                classes = 6;
  TorchQueue<> queue(keys, width, {}, s.options.device);
  std::vector<label_t> labels, anchors;
  for (index_t i = 0; i < keys; ++i) labels.push_back(static_cast<label_t>(i % classes));
  for (index_t i = 0; i < batch; ++i) anchors.push_back(static_cast<label_t>(i % classes));
  queue.push(random_rows(keys, width, 3), labels);
  const Matrix queries = random_rows(batch, width, 5);
  Matrix d(batch, width);
  double best = 1e30;
  for (index_t i = 0; i < a.number("--steps", 10) + 2; ++i) {
    const double start = wall_seconds();
    queue.contrast(queries, anchors, {}, Rng(1, Stream::sample), d);
    best = std::min(best, wall_seconds() - start);
  }
  return {{"seconds", best}};
}

OrderedJson search(const Arguments& a) {
  const Setting s(a);
  const index_t width = a.number("--width", 768), keys = a.number("--keys", 1000000),
                queries = a.number("--queries", 1000), group = 65536;
  TorchFlat<> store(width, {}, s.options.device);
  for (index_t first = 0; first < keys; first += group) {
    const index_t count = std::min(group, keys - first);
    store.add(random_rows(count, width, static_cast<std::uint32_t>(first + 1)),
              std::vector<label_t>(static_cast<std::size_t>(count), 0));
  }
  const Matrix asked = random_rows(queries, width, 999);
  store.search(ConstView(asked).row_range(0, 1), 1);  // brings the keys there
  double best = 1e30;
  for (index_t i = 0; i < a.number("--steps", 3); ++i) {
    const double start = wall_seconds();
    store.search(asked, a.number("--neighbors", 10));
    best = std::min(best, wall_seconds() - start);
  }
  return {{"queries_per_second", static_cast<double>(queries) / best}};
}

int run(const Arguments& a) {
  const std::string what = a.positional(0, "train, encode, knn, contrast or search");
  OrderedJson result;
  if (what == "train") result = train(a);
  else if (what == "encode") result = encode(a);
  else if (what == "knn") result = knn(a);
  else if (what == "contrast") result = contrast(a);
  else if (what == "search") result = search(a);
  else raise<OptionError>("'{}' given, train, encode, knn, contrast or search expected", what);
  std::printf("%s\n", json_line(result).c_str());
  return 0;
}

}  // namespace

int main(int count, char** values) { return run_program(count, values, run); }
