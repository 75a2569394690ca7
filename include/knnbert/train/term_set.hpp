#pragma once
#include <tuple>

#include "knnbert/io/archive.hpp"
#include "knnbert/term/context.hpp"
#include "knnbert/train/report.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

struct IdentitySink {
  void operator()(std::string_view, const auto&) const {}
};

/// Whether those members of a term that a run looks for can be called as it does.
template <class T>
concept has_callable_members =
    (
        !requires(T & t) { t.identity(IdentitySink()); } || requires(const T& t) { t.identity(IdentitySink()); }) &&
    (
        !requires(T & t) { t.values_to_evaluate(); } || requires(const T& t) { t.values_to_evaluate(); }) &&
    (
        requires(T & t, StateWriter& to) { t.archive(to); } == requires(T & t, StateReader& from) { t.archive(from); });

}  // namespace detail

/// The terms of a training, each with its state, called in the order in which they were given.
template <class... Terms>
class TermSet {
  /// That certainly speaks: an optional one may be absent.
  template <class T>
  static constexpr bool has_values = requires(const T& term) {
    term.values_to_evaluate();
  };

 public:
  static_assert((index_t{has_values<Terms>} + ... + 0) <= 1,
                "at most one term of a trainer may have values_to_evaluate()");
  /// Whether a term compares examples.
  bool whole_batch() {
    bool compares = false;
    each([&](auto& term) { compares = compares || WholeBatchTerm<decltype(term)>; });
    return compares;
  }

  explicit TermSet(Terms... terms) : terms_(std::move(terms)...) {}

  std::tuple<Terms...>& all() { return terms_; }

  /// f(term) for all that are there.
  template <class F>
  void each(F&& f) {
    std::apply([&](auto&... term) { (detail::if_present(term, f), ...); }, terms_);
  }

  /// What a term has in place of the model's values for dev data, datastore and saved model; null: nothing.
  /// Errors: OptionError if several have such values.
  const ParameterBlock* values_to_evaluate() const {
    const ParameterBlock* values = nullptr;
    const auto look = [&](const auto& term) {
      if constexpr (has_values<std::remove_cvref_t<decltype(term)>>) {
        const ParameterBlock* own = term.values_to_evaluate();
        if (own && values) raise<OptionError>("{}: values to evaluate given, but another term has some", term.name);
        if (own) values = own;
      }
    };
    std::apply([&](const auto&... term) { (detail::if_present(term, look), ...); }, terms_);
    return values;
  }

  /// Lets the terms add their gradients for a part of a step. Their values go to the report: those of the parts of a
  /// step add up, each being its share of a mean.
  template <class Context>
  void add(Context& context, StepReport& report) {
    const bool first = report.terms.empty();
    std::size_t i = 0;
    each([&](auto& term) {
      TermValue value;
      if (!context.examples.empty() || WholeBatchTerm<decltype(term)>)
        report.time("loss", term.name, [&] { value = term.add(context); });
      if (first) report.terms.emplace_back(term.name, std::nullopt);
      auto& total = report.terms[i++].second;
      if (!value) return;
      if (total) *total += *value;
      else total = value;
      report.loss += *value;
    });
  }

 private:
  std::tuple<Terms...> terms_;
};

}  // namespace knnbert::inline v0_1
