#pragma once
#include "knnbert/attack/attempt.hpp"

/// Three searches. A search is called with an Attempt, asks the victim through it, and commits replacements until
/// answer().reached or until it has no more to try. distance is what leads it, reached what decides: they are of
/// different predictors where the victim is guided.
namespace knnbert::inline v0_1 {

namespace detail {

/// Softmax of what a text gains for each of its n words, in [-1, 1]; words behind the last gain have none.
inline std::vector<double> softmax_of(std::span<const float> gains, std::size_t n) {
  std::vector<double> weights(n);
  double total = 0;
  for (std::size_t i = 0; i < n; ++i)
    total += weights[i] = std::exp(i < gains.size() ? static_cast<double>(gains[i]) : 0);
  for (double& w : weights) w /= total;
  return weights;
}

}  // namespace detail

/// TextFooler's: words by importance; of the current text all single replacements of a word; the most similar of those
/// that reach the goal and break no constraint ends it (of equals the one that goes farthest), else the one that comes
/// closest is kept.
/// arXiv 1907.11932, algorithm 1. Replacements that break a constraint are queries too, as in its code.
struct ImportanceSearch {
  std::string placeholder = {};     ///< for a word when its importance is measured; empty: it is left out
  float least_importance = -1;      ///< words at or below it stay
  bool rank_all = true;             ///< the importance of words that may not be replaced is asked for too
  bool label_bonus = true;          ///< where a word turns the label, what the new one gains is added
  bool weighted_saliency = false;   ///< the order is softmax(importance) times the best gain of a replacement, as in
                                    ///< TextAttack's PWWS, which chooses the replacements again on the current text
  bool must_improve = false;        ///< kept is what is closer than the current text, as in TextAttack; else than the
                                    ///< original one
  bool query_only_allowed = false;  ///< what breaks a constraint is no query, as in TextAttack; the result is the same

  template <class A>
  void operator()(A& attempt) const {
    for (const auto& [importance, position] : ranking(attempt)) {
      if (!(importance > least_importance) || !attempt.may_change_more()) return;
      if (!attempt.may_change(position)) continue;
      replace(attempt, position);
      if (attempt.answer().reached) return;
    }
  }
  std::string description() const {
    return format("words by importance ({}{}{}), all replacements of a word, kept if closer than the {} text",
                  placeholder.empty() ? "word left out" : "word as " + placeholder,
                  label_bonus ? "" : ", without what a new label gains",
                  weighted_saliency ? ", times the best gain" : "", must_improve ? "current" : "original");
  }

 private:
  template <class A>
  std::vector<Scored> ranking(A& attempt) const {
    auto ranked = rank_words(attempt, placeholder, label_bonus, rank_all);
    if (!weighted_saliency) return ranked;
    std::vector<float> importance;
    for (const Scored& word : ranked) importance.push_back(word.score);
    const auto weights = detail::softmax_of(importance, importance.size());
    for (std::size_t i = 0; i < ranked.size(); ++i)
      ranked[i].score = static_cast<float>(weights[i]) * best_gain(attempt, ranked[i]);
    std::sort(ranked.begin(), ranked.end(), ranks_before);
    return ranked;
  }

  /// 1 - the least distance to the goal of any replacement in the original text, 0 without one.
  template <class A>
  static float best_gain(A& attempt, const Scored& word) {
    if (!attempt.may_change(word.index)) return 0;
    float best = 0;
    for (const auto& answer : attempt.ask_replacements(word.index, attempt.allowed_candidates(word.index)))
      best = std::max(best, 1 - answer.distance);
    return best;
  }

  template <class A>
  void replace(A& attempt, index_t position) const {
    const auto words = query_only_allowed ? attempt.allowed_candidates(position) : attempt.candidates(position);
    auto answers = attempt.ask_replacements(position, words);
    const float bound = (must_improve ? attempt.answer() : attempt.first()).distance;
    std::vector<std::string> hopeful;  // the others cannot be chosen: they need not be judged
    std::vector<std::size_t> places;
    for (std::size_t c = 0; c < words.size(); ++c)
      if (answers[c].reached || answers[c].distance < bound) hopeful.push_back(words[c]), places.push_back(c);
    const Verdicts verdicts = attempt.judge(position, hopeful);
    std::optional<std::size_t> chosen;
    const auto better = [&](std::size_t a, std::size_t b) {
      const auto &x = answers[places[a]], &y = answers[places[b]];
      if (x.reached != y.reached) return x.reached;
      if (x.reached && verdicts.similarity[a] != verdicts.similarity[b])
        return verdicts.similarity[a] > verdicts.similarity[b];
      return x.distance < y.distance;
    };
    for (std::size_t h = 0; h < hopeful.size(); ++h)
      if (verdicts.violations[h] == 0 && (!chosen || better(h, *chosen))) chosen = h;
    if (chosen) attempt.commit(position, hopeful[*chosen], std::move(answers[places[*chosen]]));
  }
};

/// BERT-Attack's: words by importance; of the current text one candidate after the other; one that reaches the goal
/// ends it, else the one that comes closest is kept if it is closer than the current text.  arXiv 2004.09984.
struct GreedySearch {
  std::string placeholder = "[MASK]";  ///< for a word when its importance is measured; empty: it is left out

