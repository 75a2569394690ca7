#include "language_model.hpp"

#include "knnbert/attack/masked_characters.hpp"
#include "knnbert/attack/masked_pieces.hpp"
#include "knnbert/poison/onion.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct SubstituteModel::Held {
  BasicMaskedLanguageModel<Stack> model;
};

SubstituteModel::SubstituteModel(const std::string& directory, index_t threads) {
  auto model = BasicMaskedLanguageModel<Stack>::load(directory, {.threads = threads});
  if (!model.head_loaded())
    raise<FormatError>(
        "{}: an encoder without masked-language-model head given, a directory as `pretrain` writes it "
        "expected",
        directory);
  held_ = std::make_shared<const Held>(Held{std::move(model)});
}

PieceGuesses SubstituteModel::guesses(std::span<const std::string> words, index_t k) const {
  return MaskedGuesses{&held_->model}.guesses(words, k);
}

std::vector<float> SubstituteModel::losses(std::span<const std::vector<token_t>> sequences) const {
  return MaskedGuesses{&held_->model}.losses(sequences);
}

PieceSubstitutes::PieceSubstitutes(const SubstituteModel& model)
    : held_(model.held_), characters_(std::holds_alternative<WordPiece>(held_->model.tokenizer().held())) {
  if (!characters_) MaskedPieces{&held_->model}.unigram();  // refuses another tokenizer
}

std::vector<std::string> PieceSubstitutes::units(std::string_view text) const {
  return characters_ ? MaskedCharacters{&held_->model}.units(text) : MaskedPieces{&held_->model}.units(text);
}

PieceGuesses PieceSubstitutes::guesses(std::span<const std::string> units, index_t k) const {
  if (characters_) return MaskedCharacters{&held_->model}.guesses(units, k);
  return MaskedPieces{&held_->model}.guesses(units, k);
}

TextPerplexity::TextPerplexity(const std::string& directory, bool masked, index_t threads)
    : held_(SubstituteModel(directory, threads).held_), masked_(masked) {}

std::vector<double> TextPerplexity::operator()(std::span<const std::string> texts) const {
  return MaskedPerplexity{&held_->model, masked_}(texts);
}

std::vector<std::string> PieceSubstitutes::vocabulary() const {
  return characters_ ? MaskedCharacters{&held_->model}.vocabulary() : MaskedPieces{&held_->model}.vocabulary();
}

}  // namespace knnbert::cli
