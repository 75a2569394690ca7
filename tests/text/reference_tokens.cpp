// Compares with the dumps of tests/reference/tokens.py: not one id may differ.
#include "catch.hpp"
#include "knnbert/text/wordpiece.hpp"
#include "reference.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

/// Joins words by blanks.
struct Join {
  std::string text;
  void operator()(std::string_view word, index_t) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  static constexpr bool full() { return false; }
};

std::string words(const Normalizer& normalizer, std::string_view text) {
  Join join;
  WordSplitter splitter(join, 1 << 30);
  normalizer(text, splitter);
  splitter.close();
  return join.text;
}

template <class Text>
void compare_words(const std::filesystem::path& place, const std::string& prefix, std::size_t count, Text text) {
  const std::pair<std::string, NormalizerOptions> settings[] = {
      {"uncased", {}},
      {"cased", {.lowercase = false}},
      {"accents", {.strip_accents = false}},
      {"stripped", {.strip_accents = true, .lowercase = false}},
      {"unclean", {.clean_text = false, .chinese_characters = false}},
      {"bare", {.clean_text = false, .chinese_characters = false, .strip_accents = false, .lowercase = false}}};
  for (const auto& [name, options] : settings) {
    const Normalizer normalizer(options);
    compare(prefix + name, TextRows(place, prefix + name), count,
            [&](std::size_t i) { return words(normalizer, text(i)); });
  }
}

const std::string kinds[] = {"uncased", "cased", "chinese", "multilingual"};

}  // namespace

TEST_CASE("every code point has the ids of tokenizers, alone and between letters") {
  const auto place = dumps("tokens");
  if (!place) return;
  const auto codes = code_points();
  for (const auto& kind : kinds) {
    const auto tokenizer = WordPiece::load(*place / kind);
    Ids ids;
    for (const std::string context : {"alone", "between"}) {
      compare(context + "." + kind, Rows<token_t>(*place, context + "." + kind), codes.size(),
              [&](std::size_t i) -> const Ids& {
                std::string text = context == "alone" ? "" : "a";
                unicode::encode(codes[i], text);
                if (context == "between") text += 'b';
                ids.clear();
                tokenizer.encode_words(text, ids);
                return ids;
              });
    }
  }
}

TEST_CASE("code points between letters give the words of tokenizers, whatever the options") {
  const auto place = dumps("tokens");
  if (!place) return;
  const auto codes = some_code_points();
  compare_words(*place, "words.", codes.size(), [&](std::size_t i) {
    std::string text = "a";
    unicode::encode(codes[i], text);
    return text + 'b';
  });
}

TEST_CASE("texts of all data sets have the ids of tokenizers") {
  const auto place = dumps("tokens");
  if (!place) return;
  const auto sets = data_sets(*place);
  CHECK(sets.size() >= 18);
  for (const auto& kind : kinds) {
    const auto tokenizer = WordPiece::load(*place / kind);
    for (const auto& set : sets) compare_texts(*place, set, set + "." + kind, tokenizer);
  }
}

TEST_CASE("hostile strings have the ids and words of tokenizers") {
  const auto place = dumps("tokens");
  if (!place) return;
  for (const auto& kind : kinds) compare_texts(*place, "random", "random." + kind, WordPiece::load(*place / kind));
  const TextRows texts(*place, "random");
  compare_words(*place, "random.words.", texts.size(), [&](std::size_t i) { return texts[i]; });
}

TEST_CASE("vocab.txt gives the ids that tokenizer.json gives") {
  const auto place = dumps("tokens");
  if (!place) return;
  for (const auto& kind : kinds)
    compare_texts(*place, "random", "random." + kind, WordPiece::load(*place / (kind + ".text")));
}

TEST_CASE("MiniLM's files give the ids of its vocabulary, and its limit stays a suggestion") {
  const auto place = dumps("tokens");
  const auto minilm = folder("KNNBERT_MINILM");
  if (!minilm) WARN("skipped: KNNBERT_MINILM names no folder with all-MiniLM-L6-v2");
  if (!place || !minilm) return;
  const auto tokenizer = WordPiece::load(*minilm);
  CHECK(tokenizer.suggested_lengths().truncation == 128);
  CHECK(tokenizer.suggested_lengths().model == 512);
  compare_texts(*place, "data.imdb", "data.imdb.uncased", tokenizer);
}

TEST_CASE("what was saved gives the same ids") {
  const auto place = dumps("tokens");
  if (!place) return;
  auto pattern = (std::filesystem::temp_directory_path() / "knnbert_tokenizer_XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  const std::filesystem::path saved = pattern;
  for (const auto& kind : kinds) {
    WordPiece::load(*place / kind).save(saved);
    compare_texts(*place, "random", "random." + kind, WordPiece::load(saved));
    std::filesystem::remove(saved / "tokenizer.json");
    compare_texts(*place, "random", "random." + kind, WordPiece::load(saved));
  }
  WordPiece::load(*place / "added").save(saved);
  compare_texts(*place, "added", "added.all", WordPiece::load(saved, AddedTokenMatching::all));
  compare_texts(*place, "added", "added.ordinary", WordPiece::load(saved));
  WordPiece::load(*place / "toy").save(saved);
  compare_texts(*place, "toy", "toy.ids", WordPiece::load(saved));
  std::filesystem::remove_all(saved);
}

TEST_CASE("texts and pairs are truncated as tokenizers does") {
  const auto place = dumps("tokens");
  if (!place) return;
  for (const auto& kind : kinds) compare_limited(*place, kind, WordPiece::load(*place / kind));
}

TEST_CASE("added tokens are matched as tokenizers does, or not at all") {
  const auto place = dumps("tokens");
  if (!place) return;
  compare_texts(*place, "added", "added.all", WordPiece::load(*place / "added", AddedTokenMatching::all));
  compare_texts(*place, "added", "added.ordinary", WordPiece::load(*place / "added"));
  compare_texts(*place, "added", "added.none", WordPiece::load(*place / "added", AddedTokenMatching::none));
  for (const std::string name : {"added.decoder", "added.beside", "added.legacy"}) {
    compare_texts(*place, "added", name + ".all", WordPiece::load(*place / name, AddedTokenMatching::all));
    compare_texts(*place, "added", name + ".ordinary", WordPiece::load(*place / name));
  }
}

TEST_CASE("another prefix, word length and framing are respected") {
  const auto place = dumps("tokens");
  if (place) compare_texts(*place, "toy", "toy.ids", WordPiece::load(*place / "toy"));
}
