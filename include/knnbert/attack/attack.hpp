#pragma once
#include <map>
#include <mutex>

#include "knnbert/attack/result.hpp"
#include "knnbert/attack/search.hpp"
#include "knnbert/core/parallel.hpp"
#include "knnbert/core/progress.hpp"
#include "knnbert/text/dataset.hpp"
#include "knnbert/text/edit_distance.hpp"

namespace knnbert::inline v0_1 {

struct AttackOptions {
  AttackWords words = {};
  QueryOptions queries = {};
};

namespace detail {

/// Hands results on in the order of the examples, whatever the order in which they are ready. Those behind one that
/// does not come, because somebody asked to stop, are dropped: who goes on later begins behind the last one.
template <class Sink>
class InOrder {
 public:
  explicit InOrder(Sink& sink) : sink_(sink) {}

  void put(index_t i, AttackResult result) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(i, std::move(result));
    while (!waiting_.empty() && waiting_.begin()->first == next_) ++next_, hand_on();
  }

 private:
  void hand_on() {
    const auto first = waiting_.extract(waiting_.begin());  // once, also where the sink throws
    sink_(first.key(), std::as_const(first.mapped()));
  }

  Sink& sink_;
  std::mutex mutex_;
  std::map<index_t, AttackResult> waiting_;
  index_t next_ = 0;
};

}  // namespace detail

/// Replaces words of texts until a victim errs: what is wanted, what must be kept, where words come from, and in which
/// order they are tried. Parts are policies; recipes.hpp has those of the papers.
/// Thread safety: const members may run concurrently, if the victim may.
template <AttackGoal Goal, class ConstraintSet, AttackTransformation Transformation, class Search>
struct Attack {
  Goal goal;
  ConstraintSet constraints;
  Transformation transformation;
  Search search;
  AttackOptions options = {};

  /// Attacks one text, of a pair the second one. Whatever goes wrong with it, what the victim throws included, becomes
  /// the result's status and reason; nothing is thrown but for memory.
  template <Victim V>
  AttackResult operator()(const V& victim, const Example& example) const {
    return of_example(victim, example, !example.pair.empty());
  }

  /// The same of all examples of a data set, of pairs the second text also where it is empty; results are the same for
  /// any number of workers. sink(i, result) hears of each, in the order of the data, one at a time. If a listener asks
  /// to stop, no other example is begun, and the sink hears of those before the first that was not.  Errors: what the
  /// sink throws.
  template <Victim V, std::invocable<index_t, const AttackResult&> Sink>
  void each(const V& victim, const Dataset& data, Sink&& sink, const Workers& workers = Workers(),
            ProgressListener* listener = nullptr) const {
    detail::InOrder ordered(sink);
    std::mutex progress;
    index_t done = 0;
    workers.for_each(data.size(), [&](index_t i, index_t) {
      if (listener && listener->stop_requested()) return;
      ordered.put(i, of_example(victim, data.example(i), data.has_pairs()));
      const std::lock_guard lock(progress);
      ++done;
      if (listener) listener->progress(done, data.size());
    });
  }
  template <Victim V>
  std::vector<AttackResult> each(const V& victim, const Dataset& data, const Workers& workers = Workers()) const {
    std::vector<AttackResult> results;
    each(
        victim, data, [&](index_t, const AttackResult& r) { results.push_back(r); }, workers);
    return results;
  }

  /// The parts in words: goal, search, source of words, and every constraint.
  std::vector<std::string> descriptions() const {
    std::vector<std::string> all{goal.description(), search.description(), transformation.description()};
    for (auto& constraint : constraints.descriptions()) all.push_back(std::move(constraint));
    return all;
  }

  /// What probabilities are for the goal.
  AttackAnswer judged(TextProbabilities probabilities, label_t label) const {
    AttackAnswer answer;
    answer.reached = goal.reached(probabilities.judged, label);
    answer.label = likeliest(probabilities.judged);
    answer.probabilities = std::move(probabilities);
    answer.distance = goal.distance(answer.leading(), label);
    return answer;
  }

  /// What stands between the words of a text.
  std::string_view separator() const {
    if constexpr (has_units) return transformation.separator();
    else return " ";
  }

 private:
  static constexpr bool has_units = requires(const Transformation& t, std::string_view text) { t.units(text); };

  std::vector<std::string> units_of(std::string_view text) const {
    if constexpr (has_units) return transformation.units(text);
    else return attack_words(text, options.words);
  }

