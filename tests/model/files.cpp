// Model directories: round trips, damaged files, interrupted writes.
#include "knnbert/io/json.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// A model with everything that a directory stores, away from its defaults.
Classifier<> rich_model(const std::filesystem::path& folder) {
  ClassifierOptions options{.pooling = Pooling::cls,
                            .projection_width = 12,
                            .feature = Feature::embedding,
                            .neighbors = 7,
                            .max_length = 11,
                            .seed = 5};
  auto model = tiny_classifier(folder, options);
  model.index(tiny_data());
  model.fusion().phi = 0.35f;
  model.add(std::vector<std::string>{"hello my new", "hello"}, "greeting");
  model.remove(std::vector<example_id>{model.datastore().ids()[3]});
  return model;
}

std::string load_error(const std::filesystem::path& folder) {
  return message_of<Error>([&] { Classifier<>::load(folder); });
}

/// Replaces the first occurrence in a file.
void edit(const std::filesystem::path& path, const std::string& from, const std::string& to) {
  std::string text = slurp(path);
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  std::ofstream(path, std::ios::binary) << text;
}

const std::vector<std::string> files{"config.json",           "model.safetensors", "tokenizer.json",
                                     "tokenizer_config.json", "knnbert.json",      "knnbert.safetensors",
                                     "datastore.safetensors"};

}  // namespace

TEST_CASE("model files: a loaded model predicts the same bits, for any number of threads") {
  const TemporaryFolder folder;
  const auto model = rich_model(folder.path());
  const auto expected = model.predict(tiny_texts);
  model.save(folder / "saved");
  for (const index_t threads : {1, 3}) {
    const auto loaded = Classifier<>::load(folder / "saved", threads);
    CHECK(same(loaded.predict(tiny_texts), expected));
    CHECK(*loaded.classes() == *model.classes());
    CHECK(loaded.network().classes() == 3);
    CHECK(loaded.neighbors() == 7);
    CHECK(loaded.fusion().phi == 0.35f);
    CHECK(loaded.options().pooling == Pooling::cls);
    CHECK(loaded.options().feature == Feature::embedding);
    CHECK(loaded.options().max_length == 11);
    CHECK(loaded.options().seed == 5);
    CHECK(loaded.options().threads == threads);
    CHECK(loaded.datastore().ids() == model.datastore().ids());
    CHECK(same_values(loaded.network().values(), model.network().values()));
  }
}

TEST_CASE("model files: saved again, every file has the same bytes") {
  const TemporaryFolder folder;
  rich_model(folder.path()).save(folder / "first");
  Classifier<>::load(folder / "first").save(folder / "second");
  for (const auto& name : files) {
    INFO(name);
    REQUIRE(std::filesystem::exists(folder / "first" / name));
    CHECK(slurp(folder / "first" / name) == slurp(folder / "second" / name));
  }
}

TEST_CASE("model files: live changes go on after loading, with new ids") {
  const TemporaryFolder folder;
  auto model = rich_model(folder.path());
  const auto last = model.add(std::vector<std::string>{"cash"}, "money");
  model.remove(last);
  model.save(folder / "saved");
  auto loaded = Classifier<>::load(folder / "saved");
  const auto next = loaded.add(std::vector<std::string>{"cash"}, "another class");
  CHECK(next[0] > last[0]);
  CHECK(loaded.classes()->size() == 5);
  CHECK(loaded.predict("cash").neighbors[0].class_name == "another class");
  loaded.save(folder / "saved");
  CHECK(Classifier<>::load(folder / "saved").classes()->size() == 5);
}

TEST_CASE("model files: every pooling, head and feature comes back") {
  const TemporaryFolder folder;
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::pooler})
    for (const bool hidden_layer : {true, false})
      for (const Feature feature : {Feature::contrastive, Feature::embedding}) {
        const auto model = tiny_classifier(
            folder.path(),
            {.pooling = pooling, .head_hidden_layer = hidden_layer, .feature = feature, .max_length = 12});
        model.save(folder / "saved");
        const auto loaded = Classifier<>::load(folder / "saved");
        CHECK(same(loaded.predict(tiny_texts), model.predict(tiny_texts)));
        CHECK(loaded.options().head_hidden_layer == hidden_layer);
        CHECK(loaded.network().projection_width() == 20);
        const bool sequence = pooling == Pooling::pooler && !hidden_layer;
        CHECK(SafeTensors(folder / "saved" / "model.safetensors").find("classifier.weight").has_value() == sequence);
        CHECK(read_json(folder / "saved" / "config.json").at("architectures")[0] ==
              (sequence ? "BertForSequenceClassification" : "BertModel"));
      }
}

