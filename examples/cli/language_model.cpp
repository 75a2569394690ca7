#include "language_model.hpp"

#include "knnbert/attack/masked_guesses.hpp"
#include "knnbert/attack/masked_pieces.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct SubstituteModel::Held {
  BasicMaskedLanguageModel<Stack> model;
};

SubstituteModel::SubstituteModel(const std::string& directory) {
  auto model = BasicMaskedLanguageModel<Stack>::load(directory);
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

PieceSubstitutes::PieceSubstitutes(const SubstituteModel& model) : held_(model.held_) {
  MaskedPieces{&held_->model}.unigram();  // refuses another tokenizer
}

std::vector<std::string> PieceSubstitutes::units(std::string_view text) const {
  return MaskedPieces{&held_->model}.units(text);
}

PieceGuesses PieceSubstitutes::guesses(std::span<const std::string> units, index_t k) const {
  return MaskedPieces{&held_->model}.guesses(units, k);
}

}  // namespace knnbert::cli
