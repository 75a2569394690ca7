#pragma once
#include "knnbert/attack/constraint.hpp"
#include "knnbert/attack/goal.hpp"
#include "knnbert/attack/transformation.hpp"
#include "knnbert/attack/victim.hpp"
#include "knnbert/core/top_k.hpp"

namespace knnbert::inline v0_1 {

/// What a victim said of a text, and what that is for the goal.
struct AttackAnswer {
  TextProbabilities probabilities;  // [C] each
  float distance = 1;               ///< of what leads the search to the goal, the less the better; untargeted: p_y
  label_t label = 0;                ///< the most likely class by what judges
  bool reached = false;             ///< by what judges

  bool is_guided() const { return !probabilities.guide.empty(); }
  std::span<const float> leading() const { return is_guided() ? probabilities.guide : probabilities.judged; }
};

/// One text under attack: all that a search asks and does. Words are addressed by their positions, which do not move.
template <class Attack, Victim V>
class Attempt {
 public:
  using source_type =
      decltype(std::declval<const Attack&>().transformation.of(std::declval<std::span<const std::string>>()));

  /// first: what the victim said of the words as they are.
  Attempt(const Attack& attack, const V& victim, detail::Queries<V>& queries, std::span<const std::string> words,
          label_t label, AttackAnswer first)
      : attack_(attack), queries_(queries), separator_(attack.separator()), original_(words),
        current_(words.begin(), words.end()), label_(label), first_(first), answer_(std::move(first)),
        most_(attack.constraints.most_changes(std::ssize(words))), source_(attack.transformation.of(original_)) {
    readable_ = std::ssize(words);
    if constexpr (requires { victim.readable(original_); })
      readable_ = std::clamp<index_t>(victim.readable(original_), 0, readable_);
  }
  Attempt(const Attempt&) = delete;

  std::span<const std::string> original() const { return original_; }
  /// The original text with something else at a position; "" takes the word away.
  std::string original_with(index_t position, std::string_view replacement) const {
    return join_words_with(original_, position, replacement, separator_);
  }
  const std::vector<std::string>& current() const { return current_; }
  /// Words that the victim reads; no others are asked for or replaced.
  index_t readable() const { return readable_; }
  label_t label() const { return label_; }
  const AttackAnswer& first() const { return first_; }    ///< of the original text
  const AttackAnswer& answer() const { return answer_; }  ///< of the current one

  bool may_change(index_t position) const { return attack_.constraints.may_change(place(position)); }
  /// Whether one more word may differ.
  bool may_change_more() const { return changes_ < most_; }
  /// What may be put in the place of a word and differs from it in more than case, each once.
  std::vector<std::string> candidates(index_t position) const {
    std::vector<std::string> kept;
    const std::string present = table_word(current_[as_size(position)]);
    for (auto& candidate : source_(position)) {
      const bool usable = !candidate.empty() && table_word(candidate) != present &&
                          std::find(kept.begin(), kept.end(), candidate) == kept.end() &&
                          attack_.constraints.may_insert(place(position), candidate);
      if (usable) kept.push_back(std::move(candidate));
    }
    return kept;
  }
  /// The same without those that any constraint on whole texts refuses.
  std::vector<std::string> allowed_candidates(index_t position) const {
    auto all = candidates(position);
    if (all.empty() || !attack_.constraints.judges()) return all;
    const Verdicts verdicts = judge(position, all);
    std::vector<std::string> kept;
    for (std::size_t c = 0; c < all.size(); ++c)
      if (verdicts.violations[c] == 0) kept.push_back(std::move(all[c]));
    return kept;
  }
  Verdicts judge(index_t position, std::span<const std::string> candidates) const {
    return attack_.constraints.judge(place(position), candidates);
  }

  /// Queries: n texts, text(i) each.
  template <class Text>
  std::vector<AttackAnswer> ask(index_t n, Text&& text) {
    std::vector<AttackAnswer> answers;
    for (auto& probabilities : queries_(n, text)) answers.push_back(attack_.judged(std::move(probabilities), label_));
    return answers;
  }
  /// Queries: the current text with each of the candidates at a position.
  std::vector<AttackAnswer> ask_replacements(index_t position, std::span<const std::string> candidates) {
    return ask(std::ssize(candidates),
               [&](index_t c) { return join_words_with(current_, position, candidates[as_size(c)], separator_); });
  }

  /// Replaces a word of the current text, of which the victim has said `answer`.
  void commit(index_t position, const std::string& word, AttackAnswer answer) {
    const auto differs = [&] { return index_t{current_[as_size(position)] != original_[as_size(position)]}; };
    changes_ -= differs();
    current_[as_size(position)] = word;
    changes_ += differs();
    answer_ = std::move(answer);
  }

 private:
  WordPlace place(index_t position) const { return {original_, current_, position, separator_}; }

  const Attack& attack_;
  detail::Queries<V>& queries_;
  std::string_view separator_;
  std::span<const std::string> original_;
  std::vector<std::string> current_;
  label_t label_;
  AttackAnswer first_, answer_;
  index_t readable_ = 0, changes_ = 0, most_;
  source_type source_;
};

/// Words by importance, the largest first, of equals the earlier: how far the original text moves to the goal without
/// the word, or with a placeholder for it, by what leads the search; with label_bonus what a new label gains is added.
/// Unless all are wanted, only words that may be replaced.  TextFooler's equation 2.  Queries: one for every word that
/// the victim reads.
template <class A>
std::vector<Scored> rank_words(A& attempt, const std::string& placeholder, bool label_bonus = true, bool all = true) {
  const auto& first = attempt.first();
  std::vector<index_t> positions;
  for (index_t i = 0; i < attempt.readable(); ++i)
    if (all || attempt.may_change(i)) positions.push_back(i);
  const auto answers = attempt.ask(
      std::ssize(positions), [&](index_t i) { return attempt.original_with(positions[as_size(i)], placeholder); });
  std::vector<Scored> ranked;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& a = answers[i];
    const label_t to = likeliest(a.leading());
    float importance = first.distance - a.distance;
    if (label_bonus && to != attempt.label()) importance += a.leading()[as_size(to)] - first.leading()[as_size(to)];
    ranked.push_back({importance, positions[i]});
  }
  std::sort(ranked.begin(), ranked.end(), ranks_before);
  return ranked;
}

}  // namespace knnbert::inline v0_1
