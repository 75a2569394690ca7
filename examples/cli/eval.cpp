#include <algorithm>
#include <set>

#include "eval_poison.hpp"
#include "eval_targets.hpp"
#include "knnbert/evaluate/certified.hpp"
#include "knnbert/evaluate/ensemble.hpp"
#include "knnbert/evaluate/evaluation_json.hpp"
#include "knnbert/evaluate/open_world_json.hpp"
#include "pairs.hpp"

namespace knnbert::cli {

namespace {

/// As much of the beginning and of the end as `columns` hold, with an ellipsis between them.
std::string shorten(const std::string& name, std::size_t columns) {
  const std::size_t tail = columns / 2 - 1, head = columns - 1 - tail;
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < name.size(); ++i)
    if (!unicode::is_continuation(name[i])) starts.push_back(i);
  const std::string_view text = name;
  const auto fits = [&](std::size_t start) { return columns_of(text.substr(0, start)) <= head; };
  const auto ends = [&](std::size_t start) { return columns_of(text.substr(start)) <= tail; };
  const auto first = std::ranges::find_if_not(starts, fits) - 1;
  return name.substr(0, *first) + "\u2026" + name.substr(*std::ranges::find_if(starts, ends));
}

/// Names of one width: long ones cut in the middle, unless that makes two of them equal.
std::vector<std::string> table_names(const std::vector<std::string>& classes) {
  constexpr std::size_t usual = 22;
  std::vector<std::string> names, cut;
  for (const auto& name : classes) {
    names.push_back(printable(name));
    cut.push_back(columns_of(names.back()) <= usual ? names.back() : shorten(names.back(), usual));
  }
  if (std::set<std::string>(cut.begin(), cut.end()).size() == std::set<std::string>(names.begin(), names.end()).size())
    names = cut;
  std::size_t width = usual;
  for (const auto& name : names) width = std::max(width, columns_of(name));
  for (auto& name : names) name = padded(std::move(name), width);
  return names;
}

std::string table(const Evaluation& e) {
  std::string out = format("{} examples, {} classes\n\n              knn   head   combined\n", e.n, e.classes.size());
  const auto row = [&](const char* name, auto pick) {
    out += name + percent(pick(e.knn)) + " " + percent(pick(e.head)) + "     " + percent(pick(e.combined)) + "\n";
  };
  row("accuracy   ", [](const PredictorEvaluation& p) { return p.accuracy.value; });
  row("macro F1   ", [](const PredictorEvaluation& p) { return p.macro_f1.value; });
  row("MCC        ", [](const PredictorEvaluation& p) { return p.matthews.value; });
  if (e.positive >= 0)
    row("F1         ", [&](const PredictorEvaluation& p) { return f1(p.confusion, e.positive).value; });
  row("calib. err.", [](const PredictorEvaluation& p) { return p.calibration.expected_error.value; });
  const auto names = table_names(e.classes);
  if (e.positive >= 0)
    out += format("\nF1 is that of class {}\n", printable(e.classes[static_cast<std::size_t>(e.positive)]));
  out += "\nper class (combined)" + std::string(columns_of(names.front()) - 19, ' ') +
         "precision  recall      F1  examples\n";
  for (std::size_t c = 0; c < e.classes.size(); ++c) {
    const auto& s = e.combined.per_class[c];
    out += names[c] + "    " + percent(s.precision.value) + "  " + percent(s.recall.value) + "  " +
           percent(s.f1.value) + "  " + std::to_string(s.support) + "\n";
  }
  return out;
}

std::string table(const OpenWorld& w) {
  std::string out;
  if (w.rule) {
    const RejectionQuality& q = w.quality;
    out += format("\nrejected are texts with {} > {}, chosen on {} texts for a coverage of {}\n",
                  name_of(w.rule->score), w.rule->threshold, w.rule->held_out, w.rule->coverage);
    out += format("in scope     {} texts: accepted {}   accuracy of these {}   accepted and right {}\n", w.in_scope,
                  percent(q.coverage.value),
                  q.accepted_accuracy.defined ? percent(q.accepted_accuracy.value) : "undefined",
                  percent(q.in_scope_accuracy.value));
    if (w.out_of_scope > 0)
      out += format("out of scope {} texts: recall {}   precision {}   F1 {}\n", w.out_of_scope,
                    percent(q.recall.value), percent(q.precision.value), percent(q.f1.value));
  }
  if (!w.scores.empty()) out += "\nout-of-scope score   AUROC  accepted where 95 % in scope are\n";
  for (const ScoreSeparation& s : w.scores) {
    std::string name(name_of(s.score));
    name.resize(20, ' ');
    out += name + percent(s.auroc.value) + "  " + percent(s.accepted_out_of_scope.value) + "\n";
  }
  return out;
}

/// Calibration error of the combined distribution without the model's temperature.
template <class S>
double error_before(Classifier<S>& model, Distributions all, std::span<const label_t> gold) {
  const float temperature = std::exchange(model.decision().temperature, 1.0f);
  model.combine(all);
  model.decision().temperature = temperature;
  return measure_calibration(all.combined, gold).expected_error.value;
}

/// All models' answers, averaged, or the answers of their average.
template <class S>
Judged judge_all(const EvalOptions& o, const Dataset& data) {
  if (o.ensemble == "average") {
    auto model = load_one<S>(o, o.models.front(), Loading::complete);
    ModelAverage average(model);
    for (std::size_t i = 1; i < o.models.size(); ++i) average.add(load_one<S>(o, o.models[i], Loading::complete));
    average.finish();
    return judge(std::as_const(model), data);
  }
  std::vector<Classifier<S>> models;
  for (const auto& directory : o.models) models.push_back(load_one<S>(o, directory, Loading::predictions));
  std::vector<const Classifier<S>*> pointers;
  for (const auto& model : models) pointers.push_back(&model);
  return judge_together<S>(pointers, data);
}

/// Errors: OptionError for a class that the model does not have.
void name_positive(const EvalOptions& o, Evaluation& evaluation) {
  if (!o.positive.empty()) evaluation.positive = class_named(evaluation.classes, o.positive, "--positive");
}

OrderedJson to_json(const CertifiedAccuracies& all) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, one] : {std::pair("knn", &all.knn), {"combined", &all.combined}}) {
    OrderedJson at = OrderedJson::array();
    for (const Ratio r : one->at) at.push_back(r.value);
    json[name] = {{"at", at}, {"any_number", one->any_number.value}};
  }
  return json;
}

