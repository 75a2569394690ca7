// Settings of sentence-transformers' directories, in the spellings of its versions.
#include "knnbert/encoder/sentence_settings.hpp"
#include "knnbert/encoder/bert_config.hpp"
#include "knnbert/io/json.hpp"

#include <sys/stat.h>

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

const std::string transformer_module =
    R"({"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"})";
const std::string pooling_module =
    R"({"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"})";
const std::string normalize_module = R"({"idx": 2, "name": "2", "path": "2_Normalize",)"
                                     R"( "type": "sentence_transformers.base.modules.normalize.Normalize"})";

/// A directory with these modules and this configuration of its pooling, none if empty.
struct SentenceFolder : TemporaryFolder {
  explicit SentenceFolder(const std::string& modules, const std::string& pooled = R"({"pooling_mode": "mean"})") {
    file("modules.json", "[" + modules + "]");
    std::filesystem::create_directories(*this / "1_Pooling");
    if (!pooled.empty()) file("1_Pooling/config.json", pooled);
  }
  SentenceSettings settings() const { return read_sentence_settings(path()); }
};

SentenceSettings settings_of(const std::string& config) {
  return SentenceFolder(transformer_module + "," + pooling_module, config).settings();
}

std::string problem_of_modules(const std::string& modules, const std::string& config = R"({"pooling_mode": "mean"})") {
  const auto settings = SentenceFolder(modules, config).settings();
  CHECK((settings.problem.empty() ||
         message_of<FormatError>([&] { settings.require_pooling(); }).starts_with(settings.problem)));
  return settings.problem;
}

}  // namespace

TEST_CASE("sentence settings: without its files nothing is said") {
  const TemporaryFolder folder;
  const auto settings = read_sentence_settings(folder.path());
  CHECK_FALSE(settings.pooling.has_value());
  CHECK(settings.max_length == 0);
  CHECK_FALSE(settings.normalized);
  CHECK(settings.require_pooling() == Pooling::mean);
}

TEST_CASE("sentence settings: what transformers is told at loading beside the files is a problem, but for dtypes") {
  const auto problem_of = [](const std::string& settings) {
    const SentenceFolder folder(transformer_module + "," + pooling_module);
    folder.file("sentence_bert_config.json", settings);
    return folder.settings().problem;
  };
  CHECK(contains(problem_of(R"({"tokenizer_args": {"do_lower_case": false}})"),
                 "sentence_bert_config.json: tokenizer_args: do_lower_case given"));
  CHECK(contains(problem_of(R"({"config_args": {"hidden_act": "relu"}})"), "config_args: hidden_act given"));
  CHECK(
      problem_of(R"({"max_seq_length": 9, "model_args": {"torch_dtype": "float16"}, "tokenizer_args": null})").empty());
}

TEST_CASE("sentence settings: pooling in the old and the new spelling") {
  CHECK(settings_of(R"({"pooling_mode": "cls", "embedding_dimension": 384, "include_prompt": true})").pooling ==
        Pooling::cls);
  CHECK(settings_of(R"({"pooling_mode": "mean"})").pooling == Pooling::mean);
  CHECK(settings_of(R"({"pooling_mode": ["cls"]})").pooling == Pooling::cls);
  CHECK(settings_of(
            R"({"word_embedding_dimension": 384, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})")
            .pooling == Pooling::cls);
  CHECK(settings_of(
            R"({"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": false})")
            .pooling == Pooling::mean);
  CHECK(settings_of(R"({"pooling_mode": "cls", "pooling_mode_mean_tokens": true})").pooling == Pooling::cls);
  CHECK(settings_of("{}").pooling == Pooling::mean);
}

