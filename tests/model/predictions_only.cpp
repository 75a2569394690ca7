// Models loaded for predictions in reduced precision: the same answers, less memory, no way back.
#include "encoder/reference.hpp"
#include "knnbert/model/interpolation.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/train/refit_head.hpp"
#include "knnbert/train/trainer.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

struct LowStack : DefaultStack {
  using encoder_type = BasicBert<DefaultArch, AnyPrecision>;
};
using Low = Classifier<LowStack>;

/// Writes a model directory in the precision.
void write_model(const std::filesystem::path& folder, Precision precision) {
  write_encoder(folder / "encoder");
  auto options = tiny_options();
  options.precision = precision;
  Low model(folder / "encoder", tiny_classes, options);
  model.index(tiny_data());
  model.save(folder / "saved");
}

/// Changes the lowest bit of a tensor's last float.
void flip_bit(const std::filesystem::path& path, const std::string& tensor) {
  std::string bytes = slurp(path);
  const auto parsed = parse_safetensors(as_bytes(bytes), tensor);
  const auto at = std::lower_bound(parsed.names.begin(), parsed.names.end(), tensor) - parsed.names.begin();
  const auto& view = parsed.tensors[static_cast<std::size_t>(at)].bytes;
  const auto place = reinterpret_cast<const char*>(view.data()) - bytes.data() + std::ssize(view) - 4;
  bytes[static_cast<std::size_t>(place)] = static_cast<char>(bytes[static_cast<std::size_t>(place)] ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Leaves out of a file what versions before had not written.
void make_older(const std::filesystem::path& path) {
  std::ofstream(path.string() + ".new", std::ios::binary) << slurp(path);
  const SafeTensors source(path.string() + ".new");
  SafeTensorsWriter file;
  for (const auto& [key, value] : source.metadata())
    if (key != "checksum" && key != "encoder_others") file.metadata(key, value);
  for (const auto& name : source.names())
    file.add(name, source.at(name).dtype, source.at(name).shape, source.at(name).bytes);
  file.write(path);
}

std::string damage_found(const std::filesystem::path& saved) {
  return message_of<FormatError>([&] { Low::load(saved, 1, std::nullopt, Loading::predictions); });
}

}  // namespace

TEST_CASE("predictions only: a bit that changed in what is read is refused; files of older versions say nothing") {
  for (const Precision precision : {Precision::bf16, Precision::int8})
    for (const bool cached : {true, false}) {
      const TemporaryFolder folder;
      write_model(folder.path(), precision);
      const auto saved = folder / "saved", weights = saved / "model.safetensors", heads = saved / "knnbert.safetensors";
      if (!cached) std::filesystem::remove(saved / "lowered.safetensors");
      const auto kept = slurp(weights), kept_heads = slurp(heads);
      for (const char* tensor : {"embeddings.LayerNorm.weight", "embeddings.word_embeddings.weight",
                                 "encoder.layer.0.attention.self.query.bias"}) {
        flip_bit(weights, tensor);
        INFO(tensor << damage_found(saved));
        CHECK(contains(damage_found(saved), "model.safetensors: the checksum of what is"));
        std::ofstream(weights, std::ios::binary) << kept;
      }
      flip_bit(heads, "classifier.dense.weight");
      CHECK(contains(damage_found(saved), "knnbert.safetensors: the checksum"));
      std::ofstream(heads, std::ios::binary) << kept_heads;
      CHECK(damage_found(saved) == "nothing thrown");
      for (const char* name : {"model.safetensors", "knnbert.safetensors", "lowered.safetensors"})
        if (std::filesystem::exists(saved / name)) make_older(saved / name);
      CHECK(damage_found(saved) == "nothing thrown");
    }
}

TEST_CASE("predictions only: what would change the values is refused, and the model answers as before") {
  const TemporaryFolder folder;
  write_model(folder.path(), Precision::bf16);
  const auto saved = folder / "saved";
  const ParameterBlock start = Low::load(saved).network().values();
  Low model = Low::load(saved, 1, std::nullopt, Loading::predictions);
  const auto before = model.predict(tiny_texts);
  CHECK_THROWS_AS(interpolate(model.network(), start, 0.5f), OptionError);
  CHECK(same(model.predict(tiny_texts), before));
  CHECK_THROWS_AS(refit_head(model, model.tokenize(tiny_data())), OptionError);
  CHECK(same(model.predict(tiny_texts), before));
}

TEST_CASE("predictions only: a network with other heads reads the encoder alone, and finds a bit that changed") {
  for (const Precision precision : {Precision::bf16, Precision::int8}) {
    const TemporaryFolder folder;
    write_model(folder.path(), precision);
    const auto saved = folder / "saved";
    const auto model = Low::load(saved);
    const Batch batch = model.tokenize(tiny_texts);
    const auto embedding = [&](const Network<LowStack>& network) {
      Matrix rows(batch.size(), network.width());
      network.embed(network.values(), batch, std::nullopt, rows);
      return rows;
    };
    const auto embedded = [&] {
      const BertCheckpoint checkpoint(saved);
      Network<LowStack> network(checkpoint.config(), 1, {.pooling = Pooling::mean, .precision = precision});
      read_encoder(checkpoint, saved, Loading::predictions, network);
      return embedding(network);
    };
    CHECK(max_difference(embedded(), embedding(model.network())) == 0);
    flip_bit(saved / "model.safetensors", "embeddings.LayerNorm.weight");
    CHECK_THROWS_AS(embedded(), FormatError);
  }
}

TEST_CASE("predictions only: heads of another model are refused") {
  const TemporaryFolder folder;
  write_model(folder.path(), Precision::int8);
  auto model = Low::load(folder / "saved");
  model.network().values().slice(0)[0] += 1;
  model.network().set_precision(Precision::int8);
  model.index(tiny_data());
  model.save(folder / "other");
  std::filesystem::copy_file(folder / "other/knnbert.safetensors", folder / "saved/knnbert.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(contains(damage_found(folder / "saved"), "knnbert.safetensors: fingerprint is"));
}

TEST_CASE("predictions only: who changes a model writes a damaged lowered.safetensors anew") {
  const TemporaryFolder folder;
  write_model(folder.path(), Precision::int8);
  const auto path = folder / "saved/lowered.safetensors";
  const auto whole = slurp(path);
  std::string damaged = whole;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  std::ofstream(path, std::ios::binary) << damaged;
  auto model = Low::load(folder / "saved");
  model.add(std::vector<std::string>{"hello my new"}, "greeting");
  model.save(folder / "saved");
  CHECK(slurp(path) == whole);
}

TEST_CASE("predictions only: the same bits as of the whole model, with and without lowered.safetensors") {
  for (const Precision precision : {Precision::bf16, Precision::int8}) {
    const TemporaryFolder folder;
    write_model(folder.path(), precision);
    const auto saved = folder / "saved";
    REQUIRE(std::filesystem::exists(saved / "lowered.safetensors"));
    const auto expected = Low::load(saved).predict(tiny_texts);
    for (const bool cached : {true, false}) {
      if (!cached) std::filesystem::remove(saved / "lowered.safetensors");
      const auto model = Low::load(saved, 2, std::nullopt, Loading::predictions);
      CHECK(same(model.predict(tiny_texts), expected));
      const auto& values = model.network().values();
      CHECK(!values.complete());
      for (const Linear& layer : model.network().encoder().layers().lowered())
        CHECK(std::all_of(values.slice(layer.weight), values.slice(layer.weight) + 20, [](float x) { return x == 0; }));
    }
  }
}

TEST_CASE("predictions only: another precision than the file's, or fp32, ignores it; fp32 loads everything") {
  const TemporaryFolder folder;
  write_model(folder.path(), Precision::int8);
  const auto saved = folder / "saved";
  const auto bf16 = Low::load(saved, 1, Precision::bf16).predict(tiny_texts);
  CHECK(same(Low::load(saved, 1, Precision::bf16, Loading::predictions).predict(tiny_texts), bf16));
  CHECK(Low::load(saved, 1, Precision::fp32, Loading::predictions).network().values().complete());
}

TEST_CASE("predictions only: weights of another encoder are not taken from the file, a damaged one is refused") {
  const TemporaryFolder folder, other;
  write_model(folder.path(), Precision::int8);
  write_encoder(other / "encoder", 2);
  auto options = tiny_options();
  options.precision = Precision::int8;
  Low model(other / "encoder", tiny_classes, options);
  model.index(tiny_data());
  model.save(other / "saved");
  const auto expected = model.predict(tiny_texts);
  std::filesystem::copy_file(folder / "saved/lowered.safetensors", other / "saved/lowered.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(same(Low::load(other / "saved", 1, std::nullopt, Loading::predictions).predict(tiny_texts), expected));

  const auto path = folder / "saved/lowered.safetensors";
  const auto bytes = slurp(path);
  std::string changed = bytes;
  changed[bytes.size() / 2] = static_cast<char>(changed[bytes.size() / 2] ^ 1);
  for (const std::string& damaged : {bytes.substr(0, bytes.size() - 4), changed}) {
    std::ofstream(path, std::ios::binary) << damaged;
    CHECK(message_of<FormatError>([&] {
            Low::load(folder / "saved", 1, std::nullopt, Loading::predictions);
          }).find("lowered.safetensors") != std::string::npos);
  }
}

TEST_CASE(
    "predictions only: such a model cannot be saved, trained or brought into another precision; examples can be "
    "added") {
  const TemporaryFolder folder;
  write_model(folder.path(), Precision::int8);
  auto model = Low::load(folder / "saved", 1, std::nullopt, Loading::predictions);
  CHECK_THROWS_AS(model.save(folder / "again"), OptionError);
  CHECK(!std::filesystem::exists(folder / "again"));
  CHECK_THROWS_AS(Trainer(model, {.epochs = 1}, CrossEntropy{}).fit(tiny_data()), OptionError);
  CHECK_THROWS_AS(model.network().set_precision(Precision::bf16), OptionError);
  CHECK(model.add(std::vector<std::string>{"hello my new"}, "greeting").size() == 1);
  CHECK(model.predict("hello my new").neighbors.front().class_name == "greeting");
}
