#include "config.hpp"

#include <cstdio>

#include "config_lines.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/lines.hpp"
#include "output.hpp"

namespace knnbert::cli {

namespace {

std::string with_dashes(std::string_view name) {
  std::string dashed(name);
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  return dashed;
}

/// One value of a JSON file as it would be typed.
std::string typed(const Json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  raise<OptionError>("{}: a text, a number, true, false or a list of these expected", where);
}

/// A training.json has its options in an object of their own.
std::vector<ConfigLine> items_of_json(const std::string& text, const std::string& path) {
  const Json content = parse_json(text, path);
  if (!content.is_object()) raise<OptionError>("{}: an object of options expected", path);
  const Json& options = content.contains("options") ? content.at("options") : content;
  if (!options.is_object()) raise<OptionError>("{}: options: an object of options expected", path);
  std::vector<ConfigLine> items;
  for (const auto& [key, value] : options.items()) {
    if (value.is_null()) continue;
    ConfigLine item{.section = {}, .name = key, .values = {}};
    const std::string where = format("{}: {}", path, key);
    if (value.is_array())
      for (const Json& one : value) item.values.push_back(typed(one, where));
    else item.values.push_back(typed(value, where));
    items.push_back(std::move(item));
  }
  return items;
}

/// Errors: OptionError.
std::vector<ConfigLine> items_of(const std::string& path) {
  constexpr index_t largest = 1 << 24;
  try {
    const std::string text = read_text(path, {.max_bytes = largest});
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first != text.npos && (text[first] == '{' || (text[first] == '[' && Json::accept(text))))
      return items_of_json(text, path);
    return config_lines(text, path);
  } catch (const OptionError&) { throw; } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    raise<OptionError>("--config: {}{}", what.find(path) == what.npos ? path + ": " : "", what);
  }
}

/// Where the words of a command line begin that are no options, whatever they look like.
std::size_t end_of_options(const std::vector<std::string>& arguments) {
  return static_cast<std::size_t>(std::find(arguments.begin(), arguments.end(), "--") - arguments.begin());
}

/// The value of --config on a command line.
std::optional<std::string> config_path(const std::vector<std::string>& arguments) {
  const std::size_t end = end_of_options(arguments);
  for (std::size_t i = 0; i < end; ++i) {
    if (arguments[i] == "--config" && i + 1 < end) return arguments[i + 1];
    if (arguments[i].starts_with("--config=")) return arguments[i].substr(std::string_view("--config=").size());
  }
  return std::nullopt;
}

bool is_given(const std::vector<std::string>& arguments, const std::string& option) {
  return std::any_of(arguments.begin(), arguments.begin() + static_cast<index_t>(end_of_options(arguments)),
                     [&](const std::string& a) { return a == option || a.starts_with(option + "="); });
}

bool is_option(const std::string& word) { return word.size() > 1 && word.starts_with('-'); }

/// Whether a word of the command line is no option and no option's value.
bool has_bare_word(const std::vector<std::string>& arguments, const CLI::App& verb) {
  const std::size_t end = end_of_options(arguments);
  for (std::size_t i = 1; i < end; ++i) {
    if (!is_option(arguments[i])) return true;
    const CLI::Option* option = verb.get_option_no_throw(arguments[i]);
    for (int values = option ? option->get_items_expected_max() : 0; values > 0 && i + 1 < end; --values, ++i)
      if (is_option(arguments[i + 1])) break;
  }
  return end + 1 < arguments.size();
}

/// Whether the command line decides what an option of a file would: itself, by a bare word, or by one that excludes it.
bool is_decided(const std::vector<std::string>& arguments, const CLI::App& verb, const CLI::Option& option) {
  const auto given = [&](const CLI::Option& one) {
    const auto& names = one.get_lnames();
    return std::any_of(names.begin(), names.end(), [&](const auto& name) { return is_given(arguments, "--" + name); });
  };
  const auto& excluded = option.get_excludes();
  return given(option) || (option.get_positional() && has_bare_word(arguments, verb)) ||
         std::any_of(excluded.begin(), excluded.end(), [&](const CLI::Option* one) { return given(*one); });
}

const CLI::App* verb_named(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : app.get_subcommands({}))
    if (verb->get_name() == name) return verb;
  return nullptr;
}

/// The verb's option of that name, but not one that no file can set.  Errors: OptionError.
const CLI::Option& option_named(const CLI::App& verb, const std::string& key, const std::string& path) {
  const std::string name = with_dashes(key);
  const CLI::Option* option = name == "config" || name == "help" ? nullptr : verb.get_option_no_throw("--" + name);
  if (!option)
    raise<OptionError>("{}: '{}' given, an option of `knnbert {}` expected, see its --help", path, printable(key),
                       verb.get_name());
  return *option;
}

}  // namespace

