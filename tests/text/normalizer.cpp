#include "knnbert/text/normalizer.hpp"

#include "catch.hpp"
#include "knnbert/text/pre_tokenizer.hpp"

using namespace knnbert;

// Expected values: BertNormalizer and BertPreTokenizer of tokenizers 0.23.3.

TEST_CASE("the uncased normalizer cleans, strips accents and lowers") {
  const Normalizer normalizer;
  CHECK(normalizer.normalize("H\u00e9llo\tW\u00d6RLD\u200b!") == "hello world!");
  CHECK(normalizer.normalize("\u0130stanbul \u212bngstr\u00f6m") == "istanbul angstrom");
  CHECK(normalizer.normalize("\ud55c") == "\u1112\u1161\u11ab");
  CHECK(normalizer.normalize("\u4e2dx\u6587") == " \u4e2d x \u6587 ");
  CHECK(normalizer.normalize(std::string_view("a\ufffdb\0c\u00adz", 10)) == "abcz");
  CHECK(normalizer.normalize("a\xffz\xe4\xb8") == "az");
  CHECK(normalizer.normalize("a\vb\u0085c\u3000d") == "abc d");
  CHECK(normalizer.normalize("\u01c4\u03a3\u1e9e\u1f82\u1e9b\u0323") == "\u01c6\u03c3\u00df\u03b1\u017f");
  CHECK(normalizer.normalize("\uf900\U0002f800") == " \u8c48  \u4e3d ");
  CHECK(normalizer.normalize("") == "");
}

TEST_CASE("marks are put in canonical order before accents go") {
  const Normalizer normalizer;
  CHECK(normalizer.normalize("x\u302e\U0001d165") == "x\U0001d165\u302e");
  CHECK(normalizer.normalize("x\u302e\u0301\U0001d165y\u302e\U0001d165") == "x\U0001d165\u302ey\U0001d165\u302e");
  CHECK(normalizer.normalize("\u302e\u093f\U0001d165") == "\u302e\u093f\U0001d165");  // a starter keeps them apart
  CHECK(normalizer.normalize("\u302e\u0941\U0001d165") == "\u302e\U0001d165");        // even one that goes
  CHECK(normalizer.normalize("\u302e\u200b\U0001d165") == "\U0001d165\u302e");        // but not one that went before
}

TEST_CASE("normalizer options") {
  CHECK(Normalizer({.lowercase = false}).normalize("H\u00e9llo \u0130\uf900") == "H\u00e9llo \u0130 \uf900 ");
  CHECK(Normalizer({.strip_accents = false}).normalize("\u0130a\u0301\u00c9") == "i\u0307a\u0301\u00e9");
  CHECK(Normalizer({.strip_accents = true, .lowercase = false}).normalize("\u00c9x\U0001d165\u302e\u0301y") ==
        "Ex\U0001d165\u302ey");
  const std::string unclean("a\tb\0\u4e2d", 7);
  CHECK(Normalizer({.clean_text = false, .chinese_characters = false}).normalize(unclean) == unclean);
}

namespace {

struct Collect {
  std::vector<std::string> words;
  std::size_t limit = 1000;
  index_t longest = 0;
  void operator()(std::string_view word, index_t characters) {
    words.emplace_back(word);
    longest = std::max(longest, characters);
  }
  bool full() const { return words.size() >= limit; }
};

std::vector<std::string> words(std::string_view text, std::size_t limit = 1000) {
  Collect collect{.words = {}, .limit = limit};
  WordSplitter splitter(collect, 100);
  Normalizer({.clean_text = false, .chinese_characters = false, .lowercase = false})(text, splitter);
  splitter.close();
  return collect.words;
}

}  // namespace

TEST_CASE("words end at white space and around punctuation") {
  using Words = std::vector<std::string>;
  CHECK(words("Hey friend!     How are you?!?") == Words{"Hey", "friend", "!", "How", "are", "you", "?", "!", "?"});
  CHECK(words("a$b_c\u00a1d\u3002e\u166df\u061de") ==
        Words{"a", "$", "b", "_", "c", "\u00a1", "d", "\u3002", "e", "\u166d", "f\u061de"});
  CHECK(words("a\u00a0b\u2028c\u180ed\u1680e\u0085f") == Words{"a", "b", "c\u180ed", "e", "f"});
  CHECK(words("  \t ").empty());
  CHECK(words("a b c d", 2) == Words{"a", "b"});
}

TEST_CASE("of a word beyond the limit only the beginning is kept, with its true length") {
  Collect collect;
  WordSplitter splitter(collect, 3);
  Normalizer()("abcd\u00e9fghi jk", splitter);
  splitter.close();
  CHECK(collect.words == std::vector<std::string>{"abc", "jk"});
  CHECK(collect.longest == 9);
}