std::string table(const CertifiedAccuracies& all) {
  std::vector<std::size_t> shown;
  for (const std::size_t m : {0u, 1u, 2u, 3u, 5u, 8u, 12u, 20u, 30u})
    if (m < all.knn.at.size()) shown.push_back(m);
  std::string out = "\nright whatever so many examples of its classes are removed, added or altered\n         ";
  for (const std::size_t m : shown) out += format("{}{}", std::string(m < 10 ? 7 : 6, ' '), m);
  out += "     any";
  for (const auto& [name, one] : {std::pair("knn     ", &all.knn), {"combined", &all.combined}}) {
    out += format("\n{} ", name);
    for (const std::size_t m : shown) out += "  " + percent(one->at[m].value);
    out += "  " + percent(one->any_number.value);
  }
  return out + "\n";
}

/// One model that answers by the mean over copies of a text: what belongs to the text itself, as certificates and
/// rejection do, is not told.
template <class S>
void eval_smoothed(const EvalOptions& o, const Dataset& data) {
  const SubstituteTables tables(o.smoothing_files);
  const auto model = load_one<S>(o, o.models.front(), Loading::predictions);
  Judged judged = judge(model, data, [&](const Dataset& own) {
    Answers answers;
    answers.distributions = smoothed_distributions(model, own.texts(), tables.substitutes(), o.smoothing);
    return answers;
  });
  name_positive(o, judged.evaluation);
  if (o.common.json) print_json(to_json(judged.evaluation));
  else print(table(judged.evaluation));
}

/// Errors: OptionError for what --smooth does not go with.
void require_smoothing(const EvalOptions& o, const Dataset& data) {
  require_smooth_options(o.smoothing, o.smoothing_files);
  if (o.smoothing.copies == 0) return;
  if (o.models.size() > 1) raise<OptionError>("--smooth: {} models given, one expected", o.models.size());
  for (const auto& [name, given] :
       {std::pair("--out-of-scope-label", &o.out_of_scope), {"--triggers", &o.poison.triggers}})
    if (!given->empty()) raise<OptionError>("{}: given with --smooth, one of the two expected", name);
  if (task_of(o.models.front()).task != Task::single_label || data.has_pairs())
    raise<OptionError>("--smooth: a model with one text and one class expected");
}

