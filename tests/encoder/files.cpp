// Directories as transformers reads and writes them: round trips and damaged ones.
#include "encoder/tiny.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/encoder/lowered_files.hpp"
#include "knnbert/io/json.hpp"

using namespace knnbert_test;

namespace {

struct Loaded {
  Bert encoder;
  ParameterBlock values;

  explicit Loaded(const std::filesystem::path& folder) : Loaded(BertCheckpoint(folder)) {}
  explicit Loaded(const BertCheckpoint& checkpoint) : encoder(checkpoint.config()) {
    ParameterTable table;
    encoder.declare_dense(table);
    encoder.declare_lookup(table);
    values = ParameterBlock(std::make_shared<const ParameterTable>(table));
    checkpoint.read(encoder, values);
  }
};

void write_encoder(const Bert& encoder, const ParameterBlock& values, const std::filesystem::path& folder,
                   const std::string& prefix = "") {
  SafeTensorsWriter file;
  add_bert_tensors(encoder.layers(), values, prefix, file);
  file.metadata("format", "pt").write(folder / "model.safetensors");
  write_bert_config(folder, encoder.config());
}
void write_encoder(const RandomBert& bert, const std::filesystem::path& folder, const std::string& prefix = "") {
  write_encoder(bert.encoder, bert.values, folder, prefix);
}

/// Replaces the first occurrence in a file.
void edit(const std::filesystem::path& path, const std::string& from, const std::string& to) {
  std::string text = slurp(path);
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  std::ofstream(path, std::ios::binary) << text;
}

std::string format_error(const std::filesystem::path& folder) {
  return message_of<FormatError>([&] { Loaded loaded(folder); });
}

/// A valid directory whose config.json is then edited.
std::string error_after_edit(const std::string& from, const std::string& to) {
  const TemporaryFolder folder;
  write_encoder(RandomBert(), folder.path());
  edit(folder / "config.json", from, to);
  return message_of<Error>([&] { Loaded loaded(folder.path()); });
}

/// Copies a checkpoint, leaving out, renaming or reshaping tensors.
void rewrite(const std::filesystem::path& folder, auto change) {
  const std::string before = slurp(folder / "model.safetensors");
  std::ofstream(folder / "before.safetensors", std::ios::binary) << before;
  const SafeTensors source(folder / "before.safetensors");
  SafeTensorsWriter file;
  for (const std::string& name : source.names()) {
    auto tensor = source.at(name);
    std::string new_name = name;
    if (change(new_name, tensor.shape)) file.add(new_name, tensor.dtype, tensor.shape, tensor.bytes);
  }
  file.write(folder / "model.safetensors");
}

}  // namespace

TEST_CASE("encoder files: layers that config.json does not announce are refused") {
  for (const BertFamily* family : {&bert_family, &distilbert_family, &roberta_family}) {
    const TemporaryFolder folder;
    auto config = in_family(tiny_config(), *family);
    config.num_hidden_layers = 3;
    const RandomBert bert(config);
    SafeTensorsWriter file;
    add_bert_tensors(bert.encoder.layers(), bert.values, "bert.", file, *family);
    file.write(folder / "model.safetensors");
    write_bert_config(folder.path(), config);
    CHECK(format_error(folder.path()) == "nothing thrown");
    edit(folder / "config.json", format("\"{}\": 3", family->keys.num_hidden_layers),
         format("\"{}\": 2", family->keys.num_hidden_layers));
    const auto message = format_error(folder.path());
    INFO(message);
    CHECK(contains(message, "layer.2."));
    CHECK(contains(message, "layers 0 to 1 expected"));
  }
}

