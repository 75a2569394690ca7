#include "augment.hpp"
#include "knnbert/attack/result_json.hpp"
#include "knnbert/io/json.hpp"
#include "options.hpp"
#include "pairs.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct PredictOptions {
  CommonOptions common;
  std::string model, input = "-", encoding = "utf8";
  index_t neighbors = 0;
  bool plain = false;
  PairOptions pairs;
  SmoothingOptions smoothing{.copies = 0};
  SubstituteFiles smoothing_files;
};

namespace {

/// A label of an example as its task sees it.
void put_label(const std::string& label, const TaskSettings& task, OrderedJson& json) {
  if (task.task == Task::multi_label) json["labels"] = names_in_set(label, task.separator);
  else if (task.task == Task::regression) json["value"] = number_in(label).value();
  else json["label"] = label;
}

/// The answer and what the predictors say.
OrderedJson answer(const Prediction& p) {
  if (p.value)
    return {{"value", detail::shortest_decimal(*p.value)},
            {"knn", detail::shortest_decimal(p.knn.front())},
            {"head", detail::shortest_decimal(p.head.front())},
            {"combined", detail::shortest_decimal(p.combined.front())}};
  const auto& names = *p.classes;
  return {{"knn", detail::class_probabilities(p.knn, names)},
          {"head", detail::class_probabilities(p.head, names)},
          {"combined", detail::class_probabilities(p.combined, names)}};
}

std::vector<std::string> names_of(const Prediction& p) {
  std::vector<std::string> names;
  for (const label_t label : p.labels) names.push_back((*p.classes)[static_cast<std::size_t>(label)]);
  return names;
}

OrderedJson describe(const std::string& text, const std::string& pair, const Prediction& p, const TaskSettings& task) {
  OrderedJson neighbors = OrderedJson::array();
  for (const Evidence& n : p.neighbors) {
    neighbors.push_back({{"id", n.id}});
    put_label(n.class_name, task, neighbors.back());
    neighbors.back().update(OrderedJson{{"similarity", detail::shortest_decimal(n.similarity)}, {"text", n.text}});
    if (!n.pair.empty()) neighbors.back()["pair"] = n.pair;
  }
  OrderedJson json{{"text", text}};
  if (!pair.empty()) json["pair"] = pair;
  if (task.task == Task::multi_label) json["labels"] = names_of(p);
  if (task.task == Task::single_label) {
    json["label"] = p.rejection ? OrderedJson(nullptr) : OrderedJson(p.class_name);
    if (const auto& r = p.rejection)
      json["rejected"] = {{"score", name_of(r->score)},
                          {"value", detail::shortest_decimal(r->value)},
                          {"threshold", detail::shortest_decimal(r->threshold)},
                          {"would_be", p.class_name}};
    json["probability"] = detail::shortest_decimal(p.probability);
  }
  json.update(answer(p));
  const auto edits = [](index_t m) { return m == Certificate::any_number ? OrderedJson(nullptr) : OrderedJson(m); };
  for (const auto& [name, m] : {std::pair("knn", p.certificate.knn), {"combined", p.certificate.combined}})
    if (m) json["certified_edits"][name] = edits(*m);
  json["neighbors"] = neighbors;
  return json;
}

/// For people: the answer and, below, the examples that support it.
std::string in_words(const std::string& text, const Prediction& p, Task task) {
  std::string answers;
  if (const auto& r = p.rejection)
    answers =
        format("rejected: {} {} > {}; would be ", name_of(r->score), two_digits(r->value), two_digits(r->threshold));
  if (task == Task::regression) answers = two_digits(*p.value);
  else if (task == Task::single_label) answers += printable(p.class_name) + " " + two_digits(p.probability);
  else
    for (const label_t label : p.labels)
      answers +=
          format("{}{} {}", answers.empty() ? "" : ", ", printable((*p.classes)[static_cast<std::size_t>(label)]),
                 two_digits(p.combined[static_cast<std::size_t>(label)]));
  std::string out = format("{}\n  {}\n", printable(text), answers.empty() ? "none" : answers);
  for (const Evidence& n : p.neighbors)
    out += format("    {}  {}: {}\n", two_digits(n.similarity), printable(n.class_name),
                  printable(both_texts(n.text, n.pair)));
  return out;
}

/// Puts the mean answers over copies of the texts in place of theirs, of which no certificate is true then. Neighbors
/// and rejection stay those of the texts themselves.
template <class S>
void smooth(const Classifier<S>& model, std::span<const std::string> texts, const TableSubstitutes& substitutes,
            const SmoothingOptions& options, std::vector<Prediction>& predictions) {
  const Distributions means = smoothed_distributions(model, texts, substitutes, options);
  const auto put = [&](const Matrix& answers, std::vector<float> Prediction::*member) {
    for (index_t i = 0; i < answers.rows(); ++i)
      (predictions[as_size(i)].*member).assign(answers.row(i).begin(), answers.row(i).end());
  };
  put(means.knn, &Prediction::knn), put(means.head, &Prediction::head), put(means.combined, &Prediction::combined);
  for (Prediction& p : predictions) {
    const auto best = std::max_element(p.combined.begin(), p.combined.end());
    p.label = static_cast<label_t>(best - p.combined.begin());
    p.class_name = (*p.classes)[static_cast<std::size_t>(p.label)];
    p.probability = *best;
    p.certificate = {};
  }
}

}  // namespace

template <class S>
void predict(const PredictOptions& o) {
  constexpr std::size_t group = 32;
  require_smooth_options(o.smoothing, o.smoothing_files);
  const SubstituteTables tables(o.smoothing_files);
  const bool paired = takes_pairs(o.pairs, o.model), smoothed = o.smoothing.copies > 0;
  LineSource lines(o.input, parse_encoding(o.encoding), paired);
  auto model = load_model<S>(o.model, o.common, Loading::predictions);
  set_vote(model, o.neighbors);
  if (smoothed && (paired || model.task().task != Task::single_label))
    raise<OptionError>("--smooth: a model with one text and one class expected");
  bool warned = false;
  for (std::vector<std::string> texts; lines.next_group(texts, group);) {
    const auto pairs = paired ? split_pairs(texts, lines.name(), warned) : std::vector<std::string>(texts.size());
    auto predictions = model.predict(texts, pairs);
    if (smoothed) smooth(model, texts, tables.substitutes(), o.smoothing, predictions);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (o.plain) print(in_words(both_texts(texts[i], pairs[i]), predictions[i], model.task().task));
      else print_json(describe(texts[i], pairs[i], predictions[i], model.task()));
    }
    flush_output();
  }
}

template void predict<ProgramStack>(const PredictOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT

void add_predict(CLI::App& app) {
  const auto o = std::make_shared<PredictOptions>();
  auto& verb = *app.add_subcommand(
      "predict", "classify texts, one a line, and show the examples that support each answer, as JSON lines");
  verb.add_option("--model", o->model, "model directory")->required();
  verb.add_option("--neighbors", o->neighbors, "neighbors that vote and are shown; 0: as the model says")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  add_input(verb, o->input, o->encoding);
  add_pairs(verb, o->pairs);
  add_smooth_options(verb, o->smoothing, o->smoothing_files);
  auto* const plain = verb.add_flag("--plain", o->plain, "print text for people instead of JSON");
  add_common(verb, o->common);
  plain->excludes(verb.get_option("--json"));
  verb.callback([o] { session_of(o->common).predict(*o); });
}
#endif

}  // namespace knnbert::cli
