#include "knnbert/evaluate/certified.hpp"
#include "knnbert/evaluate/open_world.hpp"
#include "knnbert/evaluate/projection.hpp"
#include "knnbert/evaluate/report_curves.hpp"
#include "knnbert/io/jsonl.hpp"
#include "knnbert/text/tokenizer_directory.hpp"
#include "options.hpp"
#include "page.hpp"
#include "pairs.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct ReportOptions {
  CommonOptions common;
  DataOptions data;
  std::string model, file, output, title = "knnbert report";
  index_t examples = 12;
};

namespace {

std::vector<Curve> read_curves(const std::filesystem::path& path) {
  if (!committed_exists(path)) return {};
  std::vector<Json> rows;
  struct stat status;
  open_regular(path, status);
  std::string text = read_text(path);
  text.resize(text.rfind('\n') + 1);  // a training may be writing the last row
  for_each_json_line(text, path.string(), [&](const Json& row, index_t) {
    rows.push_back(row);
    return true;
  });
  return curves_from_rows(rows, {"best", "skipped"});
}

std::vector<std::pair<std::string, std::string>> read_settings(const std::filesystem::path& model) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const char* file : {"training.json", "knnbert.json"}) {
    if (!committed_exists(model / file)) continue;
    const Json json = detail::read_regular_json(model / file);
    for (const auto& [key, value] : json.items())
      if (!value.is_array() && !value.is_object())
        settings.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return settings;
}

void add_map(const Judged& judged, ReportData& report) {
  const Matrix& features = judged.answers.features;
  const PlaneProjection plane = fit_plane(features);
  const Matrix points = plane(features);
  const auto predicted = argmax_rows(judged.answers.distributions.combined);
  for (index_t i = 0; i < points.rows(); ++i)
    report.points.push_back({.x = points(i, 0),
                             .y = points(i, 1),
                             .label = judged.data.label(i),
                             .predicted = predicted[static_cast<std::size_t>(i)],
                             .text = both_texts(judged.data.text(i), judged.data.pair(i))});
  report.explained = plane.explained;
}

template <class S>
void add_certificates(const Classifier<S>& model, const Judged& judged, ReportData& report) {
  const auto certified = certified_accuracies(model, judged);
  if (!certified) return;
  for (const auto& [name, one] : {std::pair("knn", &certified->knn), {"combined", &certified->combined}}) {
    Curve curve{.panel = "certified accuracy", .name = name, .points = {}, .axis = "examples changed"};
    for (std::size_t m = 0; m < one->at.size(); ++m)
      curve.points.emplace_back(static_cast<double>(m), one->at[m].value);
    report.curves.push_back(std::move(curve));
  }
}

/// Examples with their neighbors: mistakes first, for they teach most.
template <class S>
void add_examples(const Classifier<S>& model, const Judged& judged, index_t count, ReportData& report) {
  const auto predicted = argmax_rows(judged.answers.distributions.combined);
  std::vector<index_t> order;
  for (const bool wrong : {true, false})
    for (index_t i = 0; i < judged.data.size(); ++i)
      if ((predicted[static_cast<std::size_t>(i)] != judged.data.label(i)) == wrong &&
          std::ssize(order) < (wrong ? count / 2 : count))
        order.push_back(i);
  for (const index_t i : order) {
    const Prediction p = model.predict(judged.data.text(i), judged.data.pair(i));
    ReportExample example{.text = both_texts(judged.data.text(i), judged.data.pair(i)),
                          .gold = judged.data.label(i),
                          .predicted = p.label,
                          .knn = p.knn,
                          .head = p.head,
                          .combined = p.combined,
                          .neighbors = {}};
    double votes = 0;
    for (const Evidence& n : p.neighbors) votes += model.voting().weight(n.similarity);
    for (const Evidence& n : p.neighbors)
      example.neighbors.push_back(
          {both_texts(n.text, n.pair), n.label, n.similarity, model.voting().weight(n.similarity) / votes});
    report.examples.push_back(std::move(example));
  }
}

