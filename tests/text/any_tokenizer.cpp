#include "knnbert/text/any_tokenizer.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

std::string error_of_any(const std::filesystem::path& folder) {
  try {
    AnyTokenizer::load(folder);
  } catch (const Error& error) { return error.what(); }
  return {};
}

}  // namespace

TEST_CASE("the tokenizer of a directory is the one that its files describe") {
  const TemporaryFolder folder;
  CHECK(contains(error_of_any(folder.path()), "no tokenizer.json, vocab.txt, or vocab.json and merges.txt there"));
  folder.file("sentencepiece.bpe.model", "x");
  CHECK(contains(error_of_any(folder.path()), "only sentencepiece.bpe.model found, tokenizer.json expected. Make it"));
  folder.file("vocab.json", R"({"<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4})");
  std::filesystem::remove(folder / "sentencepiece.bpe.model");
  CHECK_THROWS_AS(AnyTokenizer::load(folder.path()), IoError);
  folder.file("merges.txt", "a b\n");
  const auto pairs = AnyTokenizer::load(folder.path());
  CHECK(pairs.name() == "BytePairEncoding");
  CHECK(pairs.find("ab") == 4);
  folder.file("vocab.txt", "[UNK]\n[CLS]\n[SEP]\nab\n");
  const auto pieces = AnyTokenizer::load(folder.path());
  CHECK(pieces.name() == "WordPiece");
  pairs.save(folder.path());
  CHECK(AnyTokenizer::load(folder.path()).name() == "BytePairEncoding");
  pieces.save(folder.path());
  CHECK(AnyTokenizer::load(folder.path()).name() == "WordPiece");
}

TEST_CASE("any tokenizer gives what the one that it holds gives") {
  const std::vector<std::string> tokens{"<s>", "<pad>", "</s>", "a", "b", "ab", "[UNK]", "[CLS]", "[SEP]"};
  const AnyTokenizer pieces = WordPiece(Vocabulary(tokens));
  const AnyTokenizer pairs = BytePairEncoding(Vocabulary(tokens), {{"a", "b"}}, {.suggested = {.model = 7}});
  Batch batch;
  pieces.append("ab", batch);
  pairs.append("ab", "a", batch, 6);
  CHECK(batch.ids == std::vector<token_t>{7, 5, 8, 0, 5, 2, 2, 3, 2});
  CHECK(pairs.special().pad == 1);
  CHECK(pairs.vocabulary_size() == 9);
  CHECK(pairs.token(5) == "ab");
  CHECK(pairs.suggested_lengths().model == 7);
  CHECK(pieces.vocabulary().find("ab") == 5);
}

TEST_CASE("models of other sorts are refused by their type") {
  const TemporaryFolder folder;
  folder.file("tokenizer.json", R"({"model": {"type": "WordLevel", "vocab": {}}})");
  CHECK(contains(error_of_any(folder.path()),
                 "tokenizer.json: model: type 'WordLevel' given, WordPiece, BPE or Unigram expected"));
  folder.file("tokenizer.json", R"({"model": {"vocab": {"type": [{"type": "BPE"}]}, "type": "WordLevel"}})");
  CHECK(contains(error_of_any(folder.path()), "type 'WordLevel' given"));
  folder.file("tokenizer.json", R"({"decoder": {"type": "BPE"}, "model": {"vocab": 1}})");
  CHECK(contains(error_of_any(folder.path()), "an object of tokens and ids expected"));
  folder.file("tokenizer.json", R"({"model": {"type": "BPE")");
  CHECK_THROWS_AS(AnyTokenizer::load(folder.path()), FormatError);
  folder.file("tokenizer.json", R"({"model": {"merges": []}})");
  CHECK(contains(error_of_any(folder.path()), "key 'vocab' is missing"));
  folder.file("tokenizer.json", R"({"model": []})");
  CHECK_THROWS_AS(AnyTokenizer::load(folder.path()), FormatError);
  folder.file("tokenizer.json", "{}");
  CHECK_THROWS_AS(AnyTokenizer::load(folder.path()), FormatError);
}
