// The verbs that change a model's datastore without training: index, add, remove.
#include <set>

#include "knnbert/text/dataset_labels.hpp"
#include "knnbert/train/refit_head.hpp"
#include "options.hpp"
#include "pairs.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct StoreOptions {
  CommonOptions common;
  DataOptions data;
  std::string model, file, class_name, ids_file;
  bool given_class = false, refit_head = false;
  std::vector<example_id> ids;
  PairOptions pairs;
};

namespace {

/// Blank lines are no examples and no ids, as in labeled files.
std::vector<std::string> read_lines_of(const std::string& path, const DataOptions& data, bool pairs) {
  auto lines = LineSource(path, parse_encoding(data.encoding), pairs).rest();
  std::erase_if(lines, [](const std::string& line) { return detail::trim(line).empty(); });
  return lines;
}

constexpr std::string_view old_datastore = "the datastore as it was before";

/// Warns of classes that differ from the model's in what nobody sees. where: they come from.
template <class S>
void warn_of_spellings(const std::vector<std::string>& classes, const std::string& where, const Classifier<S>& model) {
  const TaskSettings& task = model.task();
  if (task.task == Task::regression) return;
  const auto names_of = [&](const std::vector<std::string>& labels) {
    if (task.task != Task::multi_label) return labels;
    std::set<std::string> names;
    for (const auto& set : labels)
      for (const auto& name : names_in_set(set, task.separator)) names.insert(name);
    return std::vector(names.begin(), names.end());
  };
  for (const auto& doubt : doubtful_spellings(names_of(classes), names_of(*model.classes())))
    print_warning(format("{}: {}", where, doubt));
}

}  // namespace

/// The class of --class as files of labels spell it.
std::string class_of(const StoreOptions& o, const std::vector<std::string>& known) {
  const std::string name(detail::trim(o.class_name)), plain = detail::canonical_label(name);
  if (std::find(known.begin(), known.end(), name) != known.end()) return name;
  return plain;
}

template <class S>
void index(const StoreOptions& o) {
  const Dataset data =
      read_data(o.file, dataset_options(o.data, o.model));  // may take long: before others have to wait
  warn_of_other_pairs(data, o.file, o.model);
  const DirectoryLock lock(o.model, DirectoryLock::Directory::expect);
  auto model = load_model<S>(o.model, o.common);
  model.index(data);
  if (o.refit_head) refit_head(model);
  model.save(lock);
  warn_of_calibration(model, old_datastore);
  if (o.common.json) print_json({{"examples", model.datastore().size()}});
  else print(format("{} examples\n", model.datastore().size()));
}

template <class S>
void add(const StoreOptions& o) {
  if (find_invalid_utf8(o.class_name) >= 0) raise<OptionError>("--class: malformed UTF-8 given");
  const bool one_class = o.given_class;
  if (one_class && detail::trim(o.class_name).empty())
    raise<OptionError>("--class: '{}' given, a name expected", o.class_name);
  std::vector<std::string> texts;
  Dataset data;
  if (!one_class) data = read_data(o.file, dataset_options(o.data, o.model));
  else texts = read_lines_of(o.file, o.data, takes_pairs(o.pairs, o.model));
  warn_of_other_pairs(data, o.file, o.model);
  const DirectoryLock lock(o.model, DirectoryLock::Directory::expect);
  auto model = load_to_change<S>(o.model, o.common);
  std::vector<example_id> ids;
  if (one_class) {
    bool warned = false;
    const auto pairs =
        takes_pairs(o.pairs, o.model) ? split_pairs(texts, input_name(o.file), warned) : std::vector<std::string>();
    const std::string name = class_of(o, *model.classes());
    warn_of_spellings({name}, "--class", model);
    ids = model.add(texts, name, pairs);
  } else {
    warn_of_spellings(data.classes(), o.file, model);
    ids = model.add(data);
  }
  if (o.refit_head) refit_head(model);
  if (!ids.empty() || o.refit_head) {
    model.save(lock);
    warn_of_calibration(model, old_datastore);
  }
  if (o.common.json) return print_json({{"ids", ids}});
  std::string out;
  for (const example_id id : ids) out += std::to_string(id) + "\n";
  print(out);
}

/// Classes that are in the list only because others follow them.
template <class S>
void warn_of_empty_classes(const Classifier<S>& model) {
  if (model.task().task != Task::single_label) return;
  const auto names = model.classes();
  std::vector<char> used(names->size(), 0);
  std::fill_n(used.begin(), model.network().classes(), 1);
  for (const label_t label : model.datastore().labels()) used[static_cast<std::size_t>(label)] = 1;
  if (const auto first = std::find(used.begin(), used.end(), 0); first != used.end())
    print_warning(format(
        "{} of the classes without an example that the head does not know, the first of them {}: before "
        "others in the list, with a probability of 0, until `index` forgets them",
        std::count(used.begin(), used.end(), 0), printable((*names)[static_cast<std::size_t>(first - used.begin())])));
}

