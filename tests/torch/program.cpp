// The program with --backend torch.
#include "torch/twins.hpp"

#include <sys/wait.h>

#include <cstdio>

#include "io/temporary_folder.hpp"
#include "knnbert/io/jsonl.hpp"
#include "knnbert/io/npy.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

struct Ran {
  int code;
  std::string output;
};

/// Runs the program with arguments as a shell reads them; without it, nothing after a message.
std::optional<Ran> program(const std::string& arguments) {
  const auto place = folder("KNNBERT_PROGRAM");
  if (!place) {
    WARN("skipped: KNNBERT_PROGRAM names no program");
    return std::nullopt;
  }
  std::FILE* pipe = ::popen(("'" + place->string() + "' " + arguments + " 2>&1").c_str(), "r");
  Ran ran{0, {}};
  for (int c; (c = std::getc(pipe)) != EOF;) ran.output += static_cast<char>(c);
  ran.code = WEXITSTATUS(::pclose(pipe));
  return ran;
}

}  // namespace

TEST_CASE("torch program: --version tells what is compiled in, and unknown devices are bad usage") {
  const auto version = program("--version");
  if (!version) return;
  CHECK(contains(version->output, "LibTorch"));
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  folder.file("texts", "where is my card\n");
  const std::string embed = format("embed --model '{}' --input '{}' --output '{}' ", (folder / "encoder").string(),
                                   (folder / "texts").string(), (folder / "x.npy").string());
  CHECK(program(embed + "--backend torch --device abacus")->code == 2);
  CHECK(program(embed + "--backend torch --device cpu:3")->code == 2);
  CHECK(program(embed + "--backend native --device cuda")->code == 2);
  CHECK(program(embed + "--backend other")->code == 2);
  CHECK(program(embed + "--backend torch --precision int8")->code == 2);
  CHECK(program(embed + "--backend native --distributed nccl")->code == 2);
  CHECK(program(embed + "--backend torch --device cpu --distributed nccl")->code == 2);
  const auto unlaunched = program(embed + "--backend torch --device cuda --distributed nccl");
  CHECK(unlaunched->code == 2);
  CHECK(contains(unlaunched->output, "torchrun"));
}

TEST_CASE("torch program: a model trained by LibTorch serves both backends") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const Dataset data = tiny_data();
  std::string lines, texts;
  for (index_t i = 0; i < data.size(); ++i)
    lines += data.text(i) + "\t" + data.classes()[static_cast<std::size_t>(data.label(i))] + "\n",
        texts += data.text(i) + "\n";
  folder.file("train.tsv", lines), folder.file("texts", texts);
  const std::string model = (folder / "model").string(), torch = " --backend torch --threads 1";
  const auto trained = program(
      format("train --encoder '{}' --train '{}' --output '{}' --epochs 2 --queue-size 64 --positives 2 --max-length 12",
             (folder / "encoder").string(), (folder / "train.tsv").string(), model) +
      torch);
  if (!trained) return;
  INFO(trained->output);
  REQUIRE(trained->code == 0);
  const auto labels = [&](const std::string& backend) {
    const auto ran = program(format("predict --model '{}' '{}'", model, (folder / "texts").string()) + backend);
    INFO(ran->output);
    REQUIRE(ran->code == 0);
    std::vector<std::string> found;
    for_each_json_line(ran->output, "output", [&](const Json& row, index_t) {
      found.push_back(row.at("label").get<std::string>());
      return true;
    });
    return found;
  };
  CHECK(labels(torch) == labels(""));
  CHECK(program(format("eval --model '{}' --data '{}'", model, (folder / "train.tsv").string()) + torch)->code == 0);
  CHECK(program(format("add --model '{}' --data '{}' --class new", model, (folder / "texts").string()) + torch)->code ==
        0);
  CHECK(program(format("index --model '{}' --data '{}'", model, (folder / "train.tsv").string()) + torch)->code == 0);
  CHECK(program(format("report --model '{}' --data '{}'", model, (folder / "train.tsv").string()) + torch)->code == 0);
  const auto embedded = [&](const std::string& backend) {
    const auto file = (folder / "x.npy").string();
    const auto ran = program(
        format("embed --model '{}' --input '{}' --output '{}'", model, (folder / "texts").string(), file) + backend);
    INFO(ran->output);
    REQUIRE(ran->code == 0);
    const auto array = read_npy<float>(file);
    Matrix rows(array.shape[0], array.shape[1]);
    copy(ConstView(array.values.data(), rows.rows(), rows.cols()), rows);
    return rows;
  };
  CHECK(difference(embedded(torch), embedded("")) < 1e-4);

  const std::string encoder = (folder / "encoder").string(), file = (folder / "train.tsv").string();
  const auto keys = program(format("train --encoder '{}' --train '{}' --output '{}' --key-precision int8", encoder,
                                   file, (folder / "keys").string()) +
                            torch);
  CHECK(keys->code == 2);
  CHECK(contains(keys->output, "--key-precision int8"));
  CHECK_FALSE(std::filesystem::exists(folder / "keys"));
  const auto lowered = (folder / "lowered").string(), begun = (folder / "begun").string();
  const std::string train = "train --encoder '{}' --train '{}' --output '{}' --method ce --threads 1 ";
  CHECK(program(format(train + "--epochs 0 --precision int8", encoder, file, lowered))->code == 0);
  const auto texts_of = [&](const std::string& more) {
    return program(format("predict --model '{}' '{}'", lowered, (folder / "texts").string()) + more);
  };
  CHECK(texts_of(torch)->code == 2);
  CHECK(contains(texts_of(torch)->output, "was saved in int8, --precision fp32 or bf16 expected"));
  CHECK(texts_of(torch + " --precision fp32")->code == 0);
  CHECK(program(format(train + "--epochs 1", encoder, file, begun))->code == 0);
  const auto resumed = program(format(train + "--epochs 1 --resume --backend torch", encoder, file, begun));
  INFO(resumed->output);
  CHECK(resumed->code == 1);
  CHECK(contains(resumed->output, "another one: --backend native there, torch here\n"));
}
