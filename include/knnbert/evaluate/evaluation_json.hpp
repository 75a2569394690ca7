#pragma once
#include <string_view>

#include "knnbert/evaluate/evaluation.hpp"
#include "knnbert/io/json_value.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// {"knn": of(knn), "head": of(head), "combined": of(combined)}
template <class Part>
OrderedJson by_predictor(const Evaluation& evaluation, Part&& of) {
  OrderedJson out = OrderedJson::object();
  evaluation.each([&](std::string_view name, const PredictorEvaluation& p) { out[std::string(name)] = of(p); });
  return out;
}

inline OrderedJson class_rows(const Evaluation& evaluation, const PredictorEvaluation& predictor) {
  OrderedJson rows = OrderedJson::array();
  for (std::size_t c = 0; c < predictor.per_class.size(); ++c) {
    const ClassScores& s = predictor.per_class[c];
    OrderedJson row = {{"class", evaluation.classes[c]}, {"precision", s.precision.value},
                       {"recall", s.recall.value},       {"f1", s.f1.value},
                       {"support", s.support},           {"predicted", s.predicted}};
    for (const auto& [name, value] : {std::pair{"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}})
      if (!value.defined) row["undefined"].push_back(name);
    rows.push_back(std::move(row));
  }
  return rows;
}

inline OrderedJson count_rows(const ConfusionMatrix& counts) {
  OrderedJson rows = OrderedJson::array();
  for (index_t gold = 0; gold < counts.classes(); ++gold) {
    OrderedJson row = OrderedJson::array();
    for (index_t predicted = 0; predicted < counts.classes(); ++predicted) row.push_back(counts(gold, predicted));
    rows.push_back(std::move(row));
  }
  return rows;
}

/// [gold, predicted, count] of the counts that are not 0.
inline OrderedJson count_cells(const ConfusionMatrix& counts) {
  OrderedJson cells = OrderedJson::array();
  for (const auto& [labels, count] : counts.cells())
    cells.push_back(OrderedJson::array({labels.first, labels.second, count}));
  return cells;
}

inline OrderedJson calibration_json(const Calibration& calibration) {
  OrderedJson bins = OrderedJson::array();
  for (const auto& bin : calibration.bins)
    bins.push_back({{"lower", bin.lower},
                    {"upper", bin.upper},
                    {"count", bin.count},
                    {"confidence", bin.confidence},
                    {"accuracy", bin.accuracy}});
  return {{"expected_calibration_error", calibration.expected_error.value},
          {"brier", calibration.brier.value},
          {"negative_log_likelihood", calibration.negative_log_likelihood.value},
          {"floored", calibration.floored},
          {"bins", std::move(bins)}};
}

}  // namespace detail

/// {"n", "accuracy": {"knn", "head", "combined"}, "macro_f1", "mcc", "f1" and "positive" where a class is the positive
/// one, "classes", "per_class", "confusion" [gold][predicted], "calibration"}, in this order. With more than `most`
/// classes "confusion_cells" stands in place of "confusion": [label of gold, of predicted, count] of the counts that
/// are not 0. A quotient 0/0 is 0 and is named in "undefined". Class names are copied as they are: print with json_line
/// unless they are known to be UTF-8.
inline OrderedJson to_json(const Evaluation& evaluation, index_t most = 1000) {
  OrderedJson out = {{"n", evaluation.n}};
  auto undefined = OrderedJson::array();
  const auto add = [&](const std::string& key, auto value_of) {
    out[key] = detail::by_predictor(evaluation, [&](const auto& p) { return value_of(p).value; });
    evaluation.each([&](std::string_view name, const auto& p) {
      if (!value_of(p).defined) undefined.push_back(format("{}.{}", key, name));
    });
  };
  add("accuracy", [](const auto& p) { return p.accuracy; });
  add("macro_f1", [](const auto& p) { return p.macro_f1; });
  add("mcc", [](const auto& p) { return p.matthews; });
  if (evaluation.positive >= 0) {
    add("f1", [&](const auto& p) { return f1(p.confusion, evaluation.positive); });
    out["positive"] = evaluation.classes[static_cast<std::size_t>(evaluation.positive)];
  }
  out["classes"] = evaluation.classes;
  out["per_class"] = detail::by_predictor(evaluation, [&](const auto& p) { return detail::class_rows(evaluation, p); });
  if (std::ssize(evaluation.classes) > most)
    out["confusion_cells"] =
        detail::by_predictor(evaluation, [](const auto& p) { return detail::count_cells(p.confusion); });
  else
    out["confusion"] = detail::by_predictor(evaluation, [](const auto& p) { return detail::count_rows(p.confusion); });
  out["calibration"] =
      detail::by_predictor(evaluation, [](const auto& p) { return detail::calibration_json(p.calibration); });
  if (!undefined.empty()) out["undefined"] = std::move(undefined);
  return out;
}

}  // namespace knnbert::inline v0_1