  template <Victim V>
  AttackResult of_example(const V& victim, const Example& example, bool pair) const {
    AttackResult result;
    result.label = example.label;
    try {
      run(victim, example, pair, result);
    } catch (const std::bad_alloc&) { throw; } catch (const std::exception& error) {
      result.counts.status = AttackStatus::error;
      result.reason = error.what();
    } catch (...) {
      result.counts.status = AttackStatus::error;
      result.reason = "the victim threw something that is no std::exception";
    }
    return result;
  }

  template <Victim V>
  void run(const V& victim, const Example& example, bool pair, AttackResult& result) const {
    const auto words = units_of(pair ? example.pair : example.text);
    if (pair) result.fixed = example.text;
    result.original = result.perturbed = join_words(words, separator());
    result.counts.words = std::ssize(words);
    result.counts.characters = std::ssize(characters_of(result.original));
    detail::Queries<V> queries(victim, options.queries, pair ? std::optional(example.text) : std::nullopt);
    const auto count = [&] { result.counts.queries = queries.count(); };
    try {
      attack(victim, queries, words, result);
    } catch (const detail::BudgetReached&) {
      result.counts.status = AttackStatus::failed;
      result.reason = format("{} queries allowed", options.queries.most);
    } catch (...) {
      count();
      throw;
    }
    count();
  }

  template <Victim V>
  void attack(const V& victim, detail::Queries<V>& queries, std::span<const std::string> words,
              AttackResult& result) const {
    AttackAnswer first = first_answer(queries, result);
    tell_before(first, result);
    result.counts.status = first.reached ? AttackStatus::skipped : AttackStatus::failed;
    if (first.reached || words.empty()) return;
    Attempt<Attack, V> attempt(*this, victim, queries, words, result.label, std::move(first));
    const auto tell = [&] { tell_result(attempt, result); };
    try {
      search(attempt);
    } catch (const detail::BudgetReached&) {
      tell();
      throw;
    }
    tell();
  }

  /// Errors: ShapeError for fewer than two classes and a label that is none of them.
  template <class Queries>
  AttackAnswer first_answer(Queries& queries, const AttackResult& result) const {
    if (result.label < 0) raise<ShapeError>("Attack: an example without label given");
    auto probabilities = std::move(queries(1, [&](index_t) { return result.original; }).front());
    if (std::ssize(probabilities.judged) < 2 || result.label >= std::ssize(probabilities.judged))
      raise<ShapeError>("Attack: {} classes of the victim and label {} given, at least two and one of them expected",
                        probabilities.judged.size(), result.label);
    return judged(std::move(probabilities), result.label);
  }

  void tell_before(const AttackAnswer& first, AttackResult& result) const {
    result.before = first.probabilities.judged;
    result.guide_before = first.probabilities.guide;
    result.label_before = first.label;
    result.counts.right = first.label == result.label;
    tell_after(first, result);
  }
  void tell_after(const AttackAnswer& answer, AttackResult& result) const {
    result.after = answer.probabilities.judged;
    result.guide_after = answer.probabilities.guide;
    result.label_after = answer.label;
    result.counts.right_after = answer.label == result.label;
    result.score = 1 - goal.distance(answer.probabilities.judged, result.label);
  }

  template <class A>
  void tell_result(const A& attempt, AttackResult& result) const {
    const AttackAnswer& answer = attempt.answer();
    result.perturbed = join_words(attempt.current(), separator());
    tell_after(answer, result);
    index_t begin = 0;
    for (std::size_t i = 0; i < attempt.current().size(); ++i) {
      const auto &from = attempt.original()[i], &to = attempt.current()[i];
      if (from != to) result.changes.push_back({static_cast<index_t>(i), begin, from, to});
      begin += std::ssize(characters_of(from)) + std::ssize(separator());
    }
    result.counts.edits = edit_distance(result.original, result.perturbed);
    result.counts.changed = std::ssize(result.changes);
    result.counts.status = answer.reached ? AttackStatus::successful : AttackStatus::failed;
    if (answer.reached) result.counts.similarity = constraints.similarity(result.original, result.perturbed);
  }
};

template <class Goal, class ConstraintSet, class Transformation, class Search>
Attack(Goal, ConstraintSet, Transformation, Search) -> Attack<Goal, ConstraintSet, Transformation, Search>;
template <class Goal, class ConstraintSet, class Transformation, class Search>
Attack(Goal, ConstraintSet, Transformation, Search, AttackOptions)
    -> Attack<Goal, ConstraintSet, Transformation, Search>;

}  // namespace knnbert::inline v0_1