  template <class A>
  void operator()(A& attempt) const {
    for (const auto& [importance, position] : rank_words(attempt, placeholder)) {
      if (!attempt.may_change_more()) return;
      if (!attempt.may_change(position)) continue;
      std::optional<std::pair<std::string, AttackAnswer>> best;
      for (const auto& word : attempt.allowed_candidates(position)) {
        AttackAnswer answer = std::move(attempt.ask_replacements(position, std::span(&word, 1)).front());
        if (answer.reached) return attempt.commit(position, word, std::move(answer));
        if (answer.distance < (best ? best->second : attempt.answer()).distance) best.emplace(word, std::move(answer));
      }
      if (best) attempt.commit(position, best->first, std::move(best->second));
    }
  }
  std::string description() const {
    return format("words by importance ({}), one replacement after the other",
                  placeholder.empty() ? "word left out" : "word as " + placeholder);
  }
};

/// PWWS's: for every word the replacement that comes closest to the goal, all in the original text; then all of these
/// in the order of softmax(saliency) times what each gains, until the goal is reached.  Ren et al. 2019, equations 4 to
/// 8. Where a guide leads, which need not be closest where the goal is reached, one replacement that reaches it is the
/// last.
struct SaliencySearch {
  std::string placeholder = "[UNK]";  ///< for a word when its saliency is measured; empty: it is left out
  bool only_where_it_helps = false;   ///< replacements that gain nothing are not made; the released code makes them

  template <class A>
  void operator()(A& attempt) const {
    struct Best {
      std::string word;
      float gain;
    };
    const std::vector<double> weights = saliencies(attempt);
    std::vector<Best> best;
    std::vector<Scored> order;
    for (index_t i = 0; i < attempt.readable(); ++i) {
      if (!attempt.may_change(i)) continue;
      const auto words = attempt.allowed_candidates(i);
      if (words.empty()) continue;
      auto answers = attempt.ask_replacements(i, words);
      if (commit_success(attempt, i, words, answers)) return;
      const auto closest = std::min_element(answers.begin(), answers.end(),
                                            [](const auto& a, const auto& b) { return a.distance < b.distance; });
      const float gain = attempt.first().distance - closest->distance;
      if (only_where_it_helps && !(gain > 0)) continue;
      order.push_back({static_cast<float>(weights[as_size(i)] * static_cast<double>(gain)), i});
      best.resize(as_size(i) + 1);
      best.back() = {words[static_cast<std::size_t>(closest - answers.begin())], gain};
    }
    std::sort(order.begin(), order.end(), ranks_before);
    for (const auto& [score, position] : order) {
      if (attempt.answer().reached || !attempt.may_change_more()) return;
      const std::string& word = best[as_size(position)].word;
      attempt.commit(position, word, std::move(attempt.ask_replacements(position, std::span(&word, 1)).front()));
    }
  }
  std::string description() const {
    return format("replacements by saliency ({}) times gain{}",
                  placeholder.empty() ? "word left out" : "word as " + placeholder,
                  only_where_it_helps ? ", those that gain" : "");
  }

 private:
  template <class A>
  static bool commit_success(A& attempt, index_t position, std::span<const std::string> words,
                             std::span<AttackAnswer> answers) {
    if (!attempt.first().is_guided() || !attempt.may_change_more()) return false;
    const auto success = std::find_if(answers.begin(), answers.end(), [](const auto& a) { return a.reached; });
    if (success == answers.end()) return false;
    attempt.commit(position, words[static_cast<std::size_t>(success - answers.begin())], std::move(*success));
    return true;
  }

  template <class A>
  std::vector<double> saliencies(A& attempt) const {
    std::vector<float> gains;
    for (const auto& answer :
         attempt.ask(attempt.readable(), [&](index_t i) { return attempt.original_with(i, placeholder); }))
      gains.push_back(attempt.first().distance - answer.distance);
    return detail::softmax_of(gains, attempt.original().size());
  }
};

}  // namespace knnbert::inline v0_1
