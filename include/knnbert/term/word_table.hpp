#pragma once
#include <algorithm>
#include <cmath>

#include "knnbert/distributed/team.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

/// How a gradient of words becomes a step of length epsilon.
enum class WordStep {
  sign,  ///< epsilon * sign(g), number by number: FGSM
  l2,    ///< epsilon * g / |g| over all words: FGM
};

/// One row [H] for each word that occurs in a step, on all processes the same: gradients at the sums of word, position
/// and segment, added up by word, and the step that is made of them. Other words have none, so the table of a
/// vocabulary is never formed.
class WordTable {
 public:
  /// sums [T, H] of this process' tokens; none where it has no text.
  WordTable(const Batch& batch, ConstView sums, index_t width, const Team& team) {
    std::vector<token_t> own(batch.ids);
    make_set(own);
    words_ = team.size() > 1 ? gather_values(team, std::span<const token_t>(own)) : std::move(own);
    make_set(words_);
    rows_.resize(std::ssize(words_), width);
    rows_.fill(0);
    for (index_t t = 0; t < batch.tokens(); ++t)
      add_rows(sums.row_range(t, 1), View(rows_).row_range(place(batch, t), 1));
    team.all_reduce({rows_.data(), as_size(rows_.rows() * rows_.stride())});
  }

  std::span<const token_t> words() const { return words_; }  ///< ascending
  ConstView rows() const { return rows_; }                   ///< [words, H]

  /// Turns gradients into a step; false if they are all zero or not finite.
  bool step(WordStep kind, float epsilon) {
    double squares = 0;
    for (index_t i = 0; i < rows_.rows(); ++i)
      for (const float g : rows_.row(i)) squares += static_cast<double>(g) * g;
    if (!(squares > 0) || !std::isfinite(squares)) return false;
    const auto scale = static_cast<float>(epsilon / std::sqrt(squares));
    for (index_t i = 0; i < rows_.rows(); ++i)
      for (float& g : rows_.row(i)) {
        if (kind == WordStep::l2) g *= scale;
        else g = g > 0 ? epsilon : g < 0 ? -epsilon : 0;
      }
    return true;
  }

  /// Adds its word's row to each token's.
  void add_to(const Batch& batch, View tokens) const {
    for (index_t t = 0; t < batch.tokens(); ++t)
      add_rows(ConstView(rows_).row_range(place(batch, t), 1), tokens.row_range(t, 1));
  }

 private:
  static void make_set(std::vector<token_t>& words) {
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
  }
  index_t place(const Batch& batch, index_t token) const {
    return std::lower_bound(words_.begin(), words_.end(), batch.ids[as_size(token)]) - words_.begin();
  }

  std::vector<token_t> words_;
  Matrix rows_;
};

}  // namespace knnbert::inline v0_1