TEST_CASE(
    "sentence settings: what cannot be computed is a problem with file and reason, unless another pooling is asked "
    "for") {
  const std::string both = transformer_module + "," + pooling_module;
  for (const std::string mode : {"max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"})
    CHECK(contains(problem_of_modules(both, R"({"pooling_mode": ")" + mode + "\"}"), "pooling " + mode + " given"));
  CHECK(contains(problem_of_modules(both, R"({"pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": false})"),
                 "1_Pooling/config.json: pooling max given, cls or mean expected"));
  CHECK(contains(problem_of_modules(both, R"({"pooling_mode_lasttoken": true})"), "pooling mean and lasttoken given"));
  CHECK(contains(problem_of_modules(both, R"({"pooling_mode_mean_tokens": false})"), "pooling none given"));
  CHECK(contains(problem_of_modules(both, R"({"pooling_mode_mean_tokens": false, "pooling_mode_new": true})"),
                 "pooling pooling_mode_new given"));
  CHECK(problem_of_modules(both, R"({"pooling_mode_new": false})").empty());
  CHECK(contains(problem_of_modules(both, R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})"),
                 "pooling cls and mean given"));
  CHECK(contains(problem_of_modules(both, R"({"pooling_mode": ["mean", "max"]})"), "pooling mean and max given"));
  CHECK(contains(problem_of_modules(both, ""), "1_Pooling/config.json: no such file given"));
  CHECK(contains(problem_of_modules(both + R"(,{"path": "2_Dense", "type": "sentence_transformers.models.Dense"})"),
                 "modules.json: module sentence_transformers.models.Dense given"));
  CHECK(contains(problem_of_modules(R"({"path": "", "type": "sentence_transformers.models.StaticEmbedding"})"),
                 "StaticEmbedding given"));
  CHECK(
      contains(problem_of_modules(R"({"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},)" +
                                  pooling_module),
               "the transformer lies in the folder 0_Transformer"));
  CHECK(contains(problem_of_modules(both + "," + pooling_module), "Pooling given"));
  CHECK(contains(problem_of_modules(transformer_module), "no Pooling given"));
  CHECK(contains(problem_of_modules(""), "no Pooling given"));
  CHECK(problem_of_modules(both + R"(,{"path": "2_Dropout", "type": "sentence_transformers.models.Dropout"})").empty());
  SentenceFolder of_tokens(both + "," + normalize_module);
  std::filesystem::create_directories(of_tokens / "2_Normalize");
  of_tokens.file("2_Normalize/config.json", R"({"module_input_name": "token_embeddings"})");
  CHECK(contains(of_tokens.settings().problem, "2_Normalize/config.json: token_embeddings given"));
}

TEST_CASE("sentence settings: length and normalization") {
  SentenceFolder folder(transformer_module + "," + pooling_module + "," + normalize_module);
  CHECK(folder.settings().normalized);
  CHECK(folder.settings().max_length == 0);
  folder.file("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656})");
  CHECK(folder.settings().max_length == 0);
  folder.file("tokenizer_config.json", R"({"model_max_length": 200})");
  CHECK(folder.settings().max_length == 200);
  folder.file("sentence_bert_config.json", R"({"max_seq_length": null, "do_lower_case": false})");
  CHECK(folder.settings().max_length == 200);
  folder.file("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": false})");
  CHECK(folder.settings().max_length == 256);
  for (const std::string bad : {"0", "2", "-1", "\"long\"", "1.5"}) {
    folder.file("sentence_bert_config.json", R"({"max_seq_length": )" + bad + "}");
    CHECK(contains(message_of<FormatError>([&] { folder.settings(); }), "sentence_bert_config.json: max_seq_length"));
  }
  std::filesystem::remove(folder / "modules.json");
  std::filesystem::remove(folder / "sentence_bert_config.json");
  CHECK(folder.settings().max_length == 0);  // a plain encoder's tokenizer names what is possible, not what is wanted
}

