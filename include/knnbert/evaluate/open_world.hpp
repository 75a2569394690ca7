#pragma once
#include "knnbert/evaluate/judge.hpp"
#include "knnbert/evaluate/rejection.hpp"

namespace knnbert::inline v0_1 {

/// How well a score tells texts out of scope from those in scope.
struct ScoreSeparation {
  ScopeScore score;
  Ratio auroc;
  Ratio accepted_out_of_scope;  ///< where 95 % of the texts in scope are accepted
};

/// What a rule rejects and accepts of texts in scope and of others.
struct RejectionQuality {
  Ratio coverage;               ///< share of texts in scope that are accepted
  Ratio accepted_accuracy;      ///< share of right labels among these
  Ratio in_scope_accuracy;      ///< share of texts in scope that are accepted and have the right label
  Ratio recall, precision, f1;  ///< of rejecting texts out of scope
};

/// Separation by the scores of texts in scope and of others.
inline ScoreSeparation separation(ScopeScore score, std::span<const float> in_scope,
                                  std::span<const float> out_of_scope) {
  return {score, auroc(in_scope, out_of_scope), accepted_out_of_scope(in_scope, out_of_scope)};
}

/// Shapes: scores and right of texts in scope [N], scores of others [M].  Errors: ShapeError.
inline RejectionQuality measure_rejection(const RejectionRule& rule, std::span<const float> in_scope,
                                          const std::vector<bool>& right, std::span<const float> out_of_scope) {
  if (in_scope.size() != right.size())
    raise<ShapeError>("measure_rejection: {} scores but {} answers", in_scope.size(), right.size());
  double accepted = 0, accepted_right = 0, found = 0;
  for (std::size_t i = 0; i < in_scope.size(); ++i)
    if (!rule.rejects(in_scope[i])) ++accepted, accepted_right += right[i];
  for (const float score : out_of_scope) found += rule.rejects(score);
  const auto n = static_cast<double>(in_scope.size()), m = static_cast<double>(out_of_scope.size());
  const double rejected = found + n - accepted;
  return {.coverage = ratio(accepted, n),
          .accepted_accuracy = ratio(accepted_right, accepted),
          .in_scope_accuracy = ratio(accepted_right, n),
          .recall = ratio(found, m),
          .precision = m > 0 ? ratio(found, rejected) : Ratio{},
          .f1 = m > 0 ? ratio(2 * found, m + rejected) : Ratio{}};
}

/// A model on texts in scope and on others.
struct OpenWorld {
  index_t in_scope = 0, out_of_scope = 0;
  std::vector<ScoreSeparation> scores = {};  ///< of all scores that the model has; none without texts out of scope
  std::optional<RejectionRule> rule = {};    ///< the model's, see Decision::rule
  RejectionQuality quality = {};             ///< if there is a rule
};

/// Errors: as Classifier::scope_scores.
template <class Stack>
OpenWorld open_world(const Classifier<Stack>& model, const Judged& in_scope, const Answers& out_of_scope) {
  OpenWorld result{.in_scope = in_scope.data.size(), .out_of_scope = out_of_scope.features.rows()};
  if (result.out_of_scope > 0)
    for (const auto& [score, name] : scope_score_names)
      if (score != ScopeScore::energy || model.head_trained())
        result.scores.push_back(
            separation(score, model.scope_scores(score, in_scope.answers), model.scope_scores(score, out_of_scope)));
  result.rule = model.decision().rule(model.datastore().size());
  if (!result.rule) return result;
  const auto predicted = argmax_rows(in_scope.answers.distributions.combined);
  std::vector<bool> right;
  for (index_t i = 0; i < result.in_scope; ++i) right.push_back(predicted[as_size(i)] == in_scope.data.label(i));
  result.quality = measure_rejection(*result.rule, model.scope_scores(result.rule->score, in_scope.answers), right,
                                     model.scope_scores(result.rule->score, out_of_scope));
  return result;
}

/// The texts of other classes, and those of the class of that name, which no model needs to have.  Errors: OptionError
/// if the data have no such class.
inline std::pair<Dataset, Dataset> split_off(const Dataset& data, const std::string& class_name) {
  const auto found = std::find(data.classes().begin(), data.classes().end(), class_name);
  if (found == data.classes().end())
    raise<OptionError>("split_off: class '{}' given, one of the data's expected", class_name);
  const auto label = static_cast<label_t>(found - data.classes().begin());
  std::vector<index_t> others, own;
  for (index_t i = 0; i < data.size(); ++i) (data.label(i) == label ? own : others).push_back(i);
  return {data.select(others), data.select(own)};
}

}  // namespace knnbert::inline v0_1