TEST_CASE("encoder files: what is written is read back, and written again it has the same bytes") {
  BertConfig config = tiny_config();
  config.hidden_act = ActivationKind::gelu_tanh;
  config.hidden_dropout_prob = 0.15f;
  config.layer_norm_eps = 1e-5f;
  config.type_vocab_size = 3;
  for (const bool pooler : {true, false})
    for (const std::string prefix : {"", "bert.", "0.auto_model.", "model."}) {
      config.pooler = pooler;
      const RandomBert bert(config);
      const TemporaryFolder first, second;
      write_encoder(bert, first.path(), prefix);
      const Loaded loaded(first.path());
      CHECK(loaded.encoder.config() == config);
      REQUIRE(loaded.values.size() == bert.values.size());
      CHECK(std::memcmp(loaded.values.data(), bert.values.data(),
                        static_cast<std::size_t>(bert.values.size()) * sizeof(float)) == 0);
      write_encoder(loaded.encoder, loaded.values, second.path(), prefix);
      CHECK(slurp(first / "model.safetensors") == slurp(second / "model.safetensors"));
      CHECK(slurp(first / "config.json") == slurp(second / "config.json"));
    }
}

TEST_CASE("encoder files: the tensors have transformers' names and shapes") {
  const TemporaryFolder folder;
  write_encoder(RandomBert(), folder.path());
  const SafeTensors file(folder / "model.safetensors");
  CHECK(file.names().size() == 5 + 2 * 16 + 2);
  CHECK(file.at("embeddings.word_embeddings.weight").shape == Shape{41, 20});
  CHECK(file.at("embeddings.position_embeddings.weight").shape == Shape{24, 20});
  CHECK(file.at("embeddings.token_type_embeddings.weight").shape == Shape{2, 20});
  CHECK(file.at("embeddings.LayerNorm.weight").shape == Shape{20});
  for (const std::string part : {"query", "key", "value"}) {
    CHECK(file.at("encoder.layer.1.attention.self." + part + ".weight").shape == Shape{20, 20});
    CHECK(file.at("encoder.layer.1.attention.self." + part + ".bias").shape == Shape{20});
  }
  CHECK(file.at("encoder.layer.0.attention.output.dense.weight").shape == Shape{20, 20});
  CHECK(file.at("encoder.layer.0.attention.output.LayerNorm.bias").shape == Shape{20});
  CHECK(file.at("encoder.layer.0.intermediate.dense.weight").shape == Shape{37, 20});
  CHECK(file.at("encoder.layer.0.output.dense.weight").shape == Shape{20, 37});
  CHECK(file.at("encoder.layer.0.output.LayerNorm.weight").shape == Shape{20});
  CHECK(file.at("pooler.dense.weight").shape == Shape{20, 20});
}

TEST_CASE("encoder files: settings of config.json") {
  const TemporaryFolder folder;
  write_encoder(RandomBert(), folder.path());
  const Json json = read_json(folder / "config.json");
  CHECK(json.at("model_type") == "bert");
  CHECK(json.at("hidden_act") == "gelu");
  CHECK(json.at("hidden_dropout_prob").dump() == "0.1");
  CHECK(json.at("layer_norm_eps").dump() == "1e-12");
  write_bert_config(folder.path(), tiny_config(), BertClassifier{.classes = {"b", "a"}, .sequence_classifier = true});
  const Json extended = read_json(folder / "config.json");
  CHECK(extended.at("architectures") == Json{"BertForSequenceClassification"});
  CHECK(extended.at("id2label") == Json{{"0", "b"}, {"1", "a"}});
  CHECK(extended.at("label2id") == Json{{"a", 1}, {"b", 0}});
  CHECK(extended.at("vocab_size") == 41);
}

