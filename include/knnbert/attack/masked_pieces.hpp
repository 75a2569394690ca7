#pragma once
#include "knnbert/attack/piece_candidates.hpp"
#include "knnbert/pretrain/masked_language_model.hpp"
#include "knnbert/text/any_tokenizer.hpp"

namespace knnbert::inline v0_1 {

/// A MaskedLanguageModel over the pieces of a unigram tokenizer as the source of substitutes: a PieceModel.
/// Characters that no piece stands for are units of their own, without guesses.  Thread safety: const members may run
/// concurrently.
template <class Model = MaskedLanguageModel>
struct MaskedPieces {
  const Model* model;  ///< must outlive it

  /// What the pieces of a text stand for, and what stands between them.  Errors: OptionError for another tokenizer.
  std::vector<std::string> units(std::string_view text) const {
    std::vector<std::string> all;
    each_unit(text, unigram().spans(text), [&](std::string_view unit, index_t) { all.emplace_back(unit); });
    return all;
  }

  /// Of the first max_length() - 2 pieces; special tokens are no guesses, and marks of word boundaries no part of them.
  PieceGuesses guesses(std::span<const std::string> units, index_t k) const {
    std::string text;
    for (const auto& unit : units) text += unit;
    auto spans = unigram().spans(text);
    spans.resize(std::min(spans.size(), as_size(model->max_length() - 2)));
    Batch batch;
    batch.ids.push_back(special().classify);
    for (const PieceSpan& span : spans) batch.ids.push_back(span.id);
    batch.ids.push_back(special().separate);
    batch.close_text();
    PieceGuesses all;
    std::vector<index_t> places;
    index_t unit = 0;
    each_unit(text, spans, [&](std::string_view, index_t piece) {
      if (piece >= 0) all.words.push_back(unit), places.push_back(piece + 1);
      ++unit;
    });
    for (const auto& row : model->top(batch, places, k)) {
      auto& guesses = all.best.emplace_back();
      for (const Scored& guess : row)
        if (const auto id = static_cast<token_t>(guess.index);
            id < model->tokenizer().vocabulary_size() && is_piece(id))
          guesses.push_back({id, guess.score, without_marks(model->tokenizer().token(id))});
    }
    return all;
  }

  /// What its pieces stand for, special tokens included.
  std::vector<std::string> vocabulary() const {
    std::vector<std::string> all;
    for (token_t id = 0; id < model->tokenizer().vocabulary_size(); ++id)
      all.push_back(without_marks(model->tokenizer().token(id)));
    return all;
  }

  /// Errors: OptionError.
  const Unigram& unigram() const {
    const auto* const held = std::get_if<Unigram>(&model->tokenizer().held());
    if (!held)
      raise<OptionError>("MaskedPieces: a model with a {} tokenizer given, Unigram expected",
                         model->tokenizer().name());
    return *held;
  }

 private:
  const SpecialTokens& special() const { return model->tokenizer().special(); }
  bool is_piece(token_t id) const {
    const auto& s = special();
    return id != s.unknown && id != s.classify && id != s.separate && id != s.pad && id != s.mask;
  }
  /// Whether a piece stands for a part of the text: not the unknown one, not a byte of a character.
  bool stands_for_text(token_t id) const {
    if (id == special().unknown) return false;
    const std::string_view piece = model->tokenizer().token(id);
    return !(piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>'));
  }
  static std::string without_marks(std::string_view piece) {
    constexpr std::string_view mark = "\xe2\x96\x81";
    std::string text(piece);
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark)) text.erase(at, mark.size());
    return text;
  }
  /// Calls visit(part of the text, its piece or -1 for what no piece stands for), from the beginning to the end.
  template <class Visit>
  void each_unit(std::string_view text, std::span<const PieceSpan> spans, Visit&& visit) const {
    const auto each_character = [&](std::string_view unknown) {
      const char* const end = unknown.data() + unknown.size();
      for (const char* next = unknown.data(); next != end;) {
        const char* const begin = next;
        unicode::decode(next, end);
        visit(std::string_view(begin, next), index_t{-1});
      }
    };
    std::size_t at = 0;
    for (std::size_t p = 0; p < spans.size(); ++p) {
      const PieceSpan& span = spans[p];
      if (span.begin == span.end) continue;
      if (span.begin > at) visit(text.substr(at, span.begin - at), index_t{-1});
      const auto part = text.substr(span.begin, span.end - span.begin);
      if (stands_for_text(span.id)) visit(part, static_cast<index_t>(p));
      else each_character(part);
      at = span.end;
    }
    if (at < text.size()) visit(text.substr(at), index_t{-1});
  }
};
template <class Model>
MaskedPieces(const Model*) -> MaskedPieces<Model>;

}  // namespace knnbert::inline v0_1