TEST_CASE("model files: examples of another encoder are refused") {
  const TemporaryFolder folder;
  rich_model(folder.path()).save(folder / "saved");
  write_encoder(folder / "other", 2);
  auto other = Classifier<>(folder / "other", tiny_classes,
                            {.pooling = Pooling::cls, .projection_width = 12, .max_length = 11, .seed = 5});
  other.save(folder / "changed");
  std::filesystem::copy_file(folder / "saved" / "datastore.safetensors", folder / "changed" / "datastore.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(contains(load_error(folder / "changed"), "fingerprint"));
  // New weights behind old examples.
  std::filesystem::copy_file(folder / "changed" / "knnbert.safetensors", folder / "saved" / "knnbert.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(load_error(folder / "saved") == "nothing thrown");  // the same seed, the same heads
  std::filesystem::copy_file(folder / "changed" / "model.safetensors", folder / "saved" / "model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(contains(load_error(folder / "saved"), "fingerprint"));
}

TEST_CASE("model files: a missing file is an error that names it") {
  const TemporaryFolder folder;
  rich_model(folder.path()).save(folder / "saved");
  for (const auto& name : files) {
    if (name == "tokenizer_config.json") continue;
    std::filesystem::rename(folder / "saved" / name, folder / "kept");
    INFO(name);
    if (name != "tokenizer.json") CHECK(contains(load_error(folder / "saved"), name));
    std::filesystem::rename(folder / "kept", folder / "saved" / name);
  }
  CHECK(load_error(folder / "saved") == "nothing thrown");
  CHECK_THROWS_AS(Classifier<>::load(folder / "nowhere"), IoError);
}

TEST_CASE("model files: damaged settings are refused with file and reason") {
  const TemporaryFolder folder;
  const auto model = rich_model(folder.path());
  const auto error = [&](const std::string& from, const std::string& to) {
    model.save(folder / "saved");
    edit(folder / "saved" / "knnbert.json", from, to);
    return load_error(folder / "saved");
  };
  CHECK(contains(error("\"schema\": 1", "\"schema\": 2"), "schema 2 given, 1 expected"));
  CHECK(contains(error("\"cls\"", "\"sum\""), "'sum' given"));
  CHECK(contains(error("\"feature\": \"embedding\"", "\"feature\": 3"), "feature"));
  CHECK(contains(error("\"head_classes\": 3", "\"head_classes\": 0"), "head_classes 0 given, 1 to 4 expected"));
  CHECK(contains(error("\"head_classes\": 3", "\"head_classes\": 5"), "head_classes 5 given, 1 to 4 expected"));
  CHECK(contains(error("\"head_classes\": 3", "\"head_classes\": 2"), "classifier.out_proj"));
  CHECK(contains(error("\"neighbors\": 7", "\"neighbors\": 0"), "neighbors: 0 given, 1 to"));
  CHECK(contains(error("\"neighbors\": 7,", ""), "neighbors"));
  CHECK(contains(error("\"max_length\": 11", "\"max_length\": 1000"), "max_length: 1000 given, 3 to 16 expected"));
  CHECK(contains(error("\"greeting\"", "\"card\""), "class 'card'"));
  CHECK(contains(error("\"greeting\"", "\"farewell\""), "classes"));
  CHECK(contains(error("\"projection_width\": 12", "\"projection_width\": 13"), "expected"));
  CHECK(contains(error("\"head\": \"mlp\"", "\"head\": \"linear\""), "fingerprint"));
  CHECK(contains(error("\"head\": \"mlp\"", "\"head\": \"tree\""), "'tree' given"));
  CHECK(contains(error("\"phi\": 0.35", "\"phi\": 7"), "phi"));
  CHECK(contains(error("{", "{,"), "knnbert.json:1"));
}

TEST_CASE("model files: sizes that the tensors do not have are refused before memory is taken for them") {
  const TemporaryFolder folder;
  const auto model = rich_model(folder.path());
  model.save(folder / "saved");
  edit(folder / "saved" / "knnbert.json", "\"projection_width\": 12", "\"projection_width\": 1000000000000");
  CHECK(contains(load_error(folder / "saved"), "expected"));
  model.save(folder / "saved");
  edit(folder / "saved" / "knnbert.json", "\"neighbors\": 7", "\"neighbors\": 1000000000000000");
  CHECK(
      contains(load_error(folder / "saved"), "knnbert.json: neighbors: 1000000000000000 given, 1 to 1048576 expected"));
  model.save(folder / "saved");
  edit(folder / "saved" / "knnbert.json", "\"neighbors\": 7", "\"neighbors\": 1048576");
  const auto loaded = Classifier<>::load(folder / "saved");
  CHECK(loaded.predict("card").neighbors.size() == 41);
}

TEST_CASE("model files: no prefix of any file loads or crashes") {
  const TemporaryFolder folder;
  rich_model(folder.path()).save(folder / "saved");
  for (const auto& name : files) {
    if (name == "tokenizer_config.json") continue;
    const auto path = folder / "saved" / name;
    const std::string bytes = slurp(path);
    for (std::size_t part = 0; part < 12; ++part) {
      INFO(name << " " << part);
      std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() * part / 12);
      CHECK(load_error(folder / "saved") != "nothing thrown");
    }
    std::ofstream(path, std::ios::binary) << bytes;
  }
  CHECK(load_error(folder / "saved") == "nothing thrown");
}

TEST_CASE("model files: a save that fails leaves the old model; other files of the folder stay") {
  const TemporaryFolder folder;
  auto model = rich_model(folder.path());
  model.save(folder / "saved");
  std::ofstream(folder / "saved" / "notes.txt") << "mine";
  std::filesystem::create_directory(folder / "saved" / "checkpoint-3");
  std::ofstream(folder / "saved" / "checkpoint-3" / "state") << "kept";
  const auto expected = model.predict(tiny_texts);
  // A folder in the place of a file that a save writes.
  model.add(std::vector<std::string>{"cash"}, "another class");
  std::filesystem::remove(folder / "saved" / "modules.json");
  std::filesystem::create_directory(folder / "saved" / "modules.json");
  CHECK_THROWS_AS(model.save(folder / "saved"), IoError);
  CHECK(same(Classifier<>::load(folder / "saved").predict(tiny_texts), expected));
  CHECK(slurp(folder / "saved" / "notes.txt") == "mine");
  CHECK(folder.count() == 2);  // encoder and saved: nothing temporary is left
  std::filesystem::remove(folder / "saved" / "modules.json");
  const auto again = rich_model(folder.path());
  again.save((folder / "saved").string() + "/");
  CHECK(slurp(folder / "saved" / "notes.txt") == "mine");
  CHECK(slurp(folder / "saved" / "checkpoint-3" / "state") == "kept");
  CHECK(folder.count() == 2);
  CHECK(same(Classifier<>::load(folder / "saved").predict(tiny_texts), expected));
}

TEST_CASE("model files: places that cannot be written") {
  const TemporaryFolder folder;
  const auto model = rich_model(folder.path());
  const auto file = folder.file("file", "precious");
  CHECK_THROWS_AS(model.save(file), IoError);
  CHECK_THROWS_AS(model.save(file / "below"), IoError);
  CHECK(slurp(file) == "precious");
  model.save(folder / "a" / "new" / "place");
  CHECK(Classifier<>::load(folder / "a" / "new" / "place").neighbors() == 7);
}

TEST_CASE("model files: tensors and tokens for transformers are left in the reference folder") {
  const auto target = folder("KNNBERT_REFERENCE");
  if (!target) {
    WARN("skipped: KNNBERT_REFERENCE names no folder");
    return;
  }
  for (const std::string name :
       {"linear_pooler", "mlp_mean", "distilbert_mean", "roberta_mean", "roberta_linear_pooler"}) {
    const TemporaryFolder place;
    auto options = tiny_options();
    if (name.ends_with("linear_pooler")) options.pooling = Pooling::pooler, options.head_hidden_layer = false;
    write_encoder(place / "encoder", 1,
                  name == "distilbert_mean"     ? tiny_distilbert_config()
                  : name.starts_with("roberta") ? tiny_roberta_config()
                                                : tiny_config());
    auto model = tiny_classifier(place.path(), options);
    model.index(tiny_data());
    const auto where = *target / "saved_model" / name;
    std::filesystem::create_directories(where.parent_path());
    model.save(where);

    const Batch batch = model.tokenize(tiny_texts);
    Network<DefaultStack>::pass_type pass;
    model.network().forward(model.network().values(), batch, {.keep = Keep::hidden}, pass);
    const std::vector<std::int64_t> ids(batch.ids.begin(), batch.ids.end()),
        offsets(batch.offsets.begin(), batch.offsets.end());
    std::vector<std::uint8_t> text;
    std::vector<std::int64_t> text_offsets{0};
    for (const auto& t : tiny_texts) {
      text.insert(text.end(), t.begin(), t.end());
      text_offsets.push_back(std::ssize(text));
    }
    SafeTensorsWriter file;
    const auto add = [&](const std::string& tensor, ConstView m) {
      file.add_rows(tensor, {m.rows(), m.cols()},
                    [m](index_t row, std::span<float> out) { std::copy_n(m.row(row).data(), m.cols(), out.begin()); });
    };
    for (index_t l = 0; l <= pass.layers(); ++l) add(format("hidden.{}", l), pass.hidden(l));
    add("embedding", pass.embedding());
    add("logits", pass.logits());
    file.add("ids", {std::ssize(ids)}, std::span(ids));
    file.add("offsets", {std::ssize(offsets)}, std::span(offsets));
    file.add("text", {std::ssize(text)}, std::span(text));
    file.add("text_offsets", {std::ssize(text_offsets)}, std::span(text_offsets));
    file.write(*target / "saved_model" / (name + ".safetensors"));
    CHECK(std::filesystem::exists(where / "config.json"));
  }
}