TEST_CASE("encoder files: missing and misshapen tensors are named") {
  const TemporaryFolder folder;
  const auto reset = [&] { write_encoder(RandomBert(), folder.path()); };
  for (const std::string name : {"encoder.layer.1.attention.self.key.bias", "encoder.layer.0.output.LayerNorm.weight",
                                 "embeddings.position_embeddings.weight"}) {
    reset();
    rewrite(folder.path(), [&](std::string& own, Shape&) { return own != name; });
    CHECK(contains(format_error(folder.path()), "tensor '" + name + "' is missing"));
  }
  reset();
  rewrite(folder.path(), [](std::string& name, Shape&) { return name != "embeddings.word_embeddings.weight"; });
  CHECK(contains(format_error(folder.path()), "a BERT checkpoint expected"));
  for (const std::string name : {"encoder.layer.0.intermediate.dense.weight",
                                 "encoder.layer.1.attention.self.query.weight", "pooler.dense.bias"}) {
    reset();
    rewrite(folder.path(), [&](std::string& own, Shape& shape) {
      if (own == name)
        shape = shape.size() == 2 && shape[0] != shape[1] ? Shape{shape[1], shape[0]}
                                                          : Shape{1, shape.size() == 2 ? 400 : 20};
      return true;
    });
    const auto message = format_error(folder.path());
    CHECK(contains(message, name));
    CHECK(contains(message, "expected"));
  }
}

TEST_CASE("encoder files: old names of normalizations, tensors nobody asks for") {
  const TemporaryFolder folder;
  const RandomBert bert;
  write_encoder(bert, folder.path());
  rewrite(folder.path(), [&](std::string& name, Shape&) {
    name = old_style_name(name);
    return true;
  });
  CHECK(SafeTensors(folder / "model.safetensors").find("embeddings.LayerNorm.gamma"));
  const Loaded loaded(folder.path());
  CHECK(std::memcmp(loaded.values.data(), bert.values.data(),
                    static_cast<std::size_t>(bert.values.size()) * sizeof(float)) == 0);
}

TEST_CASE("encoder files: configurations that are refused") {
  CHECK(contains(error_after_edit("\"model_type\": \"bert\"", "\"model_type\": \"electra\""),
                 "model_type 'electra' given, bert or distilbert or roberta or xlm-roberta expected"));
  CHECK(contains(error_after_edit("\"absolute\"", "\"relative_key\""), "position_embedding_type 'relative_key' given"));
  CHECK(contains(error_after_edit("\"gelu\"", "\"silu\""), "hidden_act 'silu' given, gelu, gelu_new"));
  CHECK(contains(error_after_edit("\"hidden_size\": 20", "\"hidden_size\": \"20\""), "hidden_size"));
  CHECK(contains(error_after_edit("\"hidden_size\": 20,", ""), "hidden_size"));
  CHECK(contains(error_after_edit("\"hidden_size\": 20", "\"hidden_size\": 21"),
                 "num_attention_heads: 2 given, a divisor of hidden_size 21 expected"));
  CHECK(contains(error_after_edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), "encoder.layer.2."));
  CHECK(contains(error_after_edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": -1"),
                 "num_hidden_layers: -1 given"));
  CHECK(contains(error_after_edit("{", "{,"), "config.json"));
  CHECK(contains(error_after_edit("{", "{\"is_decoder\": true,"), "config.json: is_decoder true given"));
  CHECK(contains(error_after_edit("{", "{\"add_cross_attention\": true,"),
                 "config.json: add_cross_attention true given"));
  CHECK(contains(error_after_edit("{", "{\"is_decoder\": \"yes\","), "config.json: is_decoder: \"yes\" given"));
  CHECK(contains(error_after_edit("{", "{\"quantization_config\": {\"bits\": 8},"), "quantization_config given"));
  CHECK(contains(error_after_edit("{", "{\"pruned_heads\": {\"0\": [1]},"), "pruned_heads given"));
  CHECK(error_after_edit("{",
                         "{\"is_decoder\": false, \"add_cross_attention\": null, \"pruned_heads\": {}, "
                         "\"quantization_config\": null,") == "nothing thrown");
  CHECK(contains(error_after_edit("\"vocab_size\": 41", "\"vocab_size\": 40"), "[41, 20] given, [40, 20] expected"));
}

