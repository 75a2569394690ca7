// A tokenizer of one's own: numbers are alike, so that "room 12" and "room 99" are one text.
#include <cstdio>
#include <knnbert/knnbert.hpp>

struct AlikeNumbers : knnbert::WordPiece {
  static constexpr std::string_view name = "word pieces, numbers alike";

  static AlikeNumbers load(const std::filesystem::path& directory) { return {WordPiece::load(directory)}; }
  void append(std::string_view text, knnbert::Batch& batch, knnbert::index_t max_length) const {
    WordPiece::append(alike(text), batch, max_length);
  }
  void append(std::string_view text, std::string_view pair, knnbert::Batch& batch, knnbert::index_t max_length) const {
    WordPiece::append(alike(text), alike(pair), batch, max_length);
  }

  static std::string alike(std::string_view text) {
    std::string out;
    for (const char c : text)
      if (c < '0' || c > '9') out += c;
      else if (out.empty() || out.back() != '0') out += '0';
    return out;
  }
};

struct MyStack : knnbert::DefaultStack {
  using tokenizer_type = AlikeNumbers;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_tokenizer ENCODER TRAIN.tsv\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes(), {.feature = Feature::embedding});
  model.index(train);
  const auto both = model.predict({"the lock of room 12", "the lock of room 99"});
  std::printf("%s\n", both[0].combined == both[1].combined ? "the same prediction" : "different predictions");
}