std::vector<std::string> with_config(const CLI::App& app, std::vector<std::string> arguments) {
  const CLI::App* verb = arguments.empty() ? nullptr : verb_named(app, arguments.front());
  const auto path = config_path(arguments);
  if (!verb || !path) return arguments;
  std::vector<std::string> added;
  for (const ConfigLine& item : items_of(*path)) {
    if (!item.section.empty() && item.section != verb->get_name()) {
      if (verb_named(app, item.section)) continue;
      raise<OptionError>("{}: section [{}] given, that of a verb expected", *path, printable(item.section));
    }
    const CLI::Option& option = option_named(*verb, item.name, *path);
    if (is_decided(arguments, *verb, option)) continue;
    const bool flag = option.get_items_expected_max() == 0;
    for (const std::string& value : item.values)
      if (!value.empty() && !(flag && value == "false")) added.push_back("--" + with_dashes(item.name) + "=" + value);
  }
  auto all = arguments;
  all.insert(all.begin() + static_cast<index_t>(end_of_options(all)), added.begin(), added.end());
  return all;
}

std::string origin_of(const std::vector<std::string>& given, const std::vector<std::string>& all,
                      std::string_view message) {
  const std::size_t first = end_of_options(given);
  for (std::size_t i = first; i < first + all.size() - given.size(); ++i)
    if (message.find(all[i].substr(0, all[i].find('='))) != message.npos) return *config_path(given) + ": ";
  return {};
}

OrderedJson options_of(const CLI::App& verb) {
  OrderedJson options = OrderedJson::object();
  for (const CLI::Option* option : verb.get_options()) {
    const auto& names = option->get_lnames();
    if (names.empty()) continue;
    const std::string& name = names.front();
    if (name == "help" || name == "config" || name == "json" || name == "profile" || name == "resume") continue;
    const std::string type = option->get_type_name();
    const auto value = [&](const std::string& text) -> OrderedJson {
      const bool number = type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT");
      return number && OrderedJson::accept(text) ? OrderedJson::parse(text) : OrderedJson(repair_utf8(text));
    };
    if (option->get_items_expected_max() == 0) options[name] = option->count() > 0 && option->as<bool>();
    else if (option->count() > 1) {
      for (const auto& result : option->results()) options[name].push_back(repair_utf8(result));
    } else if (option->count() == 1) options[name] = value(option->results().front());
    else if (const std::string text = option->get_default_str(); !text.empty() && text != "recipe")
      options[name] = value(text);
  }
  return options;
}