TEST_CASE("encoder files: values of config.json that no encoder has are format errors with file and key") {
  const std::pair<const char*, const char*> settings[] = {{"\"vocab_size\": 41", "0"},
                                                          {"\"hidden_size\": 20", "-20"},
                                                          {"\"num_hidden_layers\": 2", "1001"},
                                                          {"\"num_attention_heads\": 2", "7"},
                                                          {"\"intermediate_size\": 37", "0"},
                                                          {"\"max_position_embeddings\": 24", "0"},
                                                          {"\"type_vocab_size\": 2", "0"},
                                                          {"\"layer_norm_eps\": 1e-12", "-1"},
                                                          {"\"hidden_dropout_prob\": 0.1", "1.5"},
                                                          {"\"attention_probs_dropout_prob\": 0.1", "-0.5"},
                                                          {"\"initializer_range\": 0.02", "-1"}};
  for (const std::string value : {"", "\"x\"", "1e999"})  // empty: the value of the list
    for (const auto& [entry, bad] : settings) {
      const std::string from = entry, key = from.substr(1, from.find(':') - 2);
      const TemporaryFolder folder;
      write_encoder(RandomBert(), folder.path());
      edit(folder / "config.json", from, "\"" + key + "\": " + (value.empty() ? bad : value));
      INFO(key << " " << value);
      const auto message = format_error(folder.path());
      CHECK(contains(message, (folder / "config.json").string()));
      if (value != "1e999") CHECK(contains(message, key + ": "));  // such a number ends the parser
    }
}

TEST_CASE("encoder files: one encoder of a checkpoint is found under any prefix, two are refused") {
  const RandomBert bert;
  const TemporaryFolder folder;
  write_bert_config(folder.path(), bert.encoder.config());
  SafeTensorsWriter file;
  add_bert_tensors(bert.encoder.layers(), bert.values, "query.", file);
  add_bert_tensors(bert.encoder.layers(), bert.values, "passage.", file);
  file.write(folder / "model.safetensors");
  CHECK(contains(format_error(folder.path()), "2 encoders given ('passage.' and 'query.'), one expected"));
  SafeTensorsWriter both;
  add_bert_tensors(bert.encoder.layers(), bert.values, "bert.", both);
  add_bert_tensors(bert.encoder.layers(), bert.values, "", both);
  both.write(folder / "model.safetensors");
  CHECK(contains(format_error(folder.path()), "2 encoders given ('bert.' and ''), one expected"));
  SafeTensorsWriter beside;  // as transformers reads it
  add_bert_tensors(bert.encoder.layers(), bert.values, "bert.", beside);
  add_bert_tensors(bert.encoder.layers(), bert.values, "a.teacher.", beside);
  beside.write(folder / "model.safetensors");
  CHECK(format_error(folder.path()) == "nothing thrown");
  write_encoder(bert, folder.path(), "base_model.model.");
  CHECK(format_error(folder.path()) == "nothing thrown");
  rewrite(folder.path(), [](std::string& name, Shape&) {
    if (name.ends_with("position_embeddings.weight"))
      name = "base_model.model.encoder.layer.0.attention.self.query.lora_A.default.weight";
    return true;
  });
  CHECK(contains(format_error(folder.path()), "lora_A.default.weight' of an adapter given"));
}

TEST_CASE("encoder files: tensors of any type may lie beside the encoder's, which are floating-point numbers") {
  const RandomBert bert;
  const TemporaryFolder folder;
  const std::vector<std::byte> data(64);
  const auto write = [&](const std::string& renamed, DType type) {
    write_encoder(bert, folder.path());
    std::filesystem::rename(folder / "model.safetensors", folder / "before.safetensors");
    const SafeTensors source(folder / "before.safetensors");
    SafeTensorsWriter file;
    for (const std::string& name : source.names()) {
      const auto tensor = source.at(name);
      if (name != renamed) file.add(name, tensor.dtype, tensor.shape, tensor.bytes);
      else
        file.add(name, type, tensor.shape,
                 std::span(data).first(static_cast<std::size_t>(tensor.size() * dtype_size(type))));
    }
    file.add("embeddings.position_ids", DType::i64, {8}, data);
    file.add("mask", DType::boolean, {64}, data);
    file.add("rates", DType::f64, {8}, data);
    file.add("lm_head", DType::f8_e4m3, {8, 8}, data);
    file.write(folder / "model.safetensors");
  };
  write("", DType::f32);
  const Loaded loaded(folder.path());
  CHECK(std::memcmp(loaded.values.data(), bert.values.data(),
                    static_cast<std::size_t>(bert.values.size()) * sizeof(float)) == 0);
  for (const DType type : {DType::i16, DType::f8_e4m3}) {
    write("embeddings.LayerNorm.bias", type);
    CHECK(contains(format_error(folder.path()),
                   format("tensor 'embeddings.LayerNorm.bias': element type {} given, F32", dtype_name(type))));
  }
  write("embeddings.LayerNorm.bias", DType::f16);
  CHECK(format_error(folder.path()) == "nothing thrown");
}

