// Policies of a user's own in model directories, and what a directory must say of what made its keys.
#include "knnbert/datastore/flat_file.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// Numbers of any names and bounds.
struct Sharpened {
  float alpha = 1, phi = 2;

  template <class Visit>
  void settings(Visit&& visit) {
    visit("alpha", alpha, 0.5f, 4.0f);
    visit("phi", phi, 0.0f, 3.0f);
  }
  void operator()(std::span<const float> head, std::span<const float> knn, std::span<float> out) const {
    for (std::size_t c = 0; c < out.size(); ++c) out[c] = std::min(1.0f, alpha * head[c] + phi * knn[c]) / 10;
  }
};
struct Powered : MajorityVoting {
  float phi = 5;

  template <class Visit>
  void settings(Visit&& visit) {
    visit("phi", phi, 1.0f, 9.0f);
  }
};
struct OwnStack : DefaultStack {
  using fusion_type = Sharpened;
  using voting_type = Powered;
};

/// Has name and phi of what it derives from, and computes something else.
struct Halved : ConvexFusion {
  void operator()(std::span<const float> head, std::span<const float> knn, std::span<float> out) const {
    ConvexFusion::operator()(head, knn, out);
    for (float& p : out) p /= 2;
  }
};
struct HalvedStack : DefaultStack {
  using fusion_type = Halved;
};
/// Has the parameters of what it derives from, and computes something else.
struct DoubledHead : MlpHead {
  static DoubledHead declare(ParameterTable& table, const std::string& name, index_t inputs,
                             const HeadOptions& options) {
    return {BasicMlpHead::declare(table, name, inputs, options)};
  }
  void forward(const ParameterBlock& values, ConstView x, const std::optional<Rng>& dropout, index_t first_example,
               HeadTape& tape, View out) const {
    BasicMlpHead::forward(values, x, dropout, first_example, tape, out);
    for (index_t i = 0; i < out.rows(); ++i)
      for (float& y : out.row(i)) y *= 2;
  }
};
struct DoubledStack : DefaultStack {
  using head_type = DoubledHead;
};
struct NoNumber {
  void operator()(std::span<const float>, std::span<const float>, std::span<float> out) const {
    std::fill(out.begin(), out.end(), std::numeric_limits<float>::infinity());
  }
};
struct NoNumberStack : DefaultStack {
  using fusion_type = NoNumber;
};

template <class Stack = DefaultStack>
Classifier<Stack> indexed_model(const TemporaryFolder& folder) {
  if (!std::filesystem::exists(folder / "encoder")) write_encoder(folder / "encoder");
  Classifier<Stack> model(folder / "encoder", tiny_classes, tiny_options());
  model.set_head_trained(true);
  model.index(tiny_data());
  return model;
}

template <class Stack = DefaultStack>
std::string error_of(const std::filesystem::path& saved) {
  return message_of<FormatError>([&] { Classifier<Stack>::load(saved); });
}

/// Sets, or with a null removes, a key of a JSON file.
void set_json(const std::filesystem::path& path, const std::string& key, const Json& value) {
  Json json = read_json(path);
  if (value.is_null()) json.erase(key);
  else json[key] = value;
  write_json(path, json);
}

}  // namespace

TEST_CASE("policies: the numbers of a user's come back, each under its role, within the bounds that it says") {
  const TemporaryFolder folder;
  auto model = indexed_model<OwnStack>(folder);
  model.fusion() = {.alpha = 0.75f, .phi = 3};
  model.voting().phi = 7;
  const auto saved = folder / "saved", path = saved / "knnbert.json";
  model.save(saved);
  const auto loaded = Classifier<OwnStack>::load(saved);
  CHECK(loaded.fusion().alpha == 0.75f);
  CHECK(loaded.fusion().phi == 3);
  CHECK(loaded.voting().phi == 7);
  CHECK(same(loaded.predict(tiny_texts), model.predict(tiny_texts)));
  const Json json = read_json(path);
  CHECK(json.at("fusion.alpha") == 0.75);
  CHECK(json.at("voting.phi") == 7);
  set_json(path, "voting.phi", 10);
  CHECK(contains(error_of<OwnStack>(saved), "knnbert.json: voting.phi 10 given, 1 to 9 expected"));
  model.fusion().alpha = 5;
  CHECK(contains(message_of<OptionError>([&] { model.save(saved); }), "fusion.alpha 5 given, 0.5 to 4 expected"));
}

