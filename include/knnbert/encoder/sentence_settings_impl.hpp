#pragma once
#include "knnbert/config.hpp"
#include "knnbert/encoder/sentence_settings.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/text/tokenizer_directory.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline constexpr std::pair<const char*, const char*> sentence_poolings[] = {  // old and new spelling
    {"pooling_mode_cls_token", "cls"},
    {"pooling_mode_max_tokens", "max"},
    {"pooling_mode_mean_tokens", "mean"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
    {"pooling_mode_weightedmean_tokens", "weightedmean"},
    {"pooling_mode_lasttoken", "lasttoken"}};

/// The poolings that a configuration in the old spelling asks for: mean unless it says otherwise.
inline std::vector<std::string> pooling_modes(const Json& json, const std::string& where) {
  std::vector<std::string> modes;
  for (const auto& [key, name] : sentence_poolings)
    if (optional_value(json, key, std::string_view(name) == "mean", where)) modes.emplace_back(name);
  for (const auto& item : json.items()) {
    const auto is_same = [&](const auto& known) { return item.key() == known.first; };
    if (item.key().starts_with("pooling_mode_") && item.value() == true &&
        std::none_of(std::begin(sentence_poolings), std::end(sentence_poolings), is_same))
      modes.push_back(item.key());
  }
  if (modes.empty()) modes.emplace_back("none");
  return modes;
}

/// The configuration of a module, whose folder lies in that of modules.json.  Errors: FormatError.
inline std::filesystem::path module_config(const std::filesystem::path& folder, const std::string& subfolder,
                                           const std::string& where) {
  const std::filesystem::path part = subfolder;
  if (part.is_absolute() || std::find(part.begin(), part.end(), "..") != part.end())
    raise<FormatError>("{}: path '{}' given, a folder inside expected", where, subfolder);
  return folder / part / "config.json";
}

/// Reads the configuration of a Pooling module.
inline void read_sentence_pooling(const std::filesystem::path& path, SentenceSettings& settings) {
  const std::string where = path.string();
  if (!committed_exists(path)) {
    settings.problem =
        format("{}: no such file given, the configuration of the pooling that modules.json names expected", where);
    return;
  }
  const Json json = read_regular_json(path);
  if (!optional_value(json, "include_prompt", true, where))
    settings.prompt_problem = format("{}: include_prompt false given, true expected for a prompt", where);
  std::vector<std::string> modes;
  if (json.is_object() && json.contains("pooling_mode")) {
    const auto& mode = json["pooling_mode"];
    modes = mode.is_array() ? json_as<std::vector<std::string>>(mode, where + ": pooling_mode")
                            : std::vector{require<std::string>(json, "pooling_mode", where)};
  } else {
    modes = pooling_modes(json, where);
  }
  std::string given;
  for (const auto& mode : modes) given += (given.empty() ? "" : " and ") + mode;
  if (given == "cls" || given == "mean") settings.pooling = given == "cls" ? Pooling::cls : Pooling::mean;
  else settings.problem = format("{}: pooling {} given, cls or mean expected", where, given);
}

/// Reads what modules.json lists behind the transformer.
inline void read_sentence_modules(const std::filesystem::path& folder, SentenceSettings& settings) {
  const auto path = folder / "modules.json";
  const std::string where = path.string();
  const auto modules = json_as<std::vector<Json>>(read_regular_json(path), where);
  bool pooled = false;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const auto type = require<std::string>(modules[i], "type", where),
               subfolder = optional_value<std::string>(modules[i], "path", "", where);
    const auto kind = type.substr(type.rfind('.') + 1);
    const auto own = module_config(folder, subfolder, where);
    if (i == 0 && (kind == "Transformer" || kind == "BERT")) {
      if (!subfolder.empty() && subfolder != ".")
        settings.problem =
            format("{}: the transformer lies in the folder {}, files beside modules.json expected", where, subfolder);
    } else if (kind == "Pooling" && !pooled && !settings.pooling) {
      pooled = true;
      read_sentence_pooling(own, settings);
    } else if (kind == "Normalize") {
      settings.normalized = true;
      const auto of = committed_exists(own) ? optional_value<std::string>(read_regular_json(own), "module_input_name",
                                                                          "sentence_embedding", own.string())
                                            : "sentence_embedding";
      if (of != "sentence_embedding")
        settings.problem = format("{}: {} given, sentence_embedding expected", own.string(), of);
    } else if (kind != "Dropout") {
      settings.problem =
          format("{}: module {} given, a Transformer, then Pooling, then perhaps Normalize expected", where, type);
    }
    if (!settings.problem.empty()) return;
  }
  if (!pooled && !settings.pooling) settings.problem = format("{}: no Pooling given, one expected", where);
}

/// What the directory asks of transformers when it is loaded there: of a dtype and the like only the digits depend.
inline void read_loading_settings(const Json& json, const std::string& where, SentenceSettings& settings) {
  constexpr std::string_view harmless[] = {"add_pooling_layer", "attn_implementation", "dtype",
                                           "low_cpu_mem_usage", "torch_dtype",         "trust_remote_code"};
  for (const char* name :
       {"model_args", "tokenizer_args", "config_args", "model_kwargs", "processor_kwargs", "config_kwargs"}) {
    const auto given = optional_value<Json>(json, name, Json::object(), where);
    if (!given.is_object() && !given.is_null()) raise_json_type(given, where + ": " + name, "an object");
    for (const auto& [key, value] : given.items())
      if (std::find(std::begin(harmless), std::end(harmless), key) == std::end(harmless))
        settings.problem =
            format("{}: {}: {} given, expected in config.json or tokenizer_config.json", where, name, key);
  }
}