TEST_CASE("encoder files: numbers that are not finite are refused with file and tensor") {
  const TemporaryFolder folder;
  write_encoder(RandomBert(), folder.path());
  const auto path = folder / "model.safetensors";
  const std::string whole = slurp(path);
  const auto parsed = parse_safetensors(as_bytes(whole), "whole");
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()})
    for (std::size_t i = 0; i < parsed.names.size(); ++i) {
      std::string damaged = whole;
      const auto& bytes = parsed.tensors[i].bytes;
      std::memcpy(
          damaged.data() + (reinterpret_cast<const char*>(bytes.data()) - whole.data()) + bytes.size() - sizeof bad,
          &bad, sizeof bad);
      const TemporaryFolder other;
      other.file("model.safetensors", damaged), other.file("config.json", slurp(folder / "config.json"));
      CHECK(contains(format_error(other.path()),
                     format("model.safetensors: tensor '{}': NaN or infinity given", parsed.names[i])));
    }
}

TEST_CASE("encoder files: sizes that the tensors do not have are refused before memory is taken for them") {
  CHECK(contains(error_after_edit("\"vocab_size\": 41", "\"vocab_size\": 16000000"),
                 "[41, 20] given, [16000000, 20] expected"));
  CHECK(contains(error_after_edit("\"hidden_size\": 20", "\"hidden_size\": 65536"), "expected"));
  CHECK(contains(error_after_edit("\"intermediate_size\": 37", "\"intermediate_size\": 262144"), "expected"));
  CHECK(contains(error_after_edit("\"max_position_embeddings\": 24", "\"max_position_embeddings\": 1048576"),
                 "expected"));
  CHECK(contains(error_after_edit("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000"), "encoder.layer.999."));
}

TEST_CASE("encoder files: what is not there") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(Loaded(folder.path()), IoError);
  const auto io_error = [](const std::filesystem::path& place) {
    return message_of<IoError>([&] { Loaded loaded(place); });
  };
  CHECK(contains(io_error(folder.path()), "config.json: cannot open"));
  CHECK(contains(io_error(folder / "nowhere"), "nowhere: no such folder, a folder with a BERT encoder expected"));
  CHECK(contains(io_error(folder.file("file", "x")), "file: a file given, a folder with a BERT encoder expected"));
  write_bert_config(folder.path(), tiny_config());
  CHECK(contains(io_error(folder.path()), "no model.safetensors and no model.safetensors.index.json there"));
  std::filesystem::create_symlink("gone", folder / "model.safetensors");
  CHECK(contains(io_error(folder.path()), "(a link to nothing)"));
  std::filesystem::remove(folder / "model.safetensors");
  folder.file("adapter_config.json", "{}");
  CHECK(contains(format_error(folder.path()), "adapter_config.json given"));
  std::filesystem::remove(folder / "adapter_config.json");
  folder.file("pytorch_model.bin", "x");
  CHECK(contains(format_error(folder.path()), "only pytorch_model.bin found"));
  folder.file("model.safetensors", "not a checkpoint");
  CHECK_THROWS_AS(Loaded(folder.path()), FormatError);
}

