#include "knnbert/text/text_encoder.hpp"

#include <map>
#include <memory>
#include <thread>

#include "catch.hpp"

using namespace knnbert;

namespace {

using Ids = std::vector<token_t>;

constexpr index_t longest_word = 21;

/// Words and pieces of a small alphabet, so that random words have all sorts of coverings.
std::vector<std::string> vocabulary() {
  const std::string letters[] = {"a",      "b",      "E",      "e",      "o",      "\u00e9",
                                 "\u00c9", "\u4e2d", "\u3042", "\u0436", "\u1112", "."};
  std::vector<std::string> tokens{"[UNK]",
                                  ",",
                                  "!",
                                  "\u3002",
                                  "\u201c",
                                  "ab",
                                  "bee",
                                  "aaaa",
                                  "##ab",
                                  "##bee",
                                  "##a\u00e9",
                                  "aaaaaaaaaaaaaaaaaaaa",
                                  "##\u0436\u0436",
                                  "\u0436\u0436\u0436",
                                  "-",
                                  "##\v",
                                  std::string("##\0", 3)};
  for (const auto& letter : letters) {
    tokens.push_back(letter);
    if (letter != "o") tokens.push_back("##" + letter);
  }
  return tokens;
}

/// The same without any short cut: character by character, and pieces looked up in a map of strings.
class Naive {
 public:
  Naive(const std::vector<std::string>& tokens, const NormalizerOptions& options) : normalizer_(options) {
    for (std::size_t id = 0; id < tokens.size(); ++id) ids_[tokens[id]] = static_cast<token_t>(id);
  }

  Ids operator()(std::string_view text) {
    pieces_.clear();
    WordSplitter splitter(*this, 1000);
    normalizer_(text, splitter);
    splitter.close();
    return pieces_;
  }

  void operator()(std::string_view word, index_t characters) {
    const auto known = pieces_.size();
    for (std::size_t at = 0; at < word.size();) {
      auto end = word.size();
      while (end > at && !ids_.count((at == 0 ? "" : "##") + std::string(word.substr(at, end - at)))) --end;
      if (end == at || characters > longest_word) {
        pieces_.resize(known);
        return pieces_.push_back(0);
      }
      pieces_.push_back(ids_[(at == 0 ? "" : "##") + std::string(word.substr(at, end - at))]);
      at = end;
    }
  }
  static constexpr bool full() { return false; }

 private:
  Normalizer normalizer_;
  std::map<std::string, token_t> ids_;
  Ids pieces_;
};

/// Numbers that are random enough.
struct Draw {
  std::uint64_t state;
  std::size_t operator()(std::size_t below) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return (state >> 33) % below;
  }
};

std::string random_text(Draw& draw) {
  static const std::string parts[] = {"a",
                                      "b",
                                      "E",
                                      "e",
                                      "B",
                                      "ab",
                                      "bee",
                                      " ",
                                      " ",
                                      " ",
                                      "\t",
                                      "\n",
                                      "\r",
                                      "\v",
                                      "\f",
                                      ",",
                                      ".",
                                      "!",
                                      "-",
                                      "\x1f",
                                      "\x7f",
                                      "\u00e9",
                                      "\u00c9",
                                      "e\u0301",
                                      "\u4e2d",
                                      "\u3042",
                                      "\u0436",
                                      "\u0416",
                                      "\u3002",
                                      "\u201c",
                                      "\u00a0",
                                      "\u3000",
                                      "\u0085",
                                      "\u200b",
                                      "\u2002",
                                      "\u037e",
                                      "\ud55c",
                                      "\u302e",
                                      "\U0001d165",
                                      "\u0301",
                                      "\uf900",
                                      "\u0130",
                                      "\xff",
                                      "\xe4\xb8",
                                      "\xf0",
                                      "\u00ad",
                                      "\ufffd",
                                      "\U00020000",
                                      "\uff01",
                                      "aaaaaaaaaaaaaaaa",
                                      "aaaaaaaaaaaaaaaaaaaa",
                                      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"};
  const auto choices = draw(2) == 0 ? std::size(parts) : 19;  // the first ones are ASCII
  std::string text;
  for (auto left = draw(draw(4) == 0 ? 400 : 40); left > 0; --left)
    (text += draw(50) == 0 ? std::string(1, '\0') : parts[draw(choices)]) += draw(6) == 0 ? " " : "";
  return text;
}

/// The encoder's pieces of bytes that lie alone in memory, so that tools find reads beyond them.
Ids encode(const TextEncoder& encoder, const GreedyPieces& pieces, std::string_view text,
           std::size_t limit = TextEncoder::unlimited) {
  const std::unique_ptr<char[]> alone(new char[text.size()]);
  std::copy(text.begin(), text.end(), alone.get());
  Ids ids;
  const auto scratch = encoder.lend();
  encoder({alone.get(), text.size()}, pieces, *scratch, ids, limit);
  return ids;
}

const NormalizerOptions settings[] = {
    {},
    {.lowercase = false},
    {.strip_accents = false},
    {.strip_accents = true, .lowercase = false},
    {.clean_text = false},
    {.clean_text = false, .chinese_characters = false, .strip_accents = false, .lowercase = false}};

}  // namespace

