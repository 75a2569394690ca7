#pragma once
#include "knnbert/evaluate/targets.hpp"
#include "knnbert/io/json.hpp"
#include "options.hpp"
#include "stack.hpp"

/// What `eval` says of models whose answers are sets of classes, or numbers.
namespace knnbert::cli {

/// Scores of the three predictors under their names, as text or JSON.
class ScoreTable {
 public:
  explicit ScoreTable(bool percent) : percent_(percent) {}

  /// score(answers, combined): of one predictor.
  template <class Score>
  void add(const std::string& name, const Distributions& d, Score&& score) {
    const double values[] = {score(d.knn, false), score(d.head, false), score(d.combined, true)};
    json[name] = {{"knn", values[0]}, {"head", values[1]}, {"combined", values[2]}};
    std::string title = name;
    std::replace(title.begin(), title.end(), '_', ' ');
    char line[96];
    const int factor = percent_ ? 100 : 1, digits = percent_ ? 2 : 4;
    std::snprintf(line, sizeof line, "%-16s %7.*f %7.*f %9.*f\n", title.c_str(), digits, factor * values[0], digits,
                  factor * values[1], digits, factor * values[2]);
    text += line;
  }

  OrderedJson json = OrderedJson::object();
  std::string text = "                     knn    head  combined\n";

 private:
  bool percent_;
};

/// Neighbors and head alone are measured at thresholds of 0.5, the combined answer at the model's.
inline void print_multi_label(const Distributions& d, ConstView gold, const TaskSettings& task,
                              const std::vector<std::string>& classes, bool as_json) {
  std::vector<float> own;
  const std::vector<float> halves(classes.size(), 0.5f);
  for (std::size_t c = 0; c < classes.size(); ++c) own.push_back(task.threshold(c));
  ScoreTable table(true);
  const auto scores = [&](const Matrix& answers, bool combined) {
    return multi_label_scores(gold, answers, combined ? own : halves);
  };
  table.add("micro_f1", d, [&](const Matrix& m, bool c) { return scores(m, c).micro_f1.value; });
  table.add("macro_f1", d, [&](const Matrix& m, bool c) { return scores(m, c).macro_f1.value; });
  table.add("subset_accuracy", d, [&](const Matrix& m, bool c) { return scores(m, c).subset_accuracy.value; });
  OrderedJson rows = OrderedJson::array();
  table.text += "\nper class (combined)    precision  recall      F1  examples  threshold\n";
  const auto per_class = scores(d.combined, true).per_class;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const ClassScores& s = per_class[c];
    rows.push_back({{"class", classes[c]},
                    {"threshold", detail::shortest_decimal(own[c])},
                    {"precision", s.precision.value},
                    {"recall", s.recall.value},
                    {"f1", s.f1.value},
                    {"support", s.support},
                    {"predicted", s.predicted}});
    char line[64];
    std::snprintf(line, sizeof line, "%11.2f%8.2f%8.2f%10td%11.3f\n", 100 * s.precision.value, 100 * s.recall.value,
                  100 * s.f1.value, s.support, static_cast<double>(own[c]));
    const std::string name = printable(classes[c]);
    table.text += padded(name, 22) + line;
  }
  OrderedJson json{{"n", gold.rows()}, {"task", "multi-label"}};
  json.update(table.json);
  json["per_class"] = rows;
  if (as_json) print_json(json);
  else print(format("{} examples, {} classes\n\n", gold.rows(), classes.size()) + table.text);
}

inline void print_regression(const Distributions& d, ConstView gold, bool as_json) {
  ScoreTable table(false);
  const auto add = [&](const char* name, auto pick) {
    table.add(name, d, [&](const Matrix& m, bool) { return pick(regression_scores(gold, m)); });
  };
  add("pearson", [](const RegressionScores& s) { return s.pearson.value; });
  add("spearman", [](const RegressionScores& s) { return s.spearman.value; });
  add("rmse", [](const RegressionScores& s) { return s.root_mean_square_error; });
  OrderedJson json{{"n", gold.rows()}, {"task", "regression"}};
  json.update(table.json);
  if (as_json) print_json(json);
  else print(format("{} examples\n\n", gold.rows()) + table.text);
}

template <class S>
void eval_targets(const Classifier<S>& model, const Dataset& data, bool as_json) {
  const TaskSettings& task = model.task();
  const auto outputs = model.outputs();
  const Matrix gold = gold_outputs(data, task.task, task.separator, *outputs);
  if (gold.rows() == 0) raise<FormatError>("no labeled examples to evaluate");
  const Distributions found = model.distributions(model.tokenize(data.texts(), data.pairs()));
  if (task.task == Task::regression) print_regression(found, gold, as_json);
  else print_multi_label(found, gold, task, *outputs, as_json);
}

}  // namespace knnbert::cli
