#pragma once
#include "knnbert/attack/masked_candidates.hpp"
#include "knnbert/pretrain/masked_language_model.hpp"

namespace knnbert::inline v0_1 {

/// A MaskedLanguageModel as the source of BERT-Attack's substitutes: a LanguageModel.  Thread safety: const members
/// may run concurrently.
template <class Model = MaskedLanguageModel>
struct MaskedGuesses {
  const Model* model;  ///< must outlive it

  /// Of the first max_length() - 2 pieces; special tokens are no guesses.
  PieceGuesses guesses(std::span<const std::string> words, index_t k) const {
    PieceGuesses all;
    std::vector<token_t> pieces;
    const auto most = model->max_length() - 2;
    for (std::size_t w = 0; w < words.size() && std::ssize(pieces) < most; ++w) {
      model->tokenizer().encode_words(words[w], pieces);
      all.words.resize(pieces.size(), static_cast<index_t>(w));
    }
    if (std::ssize(pieces) > most) pieces.resize(as_size(most)), all.words.resize(as_size(most));
    if (pieces.empty()) return all;
    Batch batch;
    batch.ids.push_back(special().classify);
    batch.ids.insert(batch.ids.end(), pieces.begin(), pieces.end());
    batch.ids.push_back(special().separate);
    batch.close_text();
    std::vector<index_t> places(pieces.size());
    std::iota(places.begin(), places.end(), index_t{1});
    for (const auto& row : model->top(batch, places, k)) {
      auto& guesses = all.best.emplace_back();
      for (const Scored& guess : row)
        if (const auto id = static_cast<token_t>(guess.index); id < model->tokenizer().vocabulary_size() && is_word(id))
          guesses.push_back({id, guess.score, std::string(model->tokenizer().token(id))});
    }
    return all;
  }

  /// Mean cross entropy of each sequence's own pieces, with nothing masked.  Errors: ShapeError for an empty one.
  std::vector<float> losses(std::span<const std::vector<token_t>> sequences) const {
    Batch batch;
    for (const auto& sequence : sequences) {
      if (sequence.empty()) raise<ShapeError>("MaskedGuesses::losses: a sequence without pieces given");
      batch.ids.insert(batch.ids.end(), sequence.begin(), sequence.end());
      batch.close_text();
    }
    std::vector<index_t> places(batch.ids.size());
    std::iota(places.begin(), places.end(), index_t{0});
    std::vector<double> losses;
    model->each_logits(batch, places, [&](index_t, View logits) {
      for (index_t r = 0; r < logits.rows(); ++r) {
        const auto row = logits.row(r);
        losses.push_back(log_sum_exp(row) - static_cast<double>(row[as_size(batch.ids[losses.size()])]));
      }
    });
    std::vector<float> means;
    for (index_t i = 0; i < batch.size(); ++i) {
      const auto first = losses.begin() + batch.offsets[as_size(i)],
                 end = losses.begin() + batch.offsets[as_size(i + 1)];
      means.push_back(static_cast<float>(std::accumulate(first, end, 0.0) / static_cast<double>(end - first)));
    }
    return means;
  }

 private:
  const SpecialTokens& special() const { return model->tokenizer().special(); }
  bool is_word(token_t id) const {
    const auto& s = special();
    return id != s.unknown && id != s.classify && id != s.separate && id != s.pad && id != s.mask;
  }
};

template <class Model>
MaskedGuesses(const Model*) -> MaskedGuesses<Model>;

static_assert(LanguageModel<MaskedGuesses<>>);

}  // namespace knnbert::inline v0_1