TEST_CASE("the short cut leads where the long way does") {
  const auto tokens = vocabulary();
  const GreedyPieces pieces(Vocabulary(tokens), "##", 0, longest_word);
  Draw draw{1};
  for (const auto& options : settings) {
    const TextEncoder encoder(Normalizer(options), pieces);
    Naive naive(tokens, options);
    for (int round = 0; round < 3000; ++round) {
      const auto text = random_text(draw);
      const auto expected = naive(text);
      INFO("options " << &options - settings << ", text " << round << ": " << text);
      REQUIRE(encode(encoder, pieces, text) == expected);
      REQUIRE(encode(encoder, pieces, text) == expected);  // from the cache
      const auto limit = draw(expected.size() + 3);
      auto beginning = encode(encoder, pieces, text, limit);
      REQUIRE(beginning.size() >= std::min(limit, expected.size()));
      beginning.resize(std::min(limit, expected.size()));
      REQUIRE(beginning == Ids(expected.begin(), expected.begin() + static_cast<index_t>(beginning.size())));
    }
  }
}

TEST_CASE("texts of every length end where they end") {
  const auto tokens = vocabulary();
  const GreedyPieces pieces(Vocabulary(tokens), "##", 0, longest_word);
  const TextEncoder encoder(Normalizer(), pieces);
  Naive naive(tokens, {});
  for (const std::string part : {"a", "ab ", "a,", " ", ",", "\u4e2d", "\u00e9", "bee\u0301 ", "aaaaaaaaaaaaaaaa "}) {
    std::string text;
    while (text.size() < 400) {
      for (const std::string end : {"", "a", " ", "\xe4", "!"}) {
        INFO(text.size() << " bytes of " << part << " and then " << end);
        REQUIRE(encode(encoder, pieces, text + end) == naive(text + end));
      }
      text += part;
    }
  }
}

TEST_CASE("with enough ids a long text is left") {
  const auto tokens = vocabulary();
  const GreedyPieces pieces(Vocabulary(tokens), "##", 0, longest_word);
  const TextEncoder encoder(Normalizer(), pieces);
  for (const std::string part : {"a ", "a", "\u4e2d", "\u3042\u3002", "\ud55c ", "\u00e9, "}) {
    std::string text;
    while (text.size() < 100'000) text += part;
    const auto count = encode(encoder, pieces, text, 10).size();
    CHECK(count >= 1);  // a word of 100,000 characters is one unknown token
    CHECK(count <= 10 + ByteBlock::size);
  }
}

TEST_CASE("threads share an encoder") {
  const auto tokens = vocabulary();
  const GreedyPieces pieces(Vocabulary(tokens), "##", 0, longest_word);
  const TextEncoder encoder(Normalizer(), pieces);
  Draw draw{2};
  std::vector<std::string> texts;
  std::vector<Ids> expected;
  Naive naive(tokens, {});
  for (int i = 0; i < 500; ++i) expected.push_back(naive(texts.emplace_back(random_text(draw))));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (auto& count : wrong)
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i) count += encode(encoder, pieces, texts[i]) != expected[i];
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}
