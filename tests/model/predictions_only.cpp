// Models loaded for predictions in reduced precision: the same answers, less memory, no way back.
#include "knnbert/term/cross_entropy.hpp"
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

}  // namespace

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
