#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

#include "knnbert/attack/antonyms.hpp"
#include "knnbert/attack/stop_words.hpp"

namespace knnbert::inline v0_1 {

/// A word of a text that is being attacked: the words as they were, and as they are now, as many.
struct WordPlace {
  std::span<const std::string> original, current;
  index_t position;
  std::string_view separator = " ";  ///< between words of a text

  const std::string& word() const { return original[as_size(position)]; }
};

/// What constraints say of texts in which one word was replaced.
struct Verdicts {
  std::vector<index_t> violations;  // [n]
  std::vector<float> similarity;    // [n] to the original, 0 if no constraint measures it
};

/// What a substitution must keep. description() names it with its numbers; the rest is used where it exists:
///   may_change(place)                      whether the word may be replaced at all
///   may_insert(place, candidate)           whether by this word; what it refuses is never asked of the victim
///   judge(place, candidates, verdicts)     adds a violation for each candidate that breaks it, looking at whole texts
///   most_changes(words)                    how many words of a text may differ at the end
///   similarity(original, other)            of two texts, larger is closer: for the report
/// All are pure and safe to call concurrently. Absent members of a set are empty optionals.
template <class C>
concept AttackConstraint = requires(const C& constraint) {
  { constraint.description() } -> std::convertible_to<std::string>;
};

namespace detail {

template <class C>
struct PresentConstraint {
  using type = C;
};
template <class C>
struct PresentConstraint<std::optional<C>> {
  using type = C;
};

template <class C, class F>
void if_constrained(const C& constraint, F&& f) {
  f(constraint);
}
template <class C, class F>
void if_constrained(const std::optional<C>& constraint, F&& f) {
  if (constraint) f(*constraint);
}

}  // namespace detail

namespace detail {

/// Whether a constraint that has one of the members has it as it is called.
template <class C>
constexpr bool callable_constraint() {
  const auto named = [](bool by_name, bool on_values, bool as_called) { return as_called || !(by_name || on_values); };
  return named(
             requires { &C::may_change; }, requires(C & c, const WordPlace& p) { c.may_change(p); },
             requires(const C& c, const WordPlace& p) { c.may_change(p); }) &&
         named(
             requires { &C::may_insert; }, requires(C & c, const WordPlace& p, std::string w) { c.may_insert(p, w); },
             requires(const C& c, const WordPlace& p, const std::string& w) { c.may_insert(p, w); }) &&
         named(
             requires { &C::judge; }, requires(C & c, const WordPlace& p, Verdicts& v) { c.judge(p, {}, v); },
             requires(const C& c, const WordPlace& p, Verdicts& v) { c.judge(p, {}, v); }) &&
         named(
             requires { &C::most_changes; }, requires(C & c) { c.most_changes(index_t{1}); },
             requires(const C& c) { c.most_changes(index_t{1}); });
}

}  // namespace detail

/// Several constraints as one; an empty optional is none.
template <class... Cs>
class Constraints {
 public:
  static_assert((AttackConstraint<typename detail::PresentConstraint<Cs>::type> && ...),
                "Constraints: an AttackConstraint expected, as attack/constraint.hpp says");
  static_assert((detail::callable_constraint<typename detail::PresentConstraint<Cs>::type>() && ...),
                "Constraints: a member of a constraint has a name of attack/constraint.hpp, but cannot be called as it "
                "says there: they are called on const objects");

  explicit Constraints(Cs... constraints) : all_(std::move(constraints)...) {}

  bool may_change(const WordPlace& place) const {
    bool may = true;
    each([&](const auto& c) {
      if constexpr (requires { c.may_change(place); }) may = may && c.may_change(place);
    });
    return may;
  }
  bool may_insert(const WordPlace& place, const std::string& candidate) const {
    bool may = true;
    each([&](const auto& c) {
      if constexpr (requires { c.may_insert(place, candidate); }) may = may && c.may_insert(place, candidate);
    });
    return may;
  }
  /// Whether any constraint looks at whole texts.
  bool judges() const {
    bool some = false;
    Verdicts verdicts;
    each([&](const auto& c) {
      some = some || requires(const WordPlace& p) { c.judge(p, {}, verdicts); };
    });
    return some;
  }
  Verdicts judge(const WordPlace& place, std::span<const std::string> candidates) const {
    Verdicts verdicts{std::vector<index_t>(candidates.size()), std::vector<float>(candidates.size())};
    each([&](const auto& c) {
      if constexpr (requires { c.judge(place, candidates, verdicts); })
        if (!candidates.empty()) c.judge(place, candidates, verdicts);
    });
    return verdicts;
  }
  index_t most_changes(index_t words) const {
    index_t most = words;
    each([&](const auto& c) {
      if constexpr (requires { c.most_changes(words); }) most = std::min(most, c.most_changes(words));
    });
    return most;
  }
  std::optional<float> similarity(const std::string& original, const std::string& other) const {
    std::optional<float> similarity;
    each([&](const auto& c) {
      if constexpr (requires { c.similarity(original, other); }) similarity = c.similarity(original, other);
    });
    return similarity;
  }
  std::vector<std::string> descriptions() const {
    std::vector<std::string> all;
    each([&](const auto& c) { all.push_back(c.description()); });
    return all;
  }

 private:
  template <class F>
  void each(F&& f) const {
    std::apply([&](const Cs&... c) { (detail::if_constrained(c, f), ...); }, all_);
  }

  std::tuple<Cs...> all_;
};

/// Words of a list are not replaced, and none is put in if `inserted` says so (BERT-Attack).
struct KeepStopWords {
  const StopWords* words;  ///< must outlive it
  bool inserted = false;   ///< whether they may not be put in either

  bool may_change(const WordPlace& place) const { return !words->contains(place.word()); }
  bool may_insert(const WordPlace&, const std::string& candidate) const {
    return !inserted || !words->contains(candidate);
  }
  std::string description() const {
    return format("stop words: {}, not replaced{}", words->size(), inserted ? " and not put in" : "");
  }
};

/// A word that was replaced is not replaced again.
struct ChangeWordsOnce {
  bool may_change(const WordPlace& place) const {
    return place.original[as_size(place.position)] == place.current[as_size(place.position)];
  }
  std::string description() const { return "a word is replaced once"; }
};

/// No word is replaced by its opposite.
struct AvoidAntonyms {
  const Antonyms* antonyms;  ///< must outlive it

  bool may_insert(const WordPlace& place, const std::string& candidate) const {
    return !antonyms->are_opposite(place.word(), candidate);
  }
  std::string description() const { return format("antonyms: listed for {} words, not put in", antonyms->size()); }
};

/// At most a share of the words is replaced: max(1, floor(share * words)), or ceil as in TextAttack.
struct ChangeFewWords {
  double share = 0.4;
  bool rounded_up = false;

  index_t most_changes(index_t words) const {
    constexpr double rounding = 1e-9;  // 0.29 * 100 is a little less than 29
    if (!(share >= 0 && share <= 1)) raise<OptionError>("ChangeFewWords::share: {} given, 0 to 1 expected", share);
    const double most = share * static_cast<double>(words);
    return std::max<index_t>(
        1, static_cast<index_t>(rounded_up ? std::ceil(most - rounding) : std::floor(most + rounding)));
  }
  std::string description() const {
    return format("at most {} of the words replaced{}", share, rounded_up ? ", rounded up" : "");
  }
};

}  // namespace knnbert::inline v0_1
