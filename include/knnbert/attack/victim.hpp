#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "knnbert/core/finite.hpp"
#include "knnbert/core/matrix.hpp"

namespace knnbert::inline v0_1 {

/// Probabilities of texts where one predictor decides and another leads the search, as an attack has it that knows more
/// of a victim than its answers. Success, and what is skipped, are up to what decides.
struct GuidedProbabilities {
  Matrix judged;      // [N, C]
  Matrix guide = {};  // [N, C], or [0, 0] for every text: the same
};

template <class A>
concept VictimProbabilities = std::convertible_to<A, Matrix> || std::convertible_to<A, GuidedProbabilities>;

/// What is attacked: texts in, probabilities [N, C] out. The same text gets the same row whatever stands beside it.
/// Safe to call concurrently where several threads attack. Used where it exists: readable(words), the number of words
/// of a text before the victim's length limit; the others are left alone.
template <class V>
concept TextVictim = requires(const V& victim, std::span<const std::string> texts) {
  { victim(texts) } -> VictimProbabilities;
};
/// The same of texts with a second text each, empty where there is none. The second one is changed.
template <class V>
concept PairVictim = requires(const V& victim, std::span<const std::string> texts) {
  { victim(texts, texts) } -> VictimProbabilities;
};
template <class V>
concept Victim = TextVictim<V> || PairVictim<V>;

struct QueryOptions {
  index_t batch_size = 32;  ///< texts that the victim gets at a time
  index_t most = 0;         ///< queries for one example; 0: no limit
};

/// The probabilities [C] of one text, and those that lead the search, empty if they are the same.
struct TextProbabilities {
  std::vector<float> judged, guide;
};

namespace detail {

template <VictimProbabilities A>
GuidedProbabilities guided(A&& answers) {
  if constexpr (std::convertible_to<A, GuidedProbabilities>) return std::forward<A>(answers);
  else return {std::forward<A>(answers)};
}

/// Thrown when the next queries would be more than the options allow.
struct BudgetReached {};

/// The texts of one example that a victim was asked for, counted. A text that was asked before is answered from memory
/// and counted all the same, as the papers count.
template <Victim V>
class Queries {
 public:
  /// fixed: the first text of a pair, which stays; nothing for texts without a second one.
  Queries(const V& victim, const QueryOptions& options, std::optional<std::string> fixed = {})
      : victim_(victim), options_(options), fixed_(std::move(fixed)) {
    if (options.batch_size < 1)
      raise<OptionError>("QueryOptions::batch_size: {} given, at least 1 expected", options.batch_size);
    if (!PairVictim<V> && fixed_) raise<OptionError>("Attack: a pair of texts given, but the victim takes one");
  }

  index_t count() const { return count_; }

  /// Probabilities of n texts, text(i) each, which are made when they are asked.  Errors: what the victim throws;
  /// ShapeError, NonFiniteError for what is no [N, C] of probabilities.
  template <class Text>
  std::vector<TextProbabilities> operator()(index_t n, Text&& text) {
    if (options_.most > 0 && n > options_.most - count_) throw BudgetReached{};
    std::vector<TextProbabilities> answers;
    for (index_t first = 0; first < n; first += options_.batch_size) {
      std::vector<std::string> asked;
      for (index_t i = first; i < std::min(n, first + options_.batch_size); ++i) asked.push_back(text(i));
      count_ += std::ssize(asked);
      remember(asked);
      for (const auto& one : asked) answers.push_back(known_.at(one));
      if (remembered_ > most_remembered) known_.clear(), remembered_ = 0;
    }
    return answers;
  }

 private:
  static constexpr std::size_t most_remembered = std::size_t{1} << 24;  // bytes of texts

  void remember(const std::vector<std::string>& asked) {
    std::vector<std::string> unknown;
    for (const auto& text : asked)
      if (known_.try_emplace(text).second) unknown.push_back(text);
    if (unknown.empty()) return;
    const GuidedProbabilities all = guided(ask(unknown));
    require_shape(all.judged, std::ssize(unknown), "rows");
    const bool has_guide = all.guide.rows() > 0;
    if (std::exchange(has_guide_, has_guide).value_or(has_guide) != has_guide)
      raise<ShapeError>("Victim: a guide of some texts given, of all or of none expected");
    if (has_guide) require_shape(all.guide, std::ssize(unknown), "rows of the guide");
    for (std::size_t i = 0; i < unknown.size(); ++i) {
      TextProbabilities& known = known_[unknown[i]];
      keep(all.judged.row(static_cast<index_t>(i)), known.judged);
      if (has_guide) keep(all.guide.row(static_cast<index_t>(i)), known.guide);
      remembered_ += unknown[i].size();
    }
  }

  void require_shape(const Matrix& rows, index_t texts, const char* what) {
    if (rows.rows() != texts) raise<ShapeError>("Victim: {} {} of {} texts given", rows.rows(), what, texts);
    if (classes_ < 0) classes_ = rows.cols();
    if (rows.cols() != classes_)
      raise<ShapeError>("Victim: {} classes given, {} as before expected", rows.cols(), classes_);
  }

  auto ask(std::span<const std::string> texts) const {
    if constexpr (PairVictim<V>) {
      const std::vector<std::string> others(texts.size(), fixed_.value_or(""));
      return fixed_ ? victim_(std::span<const std::string>(others), texts)
                    : victim_(texts, std::span<const std::string>(others));
    } else {
      return victim_(texts);
    }
  }

  static void keep(std::span<const float> row, std::vector<float>& kept) {
    constexpr float rounding = 1e-3f;
    for (const float p : row)
      if (!(p >= -rounding && p <= 1 + rounding))
        raise<NonFiniteError>("Victim: {} given, a probability expected", std::isnan(p) ? "NaN" : format("{}", p));
    kept.assign(row.begin(), row.end());
  }

  const V& victim_;
  QueryOptions options_;
  std::optional<std::string> fixed_;
  std::unordered_map<std::string, TextProbabilities> known_;
  std::size_t remembered_ = 0;
  index_t count_ = 0, classes_ = -1;
  std::optional<bool> has_guide_ = {};
};

}  // namespace detail

}  // namespace knnbert::inline v0_1
