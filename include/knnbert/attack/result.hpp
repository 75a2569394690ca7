#pragma once
#include <optional>
#include <string>
#include <vector>

#include "knnbert/core/types.hpp"
#include "knnbert/evaluate/ratio.hpp"

namespace knnbert::inline v0_1 {

enum class AttackStatus {
  successful,
  failed,
  skipped,  ///< the victim was wrong, or at the goal, before
  error,    ///< something went wrong with this example, see the reason
};

inline const char* name_of(AttackStatus status) {
  constexpr const char* names[] = {"successful", "failed", "skipped", "error"};
  return names[static_cast<int>(status)];
}

/// What of an attack on one text goes into a summary.
struct AttackCounts {
  AttackStatus status = AttackStatus::error;
  index_t words = 0;                        ///< of the text
  index_t changed = 0;                      ///< words that differ
  index_t queries = 0;                      ///< texts that the victim was asked for, repeated ones included
  std::optional<float> similarity = {};     ///< cosine of both texts, if a constraint measures it
  index_t characters = 0;                   ///< of the text
  index_t edits = 0;                        ///< edit distance of both texts in characters
  bool right = false, right_after = false;  ///< whether the victim's answers to both texts were the example's class
};

/// An attack on one text.
struct AttackResult {
  AttackCounts counts = {};
  label_t label = 0;                           ///< of the example
  std::string fixed = {};                      ///< first text of a pair, which stays
  std::string original = {}, perturbed = {};   ///< as the victim got them: words with one blank between them
  std::vector<float> before = {}, after = {};  ///< probabilities of both [C]; empty if there are none
  /// Those of what led the search, if it was another predictor than the one that is attacked.
  std::vector<float> guide_before = {}, guide_after = {};
  label_t label_before = 0, label_after = 0;  ///< the most likely classes
  float score = 0;                            ///< 1 - distance of `after` to the goal; untargeted: 1 - p_y
  struct Change {
    index_t position;  ///< of the word, from 0
    index_t begin;     ///< characters of the original before it
    std::string from, to;
  };
  std::vector<Change> changes = {};
  std::string reason = {};  ///< of an error, or why an attack ended early
};

/// Averages over a data set as TextAttack has them.  Quotients of nothing are undefined.
struct AttackSummary {
  index_t successful = 0, failed = 0, skipped = 0, errors = 0, right = 0, right_after = 0;
  Ratio original_accuracy;      ///< right / (all but errors): untargeted, of failed and successful
  Ratio accuracy_under_attack;  ///< right after the attack / (all but errors): untargeted, of failed
  Ratio success_rate;           ///< successful / (failed + successful)
  Ratio perturbed_words;        ///< mean over successes of changed / words
  Ratio edits;                  ///< mean over successes of edits / characters
  Ratio words;                  ///< mean over all but errors
  Ratio queries;                ///< mean over failed and successful
  Ratio similarity;             ///< mean over successes
};

inline AttackSummary summarize(const std::vector<AttackCounts>& attacks) {
  AttackSummary s;
  double perturbed = 0, edits = 0, words = 0, queries = 0, similarity = 0, measured = 0;
  for (const AttackCounts& a : attacks) {
    const bool successful = a.status == AttackStatus::successful, failed = a.status == AttackStatus::failed;
    s.successful += successful, s.failed += failed;
    s.skipped += a.status == AttackStatus::skipped, s.errors += a.status == AttackStatus::error;
    if (a.status != AttackStatus::error)
      words += static_cast<double>(a.words), s.right += a.right, s.right_after += a.right_after;
    if (successful || failed) queries += static_cast<double>(a.queries);
    if (!successful) continue;
    perturbed += ratio(static_cast<double>(a.changed), static_cast<double>(a.words)).value;
    edits += ratio(static_cast<double>(a.edits), static_cast<double>(a.characters)).value;
    if (a.similarity) similarity += static_cast<double>(*a.similarity), ++measured;
  }
  const auto attacked = static_cast<double>(s.successful + s.failed), all = attacked + static_cast<double>(s.skipped);
  s.original_accuracy = ratio(static_cast<double>(s.right), all);
  s.accuracy_under_attack = ratio(static_cast<double>(s.right_after), all);
  s.success_rate = ratio(static_cast<double>(s.successful), attacked);
  s.perturbed_words = ratio(perturbed, static_cast<double>(s.successful));
  s.edits = ratio(edits, static_cast<double>(s.successful));
  s.words = ratio(words, all);
  s.queries = ratio(queries, attacked);
  s.similarity = ratio(similarity, measured);
  return s;
}

}  // namespace knnbert::inline v0_1
