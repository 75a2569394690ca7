// knnbert audit: what the neighbors of labeled texts say of the data.
#include "knnbert/evaluate/audit.hpp"

#include "knnbert/model/classifier_files.hpp"
#include "knnbert/poison/suspicious_words.hpp"
#include "options.hpp"
#include "pairs.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct AuditVerbOptions {
  CommonOptions common;
  DataOptions data;
  std::string model, file, test;
  index_t shown = 10, max_length = 0;
  AuditOptions audit;
};

namespace {

/// A model directory, or an encoder's with heads that nobody will ask.
template <class S>
Classifier<S> model_or_encoder(const AuditVerbOptions& o, const std::vector<std::string>& classes) {
  if (committed_exists(std::filesystem::path(o.model) / "knnbert.json")) {
    if (o.max_length > 0) raise<OptionError>("--max-length: given with a model, which has its own");
    return load_model<S>(o.model, o.common, Loading::predictions);
  }
  require_length(o.max_length, o.model);
  return Classifier<S>(o.model, classes,
                       {.feature = Feature::embedding,
                        .max_length = o.max_length,
                        .threads = threads_of(o.common),
                        .precision = precision_of(o.common).value_or(Precision::fp32),
                        .device = o.common.device});
}

Dataset read_labeled(const std::string& path, const DataOptions& options) {
  Dataset data = read_data(path, dataset_options(options));
  for (index_t i = 0; i < data.size(); ++i)
    if (data.label(i) == no_label)
      raise<FormatError>("{}: a text without label given, labeled ones expected", data.location(i));
  return data;
}

/// Labels as positions in other names; no_label where a class is none of them.
std::vector<label_t> labels_among(const std::vector<std::string>& names, const Dataset& data) {
  std::vector<label_t> labels;
  for (const label_t label : data.labels()) {
    const auto found = std::find(names.begin(), names.end(), data.classes()[as_size(label)]);
    labels.push_back(found == names.end() ? no_label : static_cast<label_t>(found - names.begin()));
  }
  return labels;
}

OrderedJson place(const Dataset& data, index_t i) {
  OrderedJson json{{"place", data.location(i)}, {"text", data.text(i)}};
  if (!data.pair(i).empty()) json["pair"] = data.pair(i);
  return json;
}

struct AuditResult {
  const Dataset &data, &test;
  Audit found;
  std::vector<Audit::Pair> leaks;
  std::vector<SuspiciousWord> words;
};

OrderedJson as_json(const AuditResult& r) {
  const auto& classes = r.data.classes();
  OrderedJson errors = OrderedJson::array(), pairs = OrderedJson::array(), outliers = OrderedJson::array(),
              leaks = OrderedJson::array(), words = OrderedJson::array();
  for (const auto& e : r.found.label_errors) {
    errors.push_back(place(r.data, e.example));
    errors.back().update(OrderedJson{{"label", classes[as_size(e.given)]},
                                     {"suggested", classes[as_size(e.suggested)]},
                                     {"support", e.self_confidence}});
  }
  const auto pair = [&](const Audit::Pair& p, const Dataset& other, OrderedJson& to) {
    to.push_back(OrderedJson{{"similarity", p.similarity},
                             {"same_label", p.same_label},
                             {"first", place(r.data, p.example)},
                             {"second", place(other, p.other)}});
  };
  for (const auto& p : r.found.near_duplicates) pair(p, r.data, pairs);
  for (const auto& p : r.leaks) pair(p, r.test, leaks);
  for (const auto& e : r.found.outliers) {
    outliers.push_back(place(r.data, e.example));
    outliers.back()["distance"] = e.distance;
  }
  for (const auto& w : r.words) {
    words.push_back({{"word", w.word},
                     {"label", classes[as_size(w.label)]},
                     {"contradicted", w.contradicted},
                     {"expected", w.expected},
                     {"evidence", w.evidence},
                     {"texts", OrderedJson::array()}});
    for (const index_t i : w.texts) words.back()["texts"].push_back(place(r.data, i));
  }
  OrderedJson json{{"n", r.data.size()},
                   {"label_errors", errors},
                   {"near_duplicates", pairs},
                   {"outliers", outliers},
                   {"suspicious_words", words},
                   {"duplicate_distance", r.found.duplicate_distance},
                   {"outlier_distance", r.found.outlier_distance}};
  if (r.test.size() > 0) json["leaks"] = leaks;
  return json;
}

std::string in_words(const AuditResult& r, index_t shown) {
  const auto& classes = r.data.classes();
  const auto line = [](const Dataset& data, index_t i) {
    return data.location(i) + ": " + printable(both_texts(data.text(i), data.pair(i)));
  };
  std::string out;
  const auto list = [&](std::size_t count, const std::string& title, auto&& entry) {
    out += format("{} {}\n", count, title);
    for (std::size_t k = 0; k < std::min(count, as_size(shown)); ++k) out += "  " + entry(k) + "\n";
    if (count > as_size(shown)) out += format("  … and {} more (--shown, --json)\n", count - as_size(shown));
  };
  const auto pair = [&](const Audit::Pair& p, const Dataset& other) {
    return format("{}  {}\n        {}{}", two_digits(p.similarity), line(r.data, p.example), line(other, p.other),
                  p.same_label ? "" : "  (another label)");
  };
  list(r.found.label_errors.size(), format("of {} labels that the neighbors contradict", r.data.size()),
       [&](std::size_t k) {
         const auto& e = r.found.label_errors[k];
         return format("{} -> {}  {}", printable(classes[as_size(e.given)]), printable(classes[as_size(e.suggested)]),
                       line(r.data, e.example));
       });
  list(r.found.near_duplicates.size(), "pairs of near-duplicates, of each text's nearest ones",
       [&](std::size_t k) { return pair(r.found.near_duplicates[k], r.data); });
  list(r.found.outliers.size(), "texts far from all others",
       [&](std::size_t k) { return line(r.data, r.found.outliers[k].example); });
  list(r.words.size(), "words that may have been planted with a label", [&](std::size_t k) {
    const auto& w = r.words[k];
    return format("{}  {} texts of {}; without it neighbors contradict {} % of them, and {} % of all of {}",
                  printable(w.word), w.texts.size(), printable(classes[as_size(w.label)]),
                  std::lround(100 * w.contradicted), std::lround(100 * w.expected),
                  printable(classes[as_size(w.label)]));
  });
  if (r.test.size() > 0)
    list(r.leaks.size(), format("of {} test texts that a training text gives away", r.test.size()),
         [&](std::size_t k) { return pair(r.leaks[k], r.test); });
  return out;
}

}  // namespace