/// Reads what sentence_transformer_file found; newer versions can name the pooler's output there.
inline void read_sentence_transformer(const std::filesystem::path& path, SentenceSettings& settings) {
  const Json json = read_regular_json(path);
  const std::string where = path.string();
  const auto length = optional_value<Json>(json, "max_seq_length", nullptr, where);
  if (!length.is_null()) settings.max_length = json_as<index_t>(length, where + ": max_seq_length");
  if (!length.is_null() && settings.max_length < 3)
    raise<FormatError>("{}: max_seq_length: {} given, at least 3 expected", where, settings.max_length);
  const auto task = optional_value<std::string>(json, "transformer_task", "feature-extraction", where);
  const auto modes = optional_value<Json>(json, "modality_config", Json::object(), where);
  const auto text = optional_value<Json>(modes, "text", Json::object(), where);
  const auto output =
      optional_value<std::string>(text, "method_output_name", "last_hidden_state", where + ": modality_config: text");
  if (output == "pooler_output") settings.pooling = Pooling::pooler;
  read_loading_settings(json, where, settings);
  if (task != "feature-extraction")
    settings.problem = format("{}: transformer_task {} given, feature-extraction expected", where, task);
  else if (output != "last_hidden_state" && output != "pooler_output")
    settings.problem =
        format("{}: method_output_name {} given, last_hidden_state or pooler_output expected", where, output);
}

/// What users of the directory do unless they ask for something else: the text that they put before every text, and how
/// much of an embedding they keep.
inline void read_sentence_uses(const std::filesystem::path& path, SentenceSettings& settings) {
  const Json json = read_regular_json(path);
  const std::string where = path.string();
  const auto name = optional_value<std::string>(json, "default_prompt_name", "", where);
  const auto prompts = optional_value<Json>(json, "prompts", Json::object(), where);
  if (!name.empty()) settings.prompt = require<std::string>(prompts, name, where + ": prompts");
  const auto dimension = optional_value<Json>(json, "truncate_dim", nullptr, where);
  if (!dimension.is_null()) settings.dimension = json_as<index_t>(dimension, where + ": truncate_dim");
  if (!dimension.is_null() && settings.dimension < 1)
    raise<FormatError>("{}: truncate_dim: {} given, at least 1 expected", where, settings.dimension);
  if (!settings.prompt.empty())
    settings.note = format("{}: the prompt '{}' is not put before texts", where, settings.prompt);
}

}  // namespace detail

KNNBERT_INLINE Pooling SentenceSettings::require_pooling() const {
  if (!problem.empty()) raise<FormatError>("{}, or a pooling asked for by name", problem);
  return pooling.value_or(Pooling::mean);
}

KNNBERT_INLINE index_t detail::model_max_length(const std::filesystem::path& path) {
  if (!committed_exists(path)) return 0;
  const Json json = read_regular_json(path);
  return json.is_object() ? model_length(json, path.string()) : 0;
}

KNNBERT_INLINE SentenceSettings read_sentence_settings(const std::filesystem::path& folder) {
  SentenceSettings settings;
  const auto prompts = folder / "config_sentence_transformers.json";
  if (const auto own = detail::sentence_transformer_file(folder)) detail::read_sentence_transformer(*own, settings);
  if (!committed_exists(folder / "modules.json")) return settings;
  if (settings.problem.empty()) detail::read_sentence_modules(folder, settings);
  if (committed_exists(prompts)) detail::read_sentence_uses(prompts, settings);
  if (settings.max_length == 0) settings.max_length = detail::model_max_length(folder / "tokenizer_config.json");
  return settings;
}

KNNBERT_INLINE void write_sentence_settings(const std::filesystem::path& folder, index_t width, Pooling pooling,
                                            index_t max_length, bool normalized) {
  auto modules = OrderedJson::array();
  const auto add = [&](const std::string& path, const char* type) {
    const auto place = static_cast<index_t>(modules.size());
    modules.push_back({{"idx", place},
                       {"name", std::to_string(place)},
                       {"path", path},
                       {"type", format("sentence_transformers.models.{}", type)}});
  };
  OrderedJson transformer{{"max_seq_length", max_length}, {"do_lower_case", false}};
  add("", "Transformer");
  if (pooling == Pooling::pooler) {
    transformer["transformer_task"] = "feature-extraction";
    transformer["modality_config"] = {{"text", {{"method", "forward"}, {"method_output_name", "pooler_output"}}}};
    transformer["module_output_name"] = "sentence_embedding";
  } else {
    add("1_Pooling", "Pooling");
    OrderedJson own{{"word_embedding_dimension", width}};
    for (const auto& [key, name] : detail::sentence_poolings)
      own[key] = std::string_view(name) == (pooling == Pooling::cls ? "cls" : "mean");
    std::filesystem::create_directories(folder / "1_Pooling");
    write_json(folder / "1_Pooling" / "config.json", own);
  }
  if (normalized) add(format("{}_Normalize", modules.size()), "Normalize");
  write_json(folder / "sentence_bert_config.json", transformer);
  write_json(folder / "modules.json", modules);
}

}  // namespace knnbert::inline v0_1