namespace {

const CLI::App* program = nullptr;

/// Options whose names are not those of the members that they set.
constexpr std::pair<std::string_view, std::string_view> other_names[] = {
    {"QueueContrastive::weight", "--lambda"},
    {"QueueContrastive::capacity", "--queue-size"},
    {"ContrastOptions::most_similar", "--top-k"},
    {"ContrastOptions::least_similar", "--end-k"},
    {"ClassifierOptions::head_hidden_layer", "--head"},
    {"ClassifierOptions::projection_width", "--feature"},
    {"Classifier::set_neighbors", "--neighbors"},
    {"CrossEntropyLoss::label_smoothing", "--label-smoothing"},
    {"SoftmaxWeighted::temperature", "--voting-temperature"},
    {"TrainerOptions::clip_norm", "--clip"},
    {"TrainerOptions::updates_per_batch", "--proximal-steps"},
    {"Proximal::updates_per_batch", "--proximal-steps"},
    {"SupervisedContrast::weight", "--lambda"},
    {"ReadOptions::decompress", "--format"},
    {"MaskOptions::probability", "--mask-probability"},
    {"SmoothingOptions::words", "--smooth-words"},
    {"BertConfig::num_attention_heads", "--heads"},
    {"BertConfig::num_hidden_layers", "--layers"},
    {"BertConfig::hidden_size", "--hidden"},
};

/// Functions of the library that say what was wrong with the value of an option.
constexpr std::pair<std::string_view, std::string_view> functions[] = {
    {"parse_triggers: ", "--triggers: "},      {"split_off: ", "--out-of-scope-label: "},
    {"conformal_threshold: ", "--coverage: "}, {"ContrastOptions: ", "--top-k, --end-k: "},
    {"indicative_words: ", "--surgery: "},     {"require_distinct_tokens: ", "--triggers: "},
    {"masked_scores: ", "--learning-rate: "},  {"ClassBalancedQueue: ", "--queue-size: "},
    {"Masker: words", "--mask-unit: words"},   {"Stepper: ", ""},
};

/// What a verb can do about a failure, behind a message with some words.
struct Remedy {
  std::string_view verb, words, remedy;
};
constexpr Remedy remedies[] = {
    {"eval", "is not among the model's", "; --out-of-scope-label: what becomes of texts of another class"},
    {"index", "is not among the model's", "; `add` takes new ones"},
    {"train", "one label expected", "; --task multi-label takes lists"},
};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// The end of Type::member that begins at `begin`, or npos.
std::size_t end_of_member(std::string_view text, std::size_t begin) {
  if (!(text[begin] >= 'A' && text[begin] <= 'Z') ||
      (begin > 0 && (is_word(text[begin - 1]) || text[begin - 1] == ':')))
    return std::string_view::npos;
  std::size_t at = begin;
  while (at < text.size() && is_word(text[at])) ++at;
  if (text.substr(at, 2) != "::" || at + 2 == text.size() || !is_word(text[at + 2])) return std::string_view::npos;
  for (at += 2; at < text.size() && is_word(text[at]);) ++at;
  return at;
}

/// The end of what stands in quotes from `begin` on, such as a class, or begin: words of the user's.
std::size_t end_of_quoted(std::string_view text, std::size_t begin) {
  if (text[begin] != '\'' || (begin > 0 && is_word(text[begin - 1]))) return begin;
  for (auto end = text.find('\'', begin + 1); end != text.npos; end = text.find('\'', end + 1))
    if (end + 1 == text.size() || !is_word(text[end + 1])) return end + 1;
  return begin;
}

/// Whether the user typed these words, such as the name of a file.
bool is_typed(std::string_view words, const CLI::App* verb) {
  if (!verb) return false;
  const auto options = verb->get_options();
  return std::any_of(options.begin(), options.end(), [&](const CLI::Option* option) {
    const auto& values = option->results();
    return std::any_of(values.begin(), values.end(),
                       [&](const auto& value) { return value.find(words) != value.npos; });
  });
}

/// How a user of a verb calls a member; empty for what only programmers know.
std::string option_of(std::string_view member, const CLI::App* verb) {
  for (const auto& [known, option] : other_names)
    if (known == member) return std::string(option);
  const auto colons = member.find("::");
  const auto has = [&](const std::string& option) { return verb && verb->get_option_no_throw(option); };
  for (const auto& [type, term, prefix] : term_prefixes)
    if (std::string option = "--" + std::string(prefix) + with_dashes(member.substr(colons + 2));
        type == member.substr(0, colons) && has(option))
      return option;
  if (std::string option = "--" + with_dashes(member.substr(colons + 2)); has(option)) return option;
  std::string type(member.substr(0, colons));  // an enumerator: Pooling::pooler
  for (char& c : type) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
  if (has("--" + type)) return "--" + type + " " + std::string(member.substr(colons + 2));
  return {};
}

}  // namespace

void set_program(const CLI::App& app) { program = &app; }

std::string in_words_of_the_program(std::string_view message) {
  const auto verbs = program ? program->get_subcommands() : std::vector<CLI::App*>();
  const CLI::App* verb = verbs.empty() ? nullptr : verbs.front();
  std::string out;
  for (const auto& [function, option] : functions)
    if (message.starts_with(function)) out = option, message.remove_prefix(function.size());
  for (std::size_t at = 0; at < message.size();) {
    for (const auto end = end_of_quoted(message, at); at < end;) out += message[at++];
    if (at == message.size()) break;
    const auto end = end_of_member(message, at);
    if (end == std::string_view::npos || is_typed(message.substr(at, end - at), verb)) {
      out += message[at++];
      continue;
    }
    const std::string option = option_of(message.substr(at, end - at), verb);
    const bool is_function = message.substr(end).starts_with(": ");  // Type::function: what happened there
    if (!option.empty()) out += option, at = end;
    else if (is_function) at = end + 2;
    else out += message.substr(at, end - at), at = end;
  }
  const auto several_models = [&] { return verb->get_name() == "eval" && verb->get_option("--model")->count() > 1; };
  for (const Remedy& r : remedies)
    if (verb && verb->get_name() == r.verb && out.find(r.words) != out.npos && !out.starts_with("--clean") &&
        !several_models())
      out += r.remedy;
  return out;
}

int report_failure(const std::exception& error, std::string_view who) {
  constexpr int bad_usage = 2, failed = 1;
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  const std::string line =
      std::string(who) +
      (memory ? "not enough memory for what was asked" : printable(in_words_of_the_program(error.what()))) + "\n";
  std::fputs(line.c_str(), stderr);
  return dynamic_cast<const OptionError*>(&error) ? bad_usage : failed;
}

}  // namespace knnbert::cli
