// usage: live ENCODER_DIR TEXTS [--store N] [--rounds N]
// A live datastore of N entries (20,000): what adding and removing one example costs beside encoding its text, and what
// predictions of one text wait for while another thread adds texts without pause. TEXTS: one a line. Prints a JSON
// line; times in milliseconds, on the clock on the wall. Predictions alone and beside a writer take turns, round by
// round. The writer needs a core of its own.
#include <atomic>
#include <fstream>
#include <thread>

#include "arguments.hpp"
#include "clock.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/model/classifier_files.hpp"

namespace {

using namespace knnbert_benchmark;

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) lines.push_back(line);
  if (lines.empty()) raise<IoError>("{}: no lines", path);
  return lines;
}

Matrix random_keys(index_t rows, index_t width, std::uint64_t seed) {
  Matrix keys(rows, width);
  const Rng rng(seed, Stream::sample);
  for (index_t r = 0; r < rows; ++r)
    for (index_t c = 0; c < width; ++c)
      keys(r, c) = rng.fork(static_cast<std::uint64_t>(r)).uniform(static_cast<std::uint64_t>(c)) - 0.5f;
  return keys;
}

struct Times {
  std::vector<double> all;

  template <class F>
  void time(F&& f) {
    const double start = wall_seconds();
    f();
    all.push_back(1e3 * (wall_seconds() - start));
  }
  double at(double part) {
    const auto place = all.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(all.size() - 1));
    std::nth_element(all.begin(), place, all.end());
    return *place;
  }
};

/// Repeats an action on a thread of its own until it goes.
template <class Action>
class Writer {
 public:
  explicit Writer(Action action)
      : action_(std::move(action)), thread_([this] {
          while (!stop_) action_();
        }) {}
  ~Writer() {
    stop_ = true;
    thread_.join();
  }

 private:
  Action action_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

int run(const Arguments& arguments) {
  const auto texts = lines_of(arguments.positional(1, "TEXTS"));
  Classifier<> model(arguments.positional(0, "ENCODER_DIR"), {"one", "two"}, {.feature = Feature::embedding});
  const index_t size = arguments.number("--store", 20000);
  model.index(random_keys(size, model.network().feature_width(), 1),
              std::vector<label_t>(static_cast<std::size_t>(size)));

  Times encode, add, remove, alone, beside_texts;
  const auto predict = [&](Times& times) {
    for (const std::string& text : texts) times.time([&] { model.predict(text); });
  };
  predict(alone);  // warm
  alone.all.clear();
  for (const std::string& text : texts) {
    const std::vector<std::string> one{text};
    std::vector<example_id> ids;
    encode.time([&] { model.features(model.tokenize(one)); });
    add.time([&] { ids = model.add(one, "two"); });
    remove.time([&] { model.remove(ids); });
  }
  for (index_t round = 0; round < arguments.number("--rounds", 3); ++round) {
    predict(alone);
    const Writer writer([&, one = std::vector<std::string>{texts.front()}] { model.add(one, "two"); });
    predict(beside_texts);
  }
  std::printf("{\"store\":%td", size);
  const auto print = [](const char* name, Times& times) {
    std::printf(",\"%s\":%.4f,\"%s_p99\":%.4f", name, times.at(0.5), name, times.at(0.99));
  };
  print("encode", encode), print("add", add), print("remove", remove), print("predict", alone);
  print("predict_beside_texts", beside_texts);
  std::printf("}\n");
  return 0;
}

}  // namespace

int main(int count, char** values) { return run_program(count, values, run); }