/// One model, which may reject texts and meet others than its classes'.
template <class S>
void eval_one(const EvalOptions& o, const Dataset& data) {
  auto model = load_one<S>(o, o.models.front(), Loading::predictions);
  if (const auto known = model.classes(); std::ranges::find(*known, o.out_of_scope) != known->end())
    print_warning(format("--out-of-scope-label {}: a class of this model, which answers with it", o.out_of_scope));
  const auto [in_scope, others] = o.out_of_scope.empty() ? std::pair(data, Dataset()) : split_off(data, o.out_of_scope);
  Judged judged = judge(std::as_const(model), in_scope);
  name_positive(o, judged.evaluation);
  OrderedJson json = o.common.json ? to_json(judged.evaluation) : OrderedJson::object();
  std::string text = table(judged.evaluation);
  if (const float temperature = model.decision().temperature; temperature != 1) {
    const double before = error_before(model, judged.answers.distributions, judged.data.labels());
    json["temperature"] = {{"value", detail::shortest_decimal(temperature)}, {"calibration_error_before", before}};
    text += format("\ntemperature {}: calibration error of combined {} before, {} after\n", two_digits(temperature),
                   percent(before), percent(judged.evaluation.combined.calibration.expected_error.value));
  }
  if (const auto certified = certified_accuracies(std::as_const(model), judged)) {
    json["certified_accuracy"] = to_json(*certified);
    text += table(*certified);
  }
  if (model.decision().rule(model.datastore().size()) || others.size() > 0) {
    const OpenWorld world =
        open_world(std::as_const(model), judged, model.answers(model.tokenize(others.texts(), others.pairs())));
    json["rejection"] = to_json(world);
    text += table(world);
  }
  if (!o.poison.triggers.empty()) add_flip_rates<S>(o, model, in_scope, json, text);
  if (o.common.json) print_json(json);
  else print(text);
}

}  // namespace

template <class S>
void eval(const EvalOptions& o) {
  require_triggers(o);
  const Dataset data = read_data(o.file, dataset_options(o.data, o.models.front()));
  warn_of_other_pairs(data, o.file, o.models.front());
  if (!o.poison.clean_model.empty()) warn_of_other_pairs(data, o.file, o.poison.clean_model);
  require_smoothing(o, data);
  if (task_of(o.models.front()).task != Task::single_label) {
    if (o.models.size() > 1)
      raise<OptionError>("--model: {} given, one expected: an ensemble answers with one class a text", o.models.size());
    for (const auto& [name, given] : {std::pair("--out-of-scope-label", &o.out_of_scope),
                                      {"--triggers", &o.poison.triggers},
                                      {"--positive", &o.positive}})
      if (!given->empty())
        raise<OptionError>("{}: given with a model of sets or numbers, one of classes expected", name);
    return eval_targets(load_one<S>(o, o.models.front(), Loading::predictions), data, o.common.json);
  }
  if (o.smoothing.copies > 0) return eval_smoothed<S>(o, data);
  if (o.models.size() == 1) return eval_one<S>(o, data);
  if (!o.out_of_scope.empty())
    raise<OptionError>("--out-of-scope-label: given with {} models, one model expected", o.models.size());
  Judged judged = judge_all<S>(o, data);
  name_positive(o, judged.evaluation);
  if (o.common.json) print_json(to_json(judged.evaluation));
  else print(table(judged.evaluation));
}

template void eval<ProgramStack>(const EvalOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
void add_eval(CLI::App& app) {
  const auto o = std::make_shared<EvalOptions>();
  auto& verb = *app.add_subcommand("eval", "measure a model on labeled data: neighbors, head and both combined");
  verb.add_option("--model", o->models, "model directory; given several times, an ensemble")
      ->required()
      ->take_all()
      ->expected(1)
      ->allow_extra_args(false);
  verb.add_option("--ensemble", o->ensemble,
                  "of several models: the mean of their answers, or the answers of one with the mean of their "
                  "parameters, which makes sense for runs that began with the same parameters")
      ->capture_default_str()
      ->check(CLI::IsMember({"vote", "average"}));
  verb.add_option("--data", o->file, "labeled examples, - for standard input")->required();
  verb.add_option("--out-of-scope-label", o->out_of_scope,
                  "class of the data whose texts are out of scope, such as oos: how well they are told apart");
  verb.add_option("--neighbors", o->neighbors, "neighbors that vote; 0: as the model says")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--phi", o->phi, "weight of the vote; negative: as the model says")
      ->capture_default_str()
      ->check(CLI::Range(-1.0, 1.0));
  verb.add_option("--positive", o->positive, "the class whose F1 is told; default: of two classes the second one");
  add_poison_options(verb, o->poison);
  add_smooth_options(verb, o->smoothing, o->smoothing_files);
  verb.add_option("--seed", o->poison.seed, "of the places where triggers are inserted, and of what --strip mixes in")
      ->capture_default_str();
  add_common(verb, o->common);
  add_data(verb, o->data);
  verb.callback([o, &verb] {
    const auto& p = o->poison;
    for (const auto& [name, used, needed] : {std::tuple("--onion-scores", !p.onion.empty(), "--onion"),
                                             {"--onion-loss", !p.onion.empty(), "--onion"},
                                             {"--strip-rejections", p.strip, "--strip"}})
      if (!used && verb.get_option(name)->count() > 0)
        raise<OptionError>("{}: given without {}, without which it is not used", name, needed);
    session_of(o->common).eval(*o);
  });
}
#endif

}  // namespace knnbert::cli