/// What the model's threshold rejects, with the texts that lie farthest behind it.
template <class S>
void add_rejections(const Classifier<S>& model, const Judged& judged, index_t count, ReportData& report) {
  const auto rule = model.decision().rule(model.datastore().size());
  if (!rule) return;
  const RejectionQuality q =
      open_world(model, judged, model.answers(model.tokenize(std::vector<std::string>()))).quality;
  const auto share = [](Ratio r) { return r.defined ? two_digits(100 * r.value) + " %" : std::string("none"); };
  ReportTable table{
      "Rejected texts",
      format("Of texts whose score {} is above {} the model gives no answer. It answers {} of these texts, {} of them "
             "rightly; with that threshold {} % was promised, on {} held-out texts.",
             name_of(rule->score), two_digits(rule->threshold), share(q.coverage), share(q.accepted_accuracy),
             two_digits(100 * rule->coverage), rule->held_out),
      {"text", "class", "would be", "score"},
      {}};
  const auto scores = model.scope_scores(rule->score, judged.answers);
  const auto predicted = argmax_rows(judged.answers.distributions.combined);
  std::vector<index_t> order;
  for (index_t i = 0; i < judged.data.size(); ++i)
    if (rule->rejects(scores[as_size(i)])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](index_t a, index_t b) { return scores[as_size(a)] > scores[as_size(b)]; });
  if (std::ssize(order) > count) order.resize(as_size(count));
  const auto& classes = judged.data.classes();
  for (const index_t i : order)
    table.rows.push_back({both_texts(judged.data.text(i), judged.data.pair(i)), classes[as_size(judged.data.label(i))],
                          classes[as_size(predicted[as_size(i)])], two_digits(scores[as_size(i)])});
  report.tables.push_back(std::move(table));
}

}  // namespace

template <class S>
void report(const ReportOptions& o) {
  if (task_of(o.model).task != Task::single_label)
    raise<OptionError>("report: a model with one class a text expected; `eval` tells what the one in {} achieves",
                       o.model);
  const std::filesystem::path directory(o.model);
  const bool to_standard_output = o.output == "-";
  if (to_standard_output && o.common.json) raise<OptionError>("--json: given with --output -, which prints the page");
  const auto output = o.output.empty() ? directory / "report.html" : std::filesystem::path(o.output);
  const auto model = load_model<S>(o.model, o.common, Loading::predictions);
  if (!to_standard_output) require_writable(output);
  if (!o.file.empty() && !to_standard_output) require_other_file("--output", output.string(), o.file);
  if (!to_standard_output) require_no_file_of("--output", output, o.model);
  ReportData data;
  data.title = o.title;
  data.settings = read_settings(directory);
  data.curves = read_curves(directory / "metrics.jsonl");
  data.classes = *model.classes();
  if (!o.file.empty()) {
    const Dataset given = read_data(o.file, dataset_options(o.data));
    warn_of_other_pairs(given, o.file, directory);
    const Judged judged = judge(model, given);
    data.evaluation = judged.evaluation;
    data.subtitle =
        format("{} examples of {}", judged.data.size(), std::filesystem::path(input_name(o.file)).filename().string());
    add_certificates(model, judged, data);
    add_map(judged, data);
    add_examples(model, judged, o.examples, data);
    add_rejections(model, judged, o.examples, data);
  }
  if (to_standard_output) return print(report_page(data));
  write_file_atomically(output, report_page(data));
  if (o.common.json) print_json({{"output", output.string()}});
  else print(output.string() + "\n");
}

template void report<ProgramStack>(const ReportOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT

void add_report(CLI::App& app) {
  const auto o = std::make_shared<ReportOptions>();
  auto& verb = *app.add_subcommand("report", "write one self-contained HTML page about a model");
  verb.add_option("--model", o->model, "model directory")->required();
  verb.add_option("--data", o->file, "labeled examples to evaluate and to draw");
  verb.add_option("--output", o->output,
                  "file to write, - for standard output; default: report.html in the model directory");
  verb.add_option("--title", o->title, "title of the page")->capture_default_str();
  verb.add_option("--examples", o->examples, "predictions to show with their neighbors")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  add_common(verb, o->common);
  add_data(verb, o->data);
  verb.callback([o] { session_of(o->common).report(*o); });
}
#endif

}  // namespace knnbert::cli
