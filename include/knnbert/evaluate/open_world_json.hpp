#pragma once
#include "knnbert/evaluate/open_world.hpp"
#include "knnbert/io/json.hpp"

namespace knnbert::inline v0_1 {

/// {"score", "threshold", "coverage", "held_out"}
inline OrderedJson to_json(const RejectionRule& rule) {
  return {{"score", name_of(rule.score)},
          {"threshold", detail::shortest_decimal(rule.threshold)},
          {"coverage", detail::shortest_decimal(rule.coverage)},
          {"held_out", rule.held_out}};
}

/// {"in_scope", "out_of_scope", "scores": {name: {"auroc", "accepted_out_of_scope"}}, "rule", "coverage",
/// "accepted_accuracy", "in_scope_accuracy", "recall", "precision", "f1"}: the last seven if the model has a rule, what
/// is undefined is null.
inline OrderedJson to_json(const OpenWorld& world) {
  const auto number = [](const Ratio& r) { return r.defined ? OrderedJson(r.value) : OrderedJson(nullptr); };
  OrderedJson out = {{"in_scope", world.in_scope}, {"out_of_scope", world.out_of_scope}};
  for (const ScoreSeparation& s : world.scores)
    out["scores"][std::string(name_of(s.score))] = {{"auroc", number(s.auroc)},
                                                    {"accepted_out_of_scope", number(s.accepted_out_of_scope)}};
  if (!world.rule) return out;
  const RejectionQuality& q = world.quality;
  out.update(OrderedJson{{"rule", to_json(*world.rule)},
                         {"coverage", number(q.coverage)},
                         {"accepted_accuracy", number(q.accepted_accuracy)},
                         {"in_scope_accuracy", number(q.in_scope_accuracy)},
                         {"recall", number(q.recall)},
                         {"precision", number(q.precision)},
                         {"f1", number(q.f1)}});
  return out;
}

}  // namespace knnbert::inline v0_1
