// Policies that break their concept: a classifier says so in place of a wrong answer.
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// Does not close empty texts.
struct SilentTokenizer : AnyTokenizer {
  SilentTokenizer(AnyTokenizer own) : AnyTokenizer(std::move(own)) {}
  static SilentTokenizer load(const std::filesystem::path& directory) { return AnyTokenizer::load(directory); }

  void append(std::string_view text, Batch& batch, index_t max_length) const {
    if (!text.empty()) AnyTokenizer::append(text, batch, max_length);
  }
  void append(std::string_view text, std::string_view pair, Batch& batch, index_t max_length) const {
    AnyTokenizer::append(text, pair, batch, max_length);
  }
};

struct VoteOfNothing {
  void operator()(std::span<const Neighbor>, std::span<float> out) const {
    std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
  }
};

struct OddStack : DefaultStack {
  using tokenizer_type = SilentTokenizer;
  using voting_type = VoteOfNothing;
};

}  // namespace

TEST_CASE("odd policies: a tokenizer that closes too few texts, and a vote that is no number") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  Classifier<OddStack> model(folder / "encoder", tiny_classes, tiny_options());
  CHECK_THROWS_AS(model.predict({"card", "", "lost card"}), ShapeError);
  CHECK_THROWS_AS(model.tokenize(tiny_texts), ShapeError);
  model.index(tiny_data());
  CHECK_THROWS_AS(model.predict({"card"}), NonFiniteError);
}
