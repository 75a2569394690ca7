// Settings that come from files: of the encoder's directory as defaults, of a model directory as what it must be.
#include "model/tiny_model.hpp"

#include <tuple>

using namespace knnbert_test;

namespace {

/// An encoder as sentence-transformers would have written it.
std::filesystem::path sentence_encoder(const TemporaryFolder& folder, Pooling pooling, index_t max_length,
                                       bool normalized) {
  write_encoder(folder / "encoder");
  write_sentence_settings(folder / "encoder", tiny_config().hidden_size, pooling, max_length, normalized);
  return folder / "encoder";
}

void rewrite_setting(const std::filesystem::path& path, const std::string& from, const std::string& to) {
  std::string text = slurp(path);
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  std::ofstream(path, std::ios::binary) << text;
}

/// Overwrites the last float of a tensor, in a file that then has no checksum.
void poke(const std::filesystem::path& path, const std::string& name, float value) {
  std::string bytes = slurp(path);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto parsed = parse_safetensors(as_bytes(bytes), name);
  const auto at =
      static_cast<std::size_t>(std::lower_bound(parsed.names.begin(), parsed.names.end(), name) - parsed.names.begin());
  const auto end = reinterpret_cast<const char*>(parsed.tensors[at].bytes.data()) - bytes.data() +
                   std::ssize(parsed.tensors[at].bytes);
  std::memcpy(bytes.data() + end - sizeof value, &value, sizeof value);
  if (const auto key = bytes.find("\"checksum\""); key != std::string::npos) bytes.replace(key, 10, "\"unsigned\"");
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("settings: a classifier takes what is left open from the encoder's directory; what is asked for wins") {
  const TemporaryFolder folder;
  for (const Pooling pooling : {Pooling::cls, Pooling::mean, Pooling::pooler}) {
    const auto place = sentence_encoder(folder, pooling, 9, true);
    const Classifier<> model(place, tiny_classes);
    CHECK(model.network().pooling() == pooling);
    CHECK(model.options().pooling == pooling);
    CHECK(model.options().max_length == 9);
    CHECK(model.options().normalized);
    const Classifier<> other(place, tiny_classes, {.pooling = Pooling::mean, .max_length = 12});
    CHECK(other.network().pooling() == Pooling::mean);
    CHECK(other.options().max_length == 12);
  }
  sentence_encoder(folder, Pooling::mean, 1000, false);
  CHECK(Classifier<>(folder / "encoder", tiny_classes).options().max_length == 16);  // the encoder has no more
  write_encoder(folder / "plain");
  const Classifier<> plain(folder / "plain", tiny_classes);
  CHECK(plain.network().pooling() == Pooling::mean);
  CHECK(plain.options().max_length == 16);  // 128, and no more than there are
  CHECK_FALSE(plain.options().normalized);
}

TEST_CASE("settings: a length of tokenizer_config.json that is none is refused, one without limit is not") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const auto error = [&](const std::string& length) {
    folder.file("encoder/tokenizer_config.json", "{\"model_max_length\": " + length + "}");
    return message_of<FormatError>([&] { Classifier<>(folder / "encoder", tiny_classes, tiny_options()); });
  };
  for (const std::string length : {"\"512\"", "-1", "0", "1.5", "2", "true"}) {
    INFO(length);
    CHECK(contains(error(length), "tokenizer_config.json: model_max_length: " + length + " given"));
  }
  for (const std::string length : {"512", "16.0", "null", "1000000000000000019884624838656", "1e30"})
    CHECK(error(length) == "nothing thrown");
}

TEST_CASE("settings: a pipe in place of a file of a model is refused at once") {
  const TemporaryFolder folder;
  tiny_classifier(folder.path()).save(folder / "saved");
  for (const char* name : {"knnbert.json", "config.json", "tokenizer.json", "knnbert.safetensors", "model.safetensors",
                           "datastore.safetensors"}) {
    const auto path = folder / "saved" / name;
    std::filesystem::rename(path, folder / "kept");
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    INFO(name);
    CHECK(contains(message_of<IoError>([&] { Classifier<>::load(folder / "saved"); }),
                   std::string(name) + ": not a regular file"));
    std::filesystem::remove(path);
    std::filesystem::rename(folder / "kept", path);
  }
}

TEST_CASE("settings: an encoder whose embeddings cannot be computed is refused, unless a pooling is asked for") {
  const TemporaryFolder folder;
  const auto place = sentence_encoder(folder, Pooling::mean, 9, false);
  rewrite_setting(place / "1_Pooling/config.json", "\"pooling_mode_max_tokens\": false",
                  "\"pooling_mode_max_tokens\": true");
  CHECK(contains(message_of<FormatError>([&] { Classifier<>(place, tiny_classes); }),
                 "pooling max and mean given, cls or mean expected, or a pooling asked for by name"));
  CHECK(Classifier<>(place, tiny_classes, {.pooling = Pooling::cls}).network().pooling() == Pooling::cls);
}

TEST_CASE("settings: a saved model tells sentence-transformers the same, and saved again the same") {
  const TemporaryFolder folder;
  const Classifier<> model(sentence_encoder(folder, Pooling::cls, 9, true), tiny_classes);
  model.save(folder / "first");
  Classifier<>::load(folder / "first").save(folder / "second");
  for (const std::string saved : {"first", "second"}) {
    const auto settings = read_sentence_settings(folder / saved);
    CHECK(settings.require_pooling() == Pooling::cls);
    CHECK(settings.max_length == 9);
    CHECK(settings.normalized);
  }
  CHECK(Classifier<>(folder / "second", tiny_classes).options().max_length == 9);  // as an encoder
}

TEST_CASE("settings: a bad value of knnbert.json is a format error with file and key") {
  const TemporaryFolder folder;
  tiny_classifier(folder.path(), {.pooling = Pooling::cls, .max_length = 11}).save(folder / "saved");
  const auto path = folder / "saved" / "knnbert.json";
  const auto whole = slurp(path);
  const std::tuple<const char*, const char*, const char*> changes[] = {
      {"\"neighbors\": 10", "\"neighbors\": 0", "neighbors: 0 given, 1 to"},
      {"\"neighbors\": 10", "\"neighbors\": -3", "neighbors: -3 given"},
      {"\"neighbors\": 10", "\"neighbors\": \"ten\"", "neighbors: \"ten\" given"},
      {"\"max_length\": 11", "\"max_length\": 2", "max_length: 2 given, 3 to 16 expected"},
      {"\"max_length\": 11", "\"max_length\": 17", "max_length: 17 given, 3 to 16 expected"},
      {"\"seed\": 42", "\"seed\": -1", "seed: -1 given"},
      {"\"phi\": 0.1", "\"phi\": 2", "phi 2 given"},
      {"\"pooling\": \"cls\"", "\"pooling\": \"max\"", "pooling: 'max' given, one of pooler, cls, mean expected"},
      {"\"head\": \"mlp\"", "\"head\": \"tree\"", "head: 'tree' given"},
      {"\"feature\": \"contrastive\"", "\"feature\": \"x\"", "feature: 'x' given"},
      {"\"precision\": \"fp32\"", "\"precision\": \"fp8\"", "precision: 'fp8' given"},
      {"\"projection_width\": 20", "\"projection_width\": -1", "projection_width: -1 given"},
      {"\"money\"", "\"card\"", "classes: ClassNames: class 'card' given twice"},
      {"\"head_classes\": 3", "\"head_classes\": 4", "head_classes 4 given"},
      {"\"normalized\": false", "\"normalized\": 1", "normalized: 1 given"},
      {"\"schema\": 1", "\"schema\": \"1\"", "schema: \"1\" given"}};
  for (const auto& [from, to, expected] : changes) {
    rewrite_setting(path, from, to);
    const auto message = message_of<FormatError>([&] { Classifier<>::load(folder / "saved"); });
    INFO(to << ": " << message);
    CHECK(message.starts_with(path.string()));
    CHECK(contains(message, expected));
    std::ofstream(path, std::ios::binary) << whole;
  }
  rewrite_setting(path, "[\n", "[], \"x\": [\n");
  CHECK(contains(message_of<FormatError>([&] { Classifier<>::load(folder / "saved"); }), "knnbert.json: "));
}

TEST_CASE("settings: a pooler that the encoder does not have is refused at once") {
  const TemporaryFolder folder;
  auto config = tiny_config();
  config.pooler = false;
  write_encoder(folder / "encoder", 1, config);
  CHECK(contains(
      message_of<OptionError>([&] { Classifier<>(folder / "encoder", tiny_classes, {.pooling = Pooling::pooler}); }),
      "the encoder has none"));
  tiny_classifier(folder.path()).save(folder / "saved");
  rewrite_setting(folder / "saved" / "knnbert.json", "\"mean\"", "\"pooler\"");
  CHECK(contains(message_of<FormatError>([&] { Classifier<>::load(folder / "saved"); }),
                 "knnbert.json: pooling: pooler given, but the encoder has none"));
}

TEST_CASE("settings: added tokens without a row of the token embeddings are refused, others are saved") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  folder.file("encoder/added_tokens.json", R"({"zx81": 30, "c++": 31})");
  auto model = Classifier<>(folder / "encoder", tiny_classes, tiny_options());
  const std::vector<std::string> texts{"my zx81 is lost c++"};
  const auto ids = model.tokenize(texts).ids;
  CHECK(std::count(ids.begin(), ids.end(), 30) == 1);
  CHECK(std::count(ids.begin(), ids.end(), 31) == 1);
  model.save(folder / "saved");
  CHECK(Classifier<>::load(folder / "saved").tokenize(texts).ids == ids);
  folder.file("encoder/added_tokens.json", R"({"zx81": 40})");
  CHECK(contains(message_of<FormatError>([&] { Classifier<>(folder / "encoder", tiny_classes, tiny_options()); }),
                 "a tokenizer of 41 tokens given"));
}

TEST_CASE(
    "settings: numbers that are not finite are refused in heads too, and embeddings of diverged parameters are named") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.save(folder / "saved");
  const auto path = folder / "saved" / "knnbert.safetensors";
  const auto whole = slurp(path);
  const auto names = SafeTensors(path).names();
  for (const auto& name : names) {
    poke(path, name, std::numeric_limits<float>::quiet_NaN());
    CHECK(contains(message_of<FormatError>([&] { Classifier<>::load(folder / "saved"); }),
                   format("knnbert.safetensors: tensor '{}': NaN or infinity given", name)));
    std::ofstream(path, std::ios::binary) << whole;
  }
  auto& values = model.network().values();
  for (index_t i = 0; i < values.size(); ++i) values.data()[i] *= 1e30f;
  CHECK(contains(message_of<NonFiniteError>([&] { model.index(tiny_data()); }), "a smaller learning rate"));
  CHECK(model.datastore().size() == 0);
  CHECK_THROWS_AS(model.predict("card"), NonFiniteError);
}
