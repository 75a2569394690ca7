#pragma once
#include <memory>
#include <string>

#include "knnbert/attack/piece_candidates.hpp"

namespace knnbert::cli {

/// A masked language model that substitutes come from, whatever backend the victim has.
class SubstituteModel {
 public:
  /// Errors: IoError, FormatError.
  explicit SubstituteModel(const std::string& directory, index_t threads = 1);

  PieceGuesses guesses(std::span<const std::string> words, index_t k) const;
  std::vector<float> losses(std::span<const std::vector<token_t>> sequences) const;

 private:
  friend class PieceSubstitutes;
  friend class TextPerplexity;
  struct Held;
  std::shared_ptr<const Held> held_;
};

/// The same over the pieces of a unigram tokenizer, or over Chinese characters if the tokenizer is WordPiece.
class PieceSubstitutes {
 public:
  /// Errors: OptionError for another tokenizer.
  explicit PieceSubstitutes(const SubstituteModel& model);

  std::vector<std::string> units(std::string_view text) const;
  PieceGuesses guesses(std::span<const std::string> units, index_t k) const;
  /// All that it can guess.
  std::vector<std::string> vocabulary() const;

 private:
  std::shared_ptr<const SubstituteModel::Held> held_;
  bool characters_;
};

/// A masked language model that tells how unexpected texts are.
class TextPerplexity {
 public:
  /// masked: a pass for each piece, else one for all.  Errors: as SubstituteModel.
  TextPerplexity(const std::string& directory, bool masked, index_t threads);

  std::vector<double> operator()(std::span<const std::string> texts) const;

 private:
  std::shared_ptr<const SubstituteModel::Held> held_;
  bool masked_;
};

}  // namespace knnbert::cli