TEST_CASE("policies: a built-in's numbers have the keys that they had") {
  const TemporaryFolder folder;
  auto model = indexed_model(folder);
  model.fusion().phi = 0.25f;
  model.voting() = {.kind = VotingKind::distance, .temperature = 0.5f, .closest = 2, .epsilon = 0.125f};
  model.save(folder / "saved");
  const Json json = read_json(folder / "saved/knnbert.json");
  CHECK(json.at("phi") == 0.25);
  CHECK(json.at("voting_temperature") == 0.5);
  CHECK(json.at("voting_closest") == 2);
  CHECK(json.at("voting_epsilon") == 0.125);
  CHECK_FALSE(json.contains("fusion_type"));
  const auto loaded = Classifier<>::load(folder / "saved");
  CHECK(loaded.voting().kind == VotingKind::distance);
  CHECK(loaded.voting().closest == 2);
}

TEST_CASE("policies: what derives from a built-in policy is not taken for it, neither by files nor by certificates") {
  const TemporaryFolder folder;
  const auto model = indexed_model<HalvedStack>(folder);
  CHECK_FALSE(model.predict("lost card").certificate.combined.has_value());
  CHECK(model.predict("lost card").certificate.knn.has_value());
  CHECK(indexed_model(folder).predict("lost card").certificate.combined.has_value());
  CHECK_FALSE(indexed_model<OwnStack>(folder).predict("lost card").certificate.knn.has_value());
  const auto saved = folder / "saved";
  model.save(saved);
  CHECK(error_of<HalvedStack>(saved) == "nothing thrown");
  CHECK(contains(error_of(saved), "knnbert.json: fusion of type 'Halved' given, one of this library expected"));
  set_json(saved / "knnbert.json", "fusion_type", nullptr);  // as older versions wrote it
  CHECK(error_of<HalvedStack>(saved) == "nothing thrown");
}

TEST_CASE("policies: a head of a user's own is named, and other programs are not told that its layer is the head") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  ClassifierOptions options = tiny_options();
  options.head_hidden_layer = false;
  options.pooling = Pooling::pooler;
  const auto save = [&]<class Stack>(Stack, const char* name) {
    Classifier<Stack> model(folder / "encoder", tiny_classes, options);
    model.index(tiny_data());
    model.save(folder / name);
  };
  save(DoubledStack(), "doubled");
  save(DefaultStack(), "plain");
  CHECK(error_of<DoubledStack>(folder / "doubled") == "nothing thrown");
  CHECK(contains(error_of(folder / "doubled"),
                 "knnbert.json: head of type 'DoubledHead' given, one of this library expected"));
  CHECK(contains(error_of<DoubledStack>(folder / "plain"),
                 "knnbert.json: head of this library given, one of type 'DoubledHead' expected"));
  const auto architecture = [&](const char* name) {
    return read_json(folder / name / "config.json").at("architectures").at(0).get<std::string>();
  };
  CHECK(architecture("plain") == "BertForSequenceClassification");
  CHECK(architecture("doubled") == "BertModel");
}

TEST_CASE("policies: an encoder of another stack is named before its files are missed") {
  const TemporaryFolder folder;
  indexed_model(folder).save(folder / "saved");
  std::filesystem::remove(folder / "saved/config.json");
  set_json(folder / "saved/knnbert.json", "encoder", "Bag");
  CHECK(contains(error_of(folder / "saved"), "knnbert.json: encoder 'Bag' given, 'bert' of this stack expected"));
}

