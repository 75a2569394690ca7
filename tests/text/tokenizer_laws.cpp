// Tokenizers keep their laws, and the laws notice what breaks them.
#include "knnbert/testing/tokenizer_laws.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/text/any_tokenizer.hpp"

using namespace knnbert;
using knnbert_test::TemporaryFolder;

namespace {

WordPiece lawful_pieces() {
  const std::vector<std::string> pieces{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word", "##s", "a", "two", "."};
  return WordPiece(Vocabulary(pieces));
}
Unigram lawful_unigram() {
  const std::vector<std::string> pieces{"<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u2581", "a", "\u2581word"};
  return Unigram(Vocabulary(pieces), std::vector<double>{0, 0, 0, 0, 0, -2, -3, -4});
}
BytePairEncoding lawful_byte_pairs() {
  std::vector<std::string> tokens{"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
  for (const auto character : byte_characters) unicode::encode(character, tokens.emplace_back());
  tokens.emplace_back("wo");
  return BytePairEncoding(Vocabulary(tokens), {{"w", "o"}});
}

struct Lawless : WordPiece {
  enum Fault { none, remembers, ignores_limit, out_of_range, no_second } fault;
  mutable index_t texts = 0;

  explicit Lawless(Fault f) : WordPiece(lawful_pieces()), fault(f) {}
  void append(std::string_view text, Batch& batch, index_t max_length) const {
    WordPiece::append(text, batch, fault == ignores_limit ? 0 : max_length);
    if (fault == out_of_range) batch.ids.back() = 10;
    if (fault == remembers) batch.ids.back() = static_cast<token_t>(++texts % 2);
  }
  void append(std::string_view text, std::string_view pair, Batch& batch, index_t max_length) const {
    WordPiece::append(text, pair, batch, max_length);
    if (fault == no_second) std::fill(batch.segments.begin(), batch.segments.end(), std::uint8_t{2});
  }
};

}  // namespace

TEST_CASE("tokenizers keep their laws") {
  const std::vector<std::string> texts{"words a two.", "a  word"};
  CHECK(testing::tokenizer_laws(lawful_pieces(), texts) == testing::BrokenLaws{});
  CHECK(testing::tokenizer_laws(lawful_unigram(), texts) == testing::BrokenLaws{});
  CHECK(testing::tokenizer_laws(lawful_byte_pairs(), texts) == testing::BrokenLaws{});
  CHECK(testing::tokenizer_laws(AnyTokenizer(lawful_unigram()), texts) == testing::BrokenLaws{});
  const TemporaryFolder one, two, three;
  CHECK(testing::stored_tokenizer_laws(lawful_pieces(), one.path(), texts) == testing::BrokenLaws{});
  CHECK(testing::stored_tokenizer_laws(lawful_unigram(), two.path(), texts) == testing::BrokenLaws{});
  CHECK(testing::stored_tokenizer_laws(AnyTokenizer(lawful_byte_pairs()), three.path(), texts) ==
        testing::BrokenLaws{});
}

TEST_CASE("the laws of tokenizers notice what breaks them") {
  CHECK(testing::tokenizer_laws(Lawless(Lawless::none)) == testing::BrokenLaws{});
  for (const auto fault : {Lawless::remembers, Lawless::ignores_limit, Lawless::out_of_range, Lawless::no_second})
    CHECK_FALSE(testing::tokenizer_laws(Lawless(fault)).empty());
}
