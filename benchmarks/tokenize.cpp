// usage: tokenize ENCODER_DIR FILE... [--rounds N] [--max-length N] [--match-special] [--dump FILE]
// Text to token ids on one thread, one text a line: texts; MB (10^6 bytes without line ends); MB/s of processor time in
// the first round, whose word cache is empty, and in the best of N (20) rounds, with its seconds; tokens, [CLS] and
// [SEP] included; FNV-1a of all ids, and of -1 behind each text, taken as 32-bit words. --dump writes just these as
// int32.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "knnbert/io/lines.hpp"
#include "knnbert/text/any_tokenizer.hpp"

namespace {

using namespace knnbert;

struct Options {
  std::vector<std::string> paths;  // directory, then files
  std::string dump;
  index_t rounds = 20, max_length = 0;
  AddedTokenMatching matching = AddedTokenMatching::ordinary;
};

index_t number(std::string_view text) {
  index_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    raise<OptionError>("tokenize: '{}' given, a number expected", text);
  return value;
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    const auto value = [&]() -> std::string_view {
      if (++i == count) raise<OptionError>("tokenize: nothing given behind {}, a value expected", name);
      return arguments[i];
    };
    if (name == "--rounds") options.rounds = std::max<index_t>(number(value()), 1);
    else if (name == "--max-length") options.max_length = number(value());
    else if (name == "--match-special") options.matching = AddedTokenMatching::all;
    else if (name == "--dump") options.dump = value();
    else options.paths.emplace_back(name);
  }
  if (options.paths.size() < 2)
    raise<OptionError>("tokenize: {} paths given, ENCODER_DIR FILE... expected", options.paths.size());
  return options;
}

/// Seconds of processor time of this thread.
double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Calls visit(id) for each id, and visit(-1) behind each text.
template <class Visit>
void each_id(const Batch& batch, Visit&& visit) {
  for (index_t text = 0; text < batch.size(); ++text) {
    for (auto i = batch.offsets[text]; i < batch.offsets[text + 1]; ++i) visit(batch.ids[i]);
    visit(token_t{-1});
  }
}

void write_ids(const std::string& path, const Batch& batch) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) raise<IoError>("tokenize: {} cannot be written", path);
  each_id(batch, [&](token_t id) { std::fwrite(&id, sizeof id, 1, file); });
  if (std::fclose(file) != 0) raise<IoError>("tokenize: {} cannot be written", path);
}

void run(const Options& options) {
  const auto tokenizer = AnyTokenizer::load(options.paths.front(), options.matching);
  std::vector<std::string> contents;
  for (std::size_t i = 1; i < options.paths.size(); ++i) contents.push_back(read_text(options.paths[i]));
  std::vector<std::string_view> texts;
  std::size_t bytes = 0;
  for (const auto& content : contents)
    for (LineReader lines(content); lines.next(); bytes += lines.line().size()) texts.push_back(lines.line());

  Batch batch;
  double first = 0, best = 0;
  for (index_t round = 0; round < options.rounds; ++round) {
    batch.clear();
    const double start = cpu_seconds();
    for (const auto text : texts) tokenizer.append(text, batch, options.max_length);
    const double seconds = cpu_seconds() - start;
    if (round == 0) first = seconds;
    if (round == 0 || seconds < best) best = seconds;
  }

  std::uint64_t checksum = 0xcbf29ce484222325;
  each_id(batch, [&](token_t id) { checksum = (checksum ^ static_cast<std::uint32_t>(id)) * 0x100000001b3; });
  if (!options.dump.empty()) write_ids(options.dump, batch);
  const auto megabytes = static_cast<double>(bytes) * 1e-6;
  std::printf("texts %zu  MB %.3f  first MB/s %.1f  best MB/s %.1f  seconds %.6f  tokens %td  checksum %016llx\n",
              texts.size(), megabytes, megabytes / first, megabytes / best, best, batch.tokens(),
              static_cast<unsigned long long>(checksum));
}

}  // namespace

int main(int count, char** arguments) {
  try {
    run(parse(count, arguments));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
