// usage: encode ENCODER_DIR IDS_FILE [--precision fp32|bf16|int8] [--rounds N] [--threads N] [--latency LENGTH]
// [--output FILE.npy] Encodes texts given as token ids, one text a line, special tokens included, in the order of the
// file and by batches of 32; or, with --latency, one text of LENGTH tokens again and again. Prints a JSON line: the
// best round's processor seconds of the calling thread, wall seconds, the median processor time of a round in ms,
// products and attention at real lengths in GFLOP/s, and their share of the peak measured in the same minute.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "arguments.hpp"
#include "clock.hpp"
#include "knnbert/encoder/bert.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/io/npy.hpp"

namespace {

using namespace knnbert;
using namespace knnbert_benchmark;

struct Corpus {
  std::vector<Batch> batches;
  index_t texts = 0, tokens = 0;
};

Corpus read_corpus(const std::string& path, index_t most, index_t batch_size) {
  std::ifstream file(path);
  if (!file) raise<IoError>("{}: cannot be opened", path);
  Corpus corpus;
  for (std::string line; std::getline(file, line);) {
    if (corpus.texts % batch_size == 0) corpus.batches.emplace_back();
    Batch& batch = corpus.batches.back();
    std::istringstream ids(line);
    for (token_t id; ids >> id && std::ssize(batch.ids) - batch.offsets.back() < most;) batch.ids.push_back(id);
    batch.close_text();
    corpus.tokens += batch.length(batch.size() - 1);
    ++corpus.texts;
  }
  return corpus;
}

int run(const Arguments& arguments) {
  const std::filesystem::path folder = arguments.positional(0, "ENCODER_DIR");
  const BertCheckpoint checkpoint(folder);
  BasicBert<DefaultArch, AnyPrecision> encoder(checkpoint.config());
  ParameterTable table;
  encoder.declare_dense(table);
  encoder.declare_lookup(table);
  ParameterBlock values(std::make_shared<const ParameterTable>(std::move(table)));
  checkpoint.read(encoder, values);
  const index_t latency = arguments.number("--latency", 0), rounds = arguments.number("--rounds", latency ? 200 : 5);
  Corpus corpus =
      read_corpus(arguments.positional(1, "IDS_FILE"), latency ? latency : encoder.max_length(), latency ? 1 : 32);
  if (latency) {  // the first text that is long enough
    std::erase_if(corpus.batches, [&](const Batch& b) { return b.tokens() < latency; });
    if (corpus.batches.empty()) raise<OptionError>("--latency {}: no text of so many tokens", latency);
    corpus.batches.resize(1);
    corpus.texts = 1, corpus.tokens = latency;
  }
  const Workers workers(arguments.number("--threads", 1));
  const ForwardOptions options{.pooling = Pooling::mean};
  encoder.lower(values, precision_from(arguments.text("--precision", "fp32")), workers);
  BertWorkspace workspace;
  Matrix embeddings(corpus.texts, encoder.width());
  double best = 1e30, best_wall = 1e30, highest = 0, operations = 0;
  std::vector<double> walls, calls;
  for (const Batch& batch : corpus.batches) operations += forward_operations(checkpoint.config(), batch);
  for (index_t round = 0; round < rounds; ++round) {
    if (!latency || round == 0) highest = std::max(highest, peak<DefaultArch>());
    const double start = cpu_seconds(), wall = wall_seconds();
    index_t first = 0;
    for (const Batch& batch : corpus.batches) {
      encoder.encode(values, batch, options, View(embeddings).row_range(first, batch.size()), workspace, workers);
      first += batch.size();
    }
    best = std::min(best, calls.emplace_back(cpu_seconds() - start));
    best_wall = std::min(best_wall, walls.emplace_back(wall_seconds() - wall));
  }
  const auto median = [](std::vector<double>& times) {
    std::nth_element(times.begin(), times.begin() + std::ssize(times) / 2, times.end());
    return times[times.size() / 2];
  };
  if (const auto path = arguments.text("--output", ""); !path.empty()) write_npy(path, ConstView(embeddings));
  std::printf(
      "{\"seconds\":%.6f,\"wall\":%.6f,\"median_wall\":%.6f,\"ms\":%.4f,\"sentences\":%ld,\"tokens\":%ld,\"gflops\":%."
      "1f,\"peak\":%.1f,\"peak_share\":%.4f,\"instructions\":\"%s\"}\n",
      best, best_wall, median(walls), 1e3 * median(calls), static_cast<long>(corpus.texts),
      static_cast<long>(corpus.tokens), operations / best * 1e-9, highest * 1e-9, operations / best / highest,
      DefaultArch::name());
  return 0;
}

}  // namespace

int main(int count, char** values) { return knnbert_benchmark::run_program(count, values, run); }