template <class S>
void audit(const AuditVerbOptions& o) {
  if (committed_exists(std::filesystem::path(o.model) / "knnbert.json") && task_of(o.model).task != Task::single_label)
    raise<OptionError>("--model: {} answers with sets or numbers, a model with one class a text or an encoder expected",
                       o.model);
  const Dataset data = read_labeled(o.file, o.data);
  const Dataset test = o.test.empty() ? Dataset() : read_labeled(o.test, o.data);
  warn_of_other_pairs(data, o.file, o.model);
  warn_of_other_pairs(test, o.test, data.has_pairs(), "those of --data");
  const auto model = model_or_encoder<S>(o, data.classes());
  const auto features = [&](const Dataset& of) { return model.features(model.tokenize(of.texts(), of.pairs())); };
  const Matrix keys = features(data);
  FlatDatastore<typename Classifier<S>::metric_type> store(keys.cols());
  store.add(keys, data.labels());
  AuditResult result{
      .data = data,
      .test = test,
      .found = knnbert::audit(store, keys, data.labels(), std::ssize(data.classes()), o.audit),
      .leaks = {},
      .words = suspicious_words<typename Classifier<S>::metric_type>(
          data, keys,
          [&](const auto& texts, const auto& pairs) { return model.features(model.tokenize(texts, pairs)); },
          {.neighbors = o.audit.neighbors, .temperature = o.audit.temperature})};
  if (test.size() > 0)
    result.leaks =
        leaks(store, features(test), labels_among(data.classes(), test), result.found.duplicate_distance, o.audit);
  if (o.common.json) print_json(as_json(result));
  else print(in_words(result, o.shown));
}

template void audit<ProgramStack>(const AuditVerbOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
void add_audit(CLI::App& app) {
  const auto o = std::make_shared<AuditVerbOptions>();
  auto& verb = *app.add_subcommand(
      "audit",
      "find wrong labels, near-duplicates, outliers, planted words and leaks from the neighbors of labeled texts");
  verb.add_option(
          "--model", o->model,
          "directory of an encoder, or of a model that has not been trained on these texts: one that has agrees "
          "with their labels")
      ->required();
  verb.add_option("--data", o->file, "labeled texts, - for standard input")->required();
  verb.add_option("--test", o->test, "labeled texts of a test: which of them a text of --data gives away");
  verb.add_option("--neighbors", o->audit.neighbors, "neighbors that judge a text")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--near-duplicate", o->audit.near_duplicate,
                  "distance of near-duplicates, as a share of the median distance of neighbors")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--outlier", o->audit.outlier,
                  "how far outliers are from their neighbors, in standard deviations above the median")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--shown", o->shown, "entries of each list to print; --json has all")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 28));
  verb.add_option("--max-length", o->max_length,
                  "tokens of a text, special tokens included; default: as the directory says")
      ->check(CLI::Range(3, 1 << 20));
  add_common(verb, o->common);
  add_data(verb, o->data);
  verb.callback([o] { session_of(o->common).audit(*o); });
}
#endif

}  // namespace knnbert::cli
