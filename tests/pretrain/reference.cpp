// Against transformers' BertForMaskedLM: tests/reference/masked_language.py writes the dump, saved_masked_language.py
// reads what is left here.
#include "knnbert/io/safetensors_writer.hpp"
#include "pretrain/tiny_masked.hpp"
#include "train/reference_network.hpp"

using namespace knnbert_test;

namespace {

/// Sequences whose hidden tokens the dump has chosen.
struct GivenMasks {
  Batch batch;
  std::vector<label_t> labels;

  index_t size() const { return batch.size(); }
  void assign(std::span<const index_t> examples, const StepClock&, Batch& to, Targets& targets) const {
    to.assign(batch, examples);
    targets.classes.clear();
    for (const index_t e : examples)
      targets.classes.insert(targets.classes.end(), labels.begin() + batch.offsets[as_size(e)],
                             labels.begin() + batch.offsets[as_size(e + 1)]);
  }
  index_t chosen(std::span<const index_t>, const StepClock&) const {
    return std::count_if(labels.begin(), labels.end(), [](label_t l) { return l >= 0; });
  }
};

float most_of(const Matrix& m) {
  float most = 0;
  for (index_t r = 0; r < m.rows(); ++r) most = std::max(most, largest(m.row(r)));
  return most;
}

}  // namespace

TEST_CASE("a masked language model computes the logits, loss and gradients of transformers") {
  const auto place = folder_with("masked_language.safetensors");
  if (!place) return;
  const SafeTensors dump(*place / "masked_language.safetensors");
  auto model = MaskedLanguageModel::load(*place / "models" / "masked_language", {.threads = 2});
  REQUIRE(model.head_loaded());
  GivenMasks data{read_batch(dump), {}};
  for (const auto label : dump.at("labels").as_int64s()) data.labels.push_back(static_cast<label_t>(label));
  std::vector<index_t> all(data.batch.ids.size()), examples(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), index_t{0}), std::iota(examples.begin(), examples.end(), index_t{0});
  const Matrix expected = read_matrix(dump, "logits");
  model.each_logits(data.batch, all, [&](index_t first, View logits) {
    REQUIRE(logits.rows() == expected.rows());
    CHECK(max_difference(ConstView(expected).row_range(first, logits.rows()), logits) < 1e-4f);
  });

  for (const index_t part : {0, 2}) {
    CAPTURE(part);
    const TrainerOptions options{.part_size = part, .clip_norm = 0, .dropout = false};
    Stepper stepper(model.network(), data, options, MaskedLanguage(model.head_values()));
    const auto report = stepper.step({.steps = 1}, examples, 0);
    CHECK(report.loss == approx(dump.at("loss").as_floats()[0]).epsilon(1e-4));
    index_t compared = 0;
    for_each_tensor(model.network(), stepper.gradients().block(), [&](const std::string& name, const Matrix& gradient) {
      if (!dump.find("grad." + name)) return;
      INFO(name);
      ++compared;
      const Matrix right = read_matrix(dump, "grad." + name);
      CHECK(max_difference(gradient, right) < 1e-4f * most_of(right) + 1e-6f);
    });
    CHECK(compared == 5 + 2 * 16);
    const ParameterBlock& own = stepper.own_gradients().block();
    for (index_t p = 0; p < own.table().count(); ++p) {
      INFO(own.table()[p].name);
      Matrix gradient(own.table()[p].rows, own.table()[p].cols);
      own.read(p, gradient);
      const Matrix right = read_matrix(dump, "grad." + own.table()[p].name);
      CHECK(max_difference(gradient, right) < 1e-4f * most_of(right));
    }
  }
}

TEST_CASE("a masked language model for transformers is left in the reference folder") {
  const auto target = folder("KNNBERT_REFERENCE");
  if (!target) {
    WARN("skipped: KNNBERT_REFERENCE names no folder");
    return;
  }
  MaskedLanguageModel model{AnyTokenizer(tiny_pieces()), tiny_masked_config()};
  fill_random(model.network().values(), 1, 0.3), fill_random(model.head_values(), 2, 0.3);
  model.refresh();
  const auto where = *target / "saved_masked_language";
  std::filesystem::create_directories(where);
  model.save(where / "model");
  const std::string text =
      std::string(model.tokenizer().token(5)) + " [MASK] " + std::string(model.tokenizer().token(7));
  const Batch batch = model.tokenize(text);
  const Matrix logits = model.logits(text);
  std::vector<float> flat;
  for (index_t r = 0; r < logits.rows(); ++r) flat.insert(flat.end(), logits.row(r).begin(), logits.row(r).end());
  const std::vector<std::int64_t> ids(batch.ids.begin(), batch.ids.end());
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  SafeTensorsWriter file;
  file.add("ids", {std::ssize(ids)}, std::span<const std::int64_t>(ids));
  file.add("text", {std::ssize(bytes)}, std::span<const std::uint8_t>(bytes));
  file.add("logits", {logits.rows(), logits.cols()}, std::span<const float>(flat));
  file.write(where / "dump.safetensors");
}