TEST_CASE("encoder files: no prefix of a checkpoint loads or crashes") {
  const TemporaryFolder folder;
  write_encoder(RandomBert(), folder.path());
  const std::string bytes = slurp(folder / "model.safetensors");
  for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 7 : 997) {
    folder.file("model.safetensors", std::string_view(bytes).substr(0, size));
    REQUIRE_THROWS_AS(Loaded(folder.path()), FormatError);
  }
}

TEST_CASE("encoder files: a family that config.json does not name is told by its architectures or tensors") {
  const RandomBert roberta(in_family(tiny_config(), roberta_family));
  const TemporaryFolder folder;
  write_encoder(roberta, folder.path(), "roberta.");
  const auto config = read_json(folder / "config.json");
  const auto error = [&](const char* key, const Json& value) {
    Json changed = config;
    changed.erase("model_type");
    changed[key] = value;
    write_json(folder / "config.json", changed);
    return format_error(folder.path());
  };
  for (const char* name : {"RobertaForMaskedLM", "RobertaModel", "XLMRobertaForSequenceClassification"}) {
    CHECK(error("architectures", {name}) == "nothing thrown");
    CHECK(BertCheckpoint(folder.path()).config().first_position() == 2);
  }
  CHECK(contains(error("architectures", {"ElectraForPreTraining"}),
                 "config.json: architectures: ElectraForPreTraining and no model_type given"));
  CHECK(contains(error("architectures", {"BertForMaskedLM"}),
                 "tensors of prefix 'roberta.' given, those of a bert expected"));
  CHECK(contains(error("architectures", nullptr), "tensors of prefix 'roberta.' given, those of a bert expected"));
  CHECK(contains(error("hidden_act", nullptr), "config.json: hidden_act null given"));
  for (const char* name : {"gelu_python", "gelu_fast"}) CHECK(error("hidden_act", name) == "nothing thrown");
  CHECK(BertCheckpoint(folder.path()).config().hidden_act == ActivationKind::gelu_tanh);
}

TEST_CASE("encoder files: RoBERTa's classifier holds the pooler; of a regression it gives the values") {
  const RandomBert roberta(in_family(tiny_config(), roberta_family));
  const TemporaryFolder folder;
  write_encoder(roberta, folder.path());
  CheckpointFacts facts{.fingerprint = "1", .head = &roberta.encoder.layers().pooler, .pooling = Pooling::pooler};
  const auto write = [&] { BertCheckpoint::write_weights(roberta.encoder, roberta.values, facts, folder.path()); };
  write();
  const auto plain = SafeTensors(folder / "model.safetensors").at("classifier.out_proj.weight").as_floats();
  const auto drop = [&](const std::string& dropped) {
    rewrite(folder.path(), [&](std::string& name, Shape&) { return !name.starts_with(dropped); });
  };
  drop("roberta.pooler.");
  const Loaded loaded(folder.path());
  CHECK(std::memcmp(loaded.values.data(), roberta.values.data(),
                    static_cast<std::size_t>(roberta.values.size()) * sizeof(float)) == 0);
  drop("classifier.out_proj.");  // another head's layer
  CHECK_FALSE(BertCheckpoint(folder.path()).config().pooler);
  facts.value_mean = 3, facts.value_scale = 0.5f;
  write();
  CHECK(BertCheckpoint::holds_weights(facts, folder.path()));
  const SafeTensors file(folder / "model.safetensors");
  const auto weight = file.at("classifier.out_proj.weight").as_floats();
  REQUIRE(weight.size() == plain.size());
  for (std::size_t i = 0; i < weight.size(); ++i) CHECK(weight[i] == plain[i] / 2);
  const auto bias = file.at("classifier.out_proj.bias").as_floats(),
             of_pooler = file.at("classifier.dense.bias").as_floats();
  for (std::size_t i = 0; i < bias.size(); ++i) CHECK(bias[i] == approx(3 + 0.5 * of_pooler[i]));
  facts.value_mean = 2;
  CHECK_FALSE(BertCheckpoint::holds_weights(facts, folder.path()));
  facts.value_mean = 0, facts.value_scale = 1;
  CHECK_FALSE(BertCheckpoint::holds_weights(facts, folder.path()));
}
