// Plain text as packed sequences.
#include "knnbert/pretrain/corpus.hpp"

#include "knnbert/io/gzip.hpp"
#include "pretrain/tiny_masked.hpp"

using namespace knnbert_test;

namespace {

Corpus corpus_of(std::string_view text, const CorpusOptions& options) {
  const TemporaryFolder place;
  Corpus corpus;
  add_corpus_file(place.file("text.txt", text), tiny_pieces(), options, corpus);
  return corpus;
}

std::vector<token_t> ids(const Batch& batch, index_t i) {
  const auto text = batch.text(i);
  return {text.begin(), text.end()};
}

}  // namespace

TEST_CASE("a corpus is packed up to the limit and never across documents") {
  const WordPiece pieces = tiny_pieces();
  const std::string a(pieces.token(5)), b(pieces.token(7)), c(pieces.token(8));
  const auto text = "\n\n" + a + " " + b + "\n" + c + " " + a + "\r\n" + b + "\n \t\n" + c + "\n\n\n" + a;
  const Corpus corpus = corpus_of(text, {.max_length = 5, .held_out = 0});
  CHECK(corpus.documents == 3);
  CHECK(corpus.held_out.size() == 0);
  REQUIRE(corpus.train.size() == 4);
  CHECK(ids(corpus.train, 0) == std::vector<token_t>{2, 5, 7, 8, 3});
  CHECK(ids(corpus.train, 1) == std::vector<token_t>{2, 5, 7, 3});
  CHECK(ids(corpus.train, 2) == std::vector<token_t>{2, 8, 3});
  CHECK(ids(corpus.train, 3) == std::vector<token_t>{2, 5, 3});
  CHECK(corpus_of("", {}).train.size() == 0);
  CHECK(corpus_of("\n \n", {}).documents == 0);
}

TEST_CASE("a corpus holds out documents by their hash") {
  const WordPiece pieces = tiny_pieces();
  std::string text;
  for (int i = 0; i < 3000; ++i)
    text += std::string(pieces.token(static_cast<token_t>(5 + i % 36))) + " x" + std::to_string(i) + "\n\n";
  const Corpus corpus = corpus_of(text, {}), again = corpus_of("another document\n\n" + text, {});
  CHECK(corpus.documents + corpus.held_out_documents == 3000);
  CHECK(corpus.held_out_documents > 30);
  CHECK(corpus.held_out_documents < 95);
  CHECK(again.held_out_documents - corpus.held_out_documents <= 1);
  CHECK(corpus_of(text, {.held_out = 1}).documents == 0);
}

TEST_CASE("carriage returns alone end the lines of a corpus") {
  const std::string piece(tiny_pieces().token(5));
  CHECK(corpus_of(piece + "\r\r" + piece + "\r" + piece + "\r", {.held_out = 0}).documents == 2);
}

TEST_CASE("a corpus refuses xz without a reader, and bad options") {
  CHECK(contains(message_of<FormatError>([] { corpus_of(std::string_view("\xfd\x37zXZ\0abc", 9), {}); }), "liblzma"));
  CHECK_THROWS_AS(corpus_of("a", {.max_length = 2}), OptionError);
}