template <class S>
void remove(const StoreOptions& o) {
  auto ids = o.ids;
  if (!o.ids_file.empty()) {
    const auto lines = LineSource(o.ids_file, parse_encoding(o.data.encoding)).rest();
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const auto line = detail::trim(lines[i]);
      if (line.empty()) continue;
      example_id id = 0;
      const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), id);
      if (error != std::errc() || end != line.data() + line.size())
        raise<FormatError>("{}:{}: '{}' given, an id expected", o.ids_file == "-" ? "standard input" : o.ids_file,
                           i + 1, line);
      ids.push_back(id);
    }
  }
  if (ids.empty()) raise<OptionError>("remove: no ids given, --id or --ids expected");
  const DirectoryLock lock(o.model, DirectoryLock::Directory::expect);
  auto model = load_to_change<S>(o.model, o.common);
  const auto there = model.datastore().ids();
  const std::set<example_id> known(there.begin(), there.end());
  std::vector<example_id> missing;
  std::copy_if(ids.begin(), ids.end(), std::back_inserter(missing), [&](example_id id) { return !known.contains(id); });
  const index_t removed = model.remove(ids);
  const auto forgotten = removed > 0 ? model.forget_classes() : std::vector<std::string>();
  if (o.refit_head) refit_head(model);
  if (removed > 0 || o.refit_head) {
    model.save(lock);
    warn_of_calibration(model, old_datastore);
    warn_of_empty_classes(model);
  }
  const index_t left = model.datastore().size();
  if (!missing.empty())
    print_warning(format("{} of the ids {} no example's, the first of them {}", missing.size(),
                         missing.size() == 1 ? "is" : "are", missing.front()));
  OrderedJson json{{"removed", removed}, {"left", left}, {"missing", missing}};
  if (!forgotten.empty()) json["forgotten_classes"] = forgotten;
  if (o.common.json) return print_json(json);
  std::string out = format("{} removed, {} left\n", removed, left);
  for (const auto& name : forgotten) out += format("class {} forgotten: no example is left\n", printable(name));
  print(out);
}

template void index<ProgramStack>(const StoreOptions&);
template void add<ProgramStack>(const StoreOptions&);
template void remove<ProgramStack>(const StoreOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
namespace {

CLI::App& declare(CLI::App& app, const std::shared_ptr<StoreOptions>& o, const std::string& name,
                  const std::string& what) {
  auto& verb = *app.add_subcommand(name, what);
  verb.add_option("--model", o->model, "model directory; changed in place")->required();
  verb.add_flag(
      "--refit-head", o->refit_head,
      "then fit the head to the examples of the datastore, so that it knows added classes and forgets what was "
      "removed; the encoder stays as it is");
  add_common(verb, o->common);
  return verb;
}

}  // namespace

void add_index(CLI::App& app) {
  const auto o = std::make_shared<StoreOptions>();
  auto& verb = declare(app, o, "index", "rebuild a model's datastore from labeled data");
  verb.add_option("--data", o->file, "labeled examples, - for standard input")->required();
  add_data(verb, o->data);
  verb.callback([o] { session_of(o->common).index(*o); });
}

void add_add(CLI::App& app) {
  const auto o = std::make_shared<StoreOptions>();
  auto& verb = declare(app, o, "add", "add examples, also of classes the model has never seen, and print their ids");
  verb.add_option("--data", o->file, "labeled examples, or texts, one a line, with --class; - for standard input")
      ->required();
  verb.add_option("--class", o->class_name, "class of all texts; the file then holds texts only")
      ->each([o](const std::string&) { o->given_class = true; });
  add_pairs(verb, o->pairs);
  add_data(verb, o->data);
  verb.callback([o, &verb] {
    const auto refuse = [&](const std::string& name, const char* why) {
      if (verb.get_option(name)->count() > 0) raise<OptionError>("{}: given {}", name, why);
    };
    for (const char* name :
         {"--format", "--text-column", "--pair-column", "--label-column", "--header", "--split", "--quotes"})
      if (o->given_class) refuse(name, "with --class, which takes lines of text");
    for (const char* name : {"--pairs", "--no-pairs"})
      if (!o->given_class) refuse(name, "without --class: --pair-column says where tables have second texts");
    session_of(o->common).add(*o);
  });
}

void add_remove(CLI::App& app) {
  const auto o = std::make_shared<StoreOptions>();
  auto& verb = declare(app, o, "remove", "remove examples by id");
  verb.add_option("--id", o->ids, "ids");
  verb.add_option("--ids", o->ids_file, "file of ids, one a line, - for standard input");
  add_encoding(verb, o->data.encoding);
  verb.callback([o] { session_of(o->common).remove(*o); });
}
#endif

}  // namespace knnbert::cli