TEST_CASE("policies: what configuration and tokenizer made of texts must be what it was") {
  const TemporaryFolder folder;
  const auto model = indexed_model(folder);
  const auto saved = folder / "saved";
  const std::pair<const char*, Json> changes[] = {
      {"num_attention_heads", 4}, {"hidden_act", "relu"}, {"layer_norm_eps", 1e-5}};
  for (const auto& [key, value] : changes) {
    model.save(saved);
    set_json(saved / "config.json", key, value);
    INFO(key);
    CHECK(contains(error_of(saved), "knnbert.json: function is"));
    set_json(saved / "knnbert.json", "function", nullptr);  // as in older models
    CHECK(error_of(saved) == "nothing thrown");
  }
  model.save(saved);
  set_json(saved / "config.json", "attention_probs_dropout_prob", 0.3);
  CHECK(error_of(saved) == "nothing thrown");
  Json tokenizer = read_json(saved / "tokenizer.json");
  auto& words = tokenizer["model"]["vocab"];
  std::swap(words["card"], words["euro"]);
  write_json(saved / "tokenizer.json", tokenizer);
  CHECK(contains(error_of(saved), "knnbert.json: function is"));
}

TEST_CASE("policies: keys that this model cannot have made are refused with the file") {
  const TemporaryFolder folder;
  const auto model = indexed_model(folder);
  const auto saved = folder / "saved", path = saved / "datastore.safetensors";
  model.save(saved);
  const auto print = SafeTensors(path).metadata().at("fingerprint");
  const auto names = *model.classes();
  FlatDatastore<Cosine> narrow(11);
  Matrix keys(2, 11);
  for (index_t i = 0; i < 2; ++i) keys(i, i) = 1;
  narrow.add(keys, std::vector<label_t>{0, 1}, std::vector<std::string>{"a", "b"});
  narrow.save(path, print, names);
  CHECK(contains(error_of(saved), "datastore.safetensors: tensor 'keys': shape [2, 11] given, [2, 12] expected"));

  const std::vector<float> unit{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, zero(12), longer(12, 1);
  detail::DatastoreEntries entries;
  entries.width = 12, entries.keys = {unit.data(), zero.data()}, entries.labels = entries.ids = {0, 1};
  entries.texts.push_back("a"), entries.texts.push_back("b"), entries.next_id = 2;
  detail::write_datastore(entries, "cosine", path, print, names);
  CHECK(error_of(saved) == "nothing thrown");
  entries.keys[1] = longer.data();
  detail::write_datastore(entries, "cosine", path, print, names);
  CHECK(contains(error_of(saved), "datastore.safetensors: the key of entry 1 is not one that cosine prepares"));
}

TEST_CASE("policies: names that no file could hold are refused before a training") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const auto error = [&](const std::vector<std::string>& names) {
    return message_of<OptionError>([&] { Classifier<>(folder / "encoder", names, tiny_options()); });
  };
  CHECK(contains(error({"ok", "caf\xe9"}), "class 'caf' with malformed UTF-8 at byte 3 given"));
  CHECK(contains(error({"ok", ""}), "empty name"));
  auto model = indexed_model(folder);
  CHECK_THROWS_AS(model.add(std::vector<std::string>{"card"}, "caf\xe9"), OptionError);
  CHECK(model.classes()->size() == 3);
  CHECK_THROWS_AS(model.set_neighbors(ClassifierOptions::most_neighbors + 1), OptionError);
}

TEST_CASE("policies: answers that are no numbers are errors") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(indexed_model<NoNumberStack>(folder).predict("card"), NonFiniteError);
  auto model = indexed_model(folder);
  const auto bias = model.network().values().table().find("classifier.out_proj.bias");
  REQUIRE(bias >= 0);
  model.network().values().slice(bias)[0] = std::numeric_limits<float>::quiet_NaN();
  model.index(tiny_data());
  CHECK_THROWS_AS(model.predict("card"), NonFiniteError);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& [mean, scale] : {std::pair(nan, 1.0f), {0.0f, 0.0f}, {0.0f, nan}, {0.0f, -1.0f}})
    CHECK_THROWS_AS(model.set_scale(mean, scale), OptionError);
  model.set_scale(2, 3);
  CHECK(model.task().scale == 3);
}