TEST_CASE("sentence settings: other outputs and tasks, prompts") {
  SentenceFolder folder(transformer_module + "," + pooling_module);
  folder.file("sentence_bert_config.json", R"({"transformer_task": "fill-mask"})");
  CHECK(contains(folder.settings().problem, "transformer_task fill-mask given"));
  folder.file("sentence_bert_config.json",
              R"({"modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}})");
  CHECK(contains(folder.settings().problem, "method_output_name logits given"));
  folder.file("sentence_bert_config.json",
              R"({"modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}})");
  CHECK(folder.settings().problem.empty());
  folder.file("config_sentence_transformers.json",
              R"({"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": null})");
  CHECK(folder.settings().note.empty());
  folder.file("config_sentence_transformers.json",
              R"({"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "document"})");
  CHECK(folder.settings().note.empty());
  folder.file("config_sentence_transformers.json",
              R"({"prompts": {"query": "query: "}, "default_prompt_name": "query"})");
  CHECK(contains(folder.settings().note, "the prompt 'query: ' is not put before texts"));
  CHECK(folder.settings().prompt == "query: ");
  CHECK(folder.settings().prompt_problem.empty());
  CHECK(folder.settings().dimension == 0);
  folder.file("config_sentence_transformers.json", R"({"truncate_dim": 64, "default_prompt_name": null})");
  CHECK(folder.settings().dimension == 64);
  folder.file("config_sentence_transformers.json", R"({"truncate_dim": 0})");
  CHECK(contains(message_of<FormatError>([&] { folder.settings(); }), "truncate_dim: 0 given, at least 1 expected"));
  folder.file("config_sentence_transformers.json", R"({"prompts": {"query": "q"}, "default_prompt_name": "other"})");
  CHECK(contains(message_of<FormatError>([&] { folder.settings(); }), "prompts: key 'other' is missing"));
  folder.file("config_sentence_transformers.json",
              R"({"prompts": {"query": "query: "}, "default_prompt_name": "query"})");
  folder.file("1_Pooling/config.json", R"({"pooling_mode": "mean", "include_prompt": false})");
  CHECK(contains(folder.settings().prompt_problem, "1_Pooling/config.json: include_prompt false given"));
}

TEST_CASE("sentence settings: any of the transformer's file names, the first of them wins") {
  SentenceFolder folder(transformer_module + "," + pooling_module);
  index_t length = 100;
  for (const char* name : {"xlnet", "xlm-roberta", "albert", "camembert", "distilbert", "roberta", "bert"}) {
    write_json(folder / format("sentence_{}_config.json", name), Json{{"max_seq_length", ++length}});
    CHECK(folder.settings().max_length == length);
  }
}

TEST_CASE("sentence settings: modules lie inside the folder, and none is a pipe") {
  const TemporaryFolder other;
  other.file("config.json", R"({"pooling_mode": "secret"})");
  for (const std::string& path : {other.path().string(), std::string("../") + other.path().filename().string()}) {
    const SentenceFolder folder(transformer_module + R"(,{"path": ")" + path +
                                R"(", "type": "sentence_transformers.models.Pooling"})");
    const auto message = message_of<FormatError>([&] { folder.settings(); });
    CHECK(contains(message, "modules.json: path '" + path + "' given, a folder inside expected"));
  }
  const SentenceFolder folder(transformer_module + "," + pooling_module, "");
  REQUIRE(::mkfifo((folder / "1_Pooling" / "config.json").c_str(), 0600) == 0);
  CHECK(contains(message_of<IoError>([&] { folder.settings(); }), "1_Pooling/config.json: not a regular file"));
}

TEST_CASE("sentence settings: what is written is read, and damaged files are named") {
  const BertConfig config{.hidden_size = 24, .num_attention_heads = 2};
  for (const Pooling own : {Pooling::mean, Pooling::cls, Pooling::pooler})
    for (const bool normalized : {true, false}) {
      const TemporaryFolder folder;
      write_sentence_settings(folder.path(), config.hidden_size, own, 77, normalized);
      const auto settings = read_sentence_settings(folder.path());
      CHECK(settings.require_pooling() == own);
      CHECK(settings.max_length == 77);
      CHECK(settings.normalized == normalized);
      CHECK(std::filesystem::exists(folder / "1_Pooling/config.json") == (own != Pooling::pooler));
      for (const std::string name : {"modules.json", "sentence_bert_config.json", "1_Pooling/config.json"}) {
        if (!std::filesystem::exists(folder / name)) continue;
        const auto whole = slurp(folder / name);
        folder.file(name, whole.substr(0, whole.size() / 2));
        CHECK(contains(message_of<FormatError>([&] { read_sentence_settings(folder.path()); }), name));
        folder.file(name, whole);
      }
    }
}
