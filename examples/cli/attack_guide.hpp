#pragma once
#include "attack_parts.hpp"

/// Who answers and who leads the search, as the options of `attack` say.
namespace knnbert::cli {

inline Predictor predictor_named(const std::string& name) {
  return name == "knn" ? Predictor::knn : name == "head" ? Predictor::head : Predictor::combined;
}

/// What leads the search, in a word.
inline std::string guide_name(const AttackVerbOptions& o) { return o.guide.empty() ? o.predictor : o.guide; }

inline AttackGuide guide_of(const AttackVerbOptions& o) {
  if (guide_name(o) == o.predictor || o.guide == "unsmoothed") return {};
  if (o.guide == "soft-knn") return o.soft_vote;
  return predictor_named(o.guide);
}

/// The same with its constants: the part of an attack that a guide is, or none.
inline std::vector<std::string> guide_descriptions(const AttackVerbOptions& o) {
  if (guide_name(o) == o.predictor) return {};
  std::string guide = guide_name(o);
  if (o.guide == "soft-knn")
    guide += format(" (softmax of similarity / {} over {} examples)", o.soft_vote.temperature,
                    o.soft_vote.neighbors > 0 ? format("{}", o.soft_vote.neighbors) : "all");
  return {format("led by {}, judged by {}", guide, o.predictor)};
}

}  // namespace knnbert::cli
