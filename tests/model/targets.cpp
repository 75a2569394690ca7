// Classifiers whose answers are sets of classes, or numbers.
#include "knnbert/term/contrastive_adversarial.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/proximal.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/term/smoothness.hpp"
#include "knnbert/term/target_losses.hpp"
#include "knnbert/train/trainer.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// The tiny texts, with sets of classes or numbers in place of their classes.
Dataset data_with(const std::vector<std::string>& names, index_t size = 40, std::uint64_t seed = 3) {
  return tiny_data(size, seed).renamed(names);
}
const std::vector<std::string> sets{"card|stolen", "money", "|"}, numbers{"-1", "0.5", "3"};

Classifier<> model_of(const std::filesystem::path& folder, Task task, const std::vector<std::string>& names) {
  if (!std::filesystem::exists(folder / "encoder")) write_encoder(folder / "encoder");
  auto options = tiny_options();
  options.task = task;
  options.feature = Feature::embedding;
  return {folder / "encoder", names, options};
}

TrainerOptions training() { return {.epochs = 30, .batch_size = 8, .learning_rate = 1e-2f}; }

}  // namespace

TEST_CASE("targets: sets and numbers have one name each") {
  CHECK(names_in_set(" b | a|b||", "|") == std::vector<std::string>{"a", "b"});
  CHECK(names_in_set("|", "|").empty());
  CHECK(canonical_label("b|a|b", LabelKind::set, "|") == "a|b");
  CHECK(canonical_label("b, a", LabelKind::set, ", ") == "a, b");
  CHECK(canonical_label("|", LabelKind::set, "|") == "|");
  CHECK(canonical_label("1.50", LabelKind::number, "|") == "1.5");
  CHECK(canonical_label("-0.0", LabelKind::number, "|") == canonical_label("0", LabelKind::number, "|"));
  CHECK(number_in(" 2e-1 ") == 0.2);
  for (const char* text : {"", "one", "1 2", "nan", "inf", "1e999"}) CHECK_FALSE(number_in(text).has_value());
}

TEST_CASE("targets: a table maps a vote over sets to probabilities, over numbers to their mean") {
  const TargetTable table(Task::multi_label, "|", {"x", "a"}, std::vector<std::string>{"a|b", "|", "x"});
  CHECK(table.outputs() == std::vector<std::string>{"x", "a", "b"});
  std::vector<float> out(3);
  table.map(std::vector<float>{0.5f, 0.25f, 0.25f}, out);
  CHECK(out == std::vector<float>{0.25f, 0.5f, 0.5f});
  const TargetTable values(Task::regression, "|", {}, numbers);
  out.resize(1);
  values.map(std::vector<float>{0.25f, 0.5f, 0.25f}, out);
  CHECK(out[0] == approx(0.75));
  CHECK_THROWS_AS(TargetTable(Task::regression, "|", {}, std::vector<std::string>{"five"}), FormatError);
  const Dataset unknown({{.text = "a", .label = 0}}, {"a|z"});
  CHECK_THROWS_AS(gold_outputs(unknown, Task::multi_label, "|", {"a", "b"}), FormatError);
}

TEST_CASE("targets: shares of sets that rounding makes more than 1 are 1") {
  const std::vector<std::string> ten{"a", "a|b", "a|c", "a|d", "a|e", "a|f", "a|g", "a|h", "a|i", "a|j"};
  std::vector<float> out(10);
  TargetTable(Task::multi_label, "|", {}, ten).map(std::vector<float>(10, 0.1f), out);
  CHECK(out[0] == 1);
  const std::vector<std::string> values(10, "1");
  TargetTable(Task::regression, "|", {}, values).map(std::vector<float>(10, 0.2f), std::span(out).first(1));
  CHECK(out[0] == approx(2));
}

TEST_CASE("targets: a multi-label model learns sets, is saved and loaded with its thresholds") {
  const TemporaryFolder folder;
  const Dataset train = data_with(sets), dev = data_with(sets, 15, 8);
  auto model = model_of(folder.path(), Task::multi_label, train.classes());
  CHECK(model.network().classes() == 3);
  CHECK(*model.outputs() == std::vector<std::string>{"card", "stolen", "money"});
  const auto report = Trainer(model, training(), BinaryCrossEntropy{}).fit(train, dev);
  CHECK(report.epochs.back().mean_loss < 0.5f * report.epochs.front().mean_loss);
  CHECK(report.epochs[static_cast<std::size_t>(report.best_epoch - 1)].dev->head > 0.9);
  model.index(train);
  model.set_thresholds({0.5f, 0.4f, 0.6f});
  CHECK_THROWS_AS(model.set_thresholds({0.5f}), ShapeError);
  const auto p = model.predict("block my stolen card");
  CHECK(p.labels == std::vector<label_t>{0, 1});
  CHECK(p.neighbors.front().class_name == "card|stolen");
  CHECK(model.predict("euro exchange rate").labels.empty());
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK((p.head[c] > 0 && p.head[c] < 1));
    CHECK(p.combined[c] == approx(0.1 * p.knn[c] + 0.9 * p.head[c]));
  }
  model.save(folder / "saved");
  const auto loaded = Classifier<>::load(folder / "saved");
  CHECK(loaded.task().thresholds == std::vector<float>{0.5f, 0.4f, 0.6f});
  CHECK(same(loaded.predict("block my stolen card"), p));
  CHECK(loaded.predict("block my stolen card").labels == p.labels);
}

TEST_CASE("targets: a new set and a new class are added live; the head follows the neighbors there") {
  const TemporaryFolder folder;
  const Dataset train = data_with(sets);
  auto model = model_of(folder.path(), Task::multi_label, train.classes());
  model.set_head_trained(true);
  model.set_neighbors(1);
  model.index(train);
  model.add(std::vector<std::string>{"hello hello hello"}, "new|money|card");
  CHECK(model.classes()->back() == "card|money|new");
  CHECK(*model.outputs() == std::vector<std::string>{"card", "stolen", "money", "new"});
  const auto p = model.predict("hello hello hello");
  CHECK(p.knn == std::vector<float>{1, 0, 1, 1});
  CHECK(p.combined[3] == 1);
  CHECK(p.combined[1] == approx(0.9 * p.head[1]));
  model.add(std::vector<std::string>{"cash"}, "money | card|new");
  CHECK(model.classes()->size() == 4);
  model.save(folder / "saved");
  const auto loaded = Classifier<>::load(folder / "saved");
  CHECK(same(loaded.predict("hello hello hello"), p));
  CHECK(loaded.network().classes() == 3);
}

TEST_CASE("targets: transformers' classifier of a saved regression gives values, the model stays the same") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  auto options = tiny_options();
  options.task = Task::regression, options.feature = Feature::embedding, options.pooling = Pooling::pooler;
  options.head_hidden_layer = false;
  const Dataset train = data_with(numbers);
  Classifier<> model(folder / "encoder", train.classes(), options);
  Trainer(model, {.epochs = 1, .batch_size = 8}, SquaredError{}).fit(train);
  model.index(train);
  const auto file = folder / "saved" / "model.safetensors";
  const auto classifier_gives_values = [&](const Classifier<>& any) {
    any.save(folder / "saved");
    const SafeTensors saved(file), heads(folder / "saved" / "knnbert.safetensors");
    const auto [mean, scale] = std::pair(any.task().mean, any.task().scale);
    const auto own = heads.at("classifier.out_proj.weight").as_floats(),
               weight = saved.at("classifier.weight").as_floats();
    for (std::size_t i = 0; i < weight.size(); ++i) CHECK(weight[i] == approx(scale * own[i]));
    CHECK(saved.at("classifier.bias").as_floats()[0] ==
          approx(mean + scale * heads.at("classifier.out_proj.bias").as_floats()[0]));
  };
  CHECK(model.task().scale != 1);
  classifier_gives_values(model);
  auto loaded = Classifier<>::load(folder / "saved");
  CHECK(same_values(loaded.network().values(), model.network().values()));
  CHECK(same(loaded.predict(tiny_texts), model.predict(tiny_texts)));
  loaded.set_scale(7, 3);  // the parameters stay, the classifier does not
  classifier_gives_values(loaded);
}

TEST_CASE("targets: a regression learns numbers, whose scale it keeps") {
  const TemporaryFolder folder;
  const Dataset train = data_with(numbers), dev = data_with({"-1", "0.75", "3.5"}, 15, 8);
  auto model = model_of(folder.path(), Task::regression, train.classes());
  CHECK(model.network().classes() == 1);
  const auto report = Trainer(model, training(), SquaredError{}).fit(train, dev);
  CHECK(report.epochs[static_cast<std::size_t>(report.best_epoch - 1)].dev->head > 0.9);
  double mean = 0;
  for (const label_t label : train.labels()) mean += number_in(numbers[static_cast<std::size_t>(label)]).value() / 40;
  CHECK(model.task().mean == approx(mean));
  model.index(train);
  const auto p = model.predict("euro dollar exchange");
  REQUIRE(p.value);
  CHECK(*p.value == approx(3).margin(0.7));
  CHECK(*p.value == approx(0.1 * p.knn[0] + 0.9 * p.head[0]));
  model.set_neighbors(1);
  model.add(std::vector<std::string>{"hello hello hello"}, "7.50");
  CHECK(model.classes()->back() == "7.5");
  CHECK(model.predict("hello hello hello").knn[0] == 7.5f);
  for (const char* wrong : {"many", "1e31", "-1e300"})
    CHECK_THROWS_AS(model.add(std::vector<std::string>{"hello"}, wrong), FormatError);
  model.save(folder / "saved");
  const auto loaded = Classifier<>::load(folder / "saved");
  CHECK(loaded.predict("euro dollar exchange").head == p.head);
  model.remove(model.datastore().ids());  // then the head answers alone
  CHECK(model.predict("hello hello hello").combined[0] == approx(model.predict("hello hello hello").head[0]));
}

TEST_CASE("targets: losses of another task are refused") {
  const TemporaryFolder folder;
  auto sets_model = model_of(folder.path(), Task::multi_label, sets);
  const auto by_classes = [&] { Trainer(sets_model, training(), CrossEntropy{}).fit(data_with(sets)); };
  CHECK_THROWS_AS(by_classes(), OptionError);
  auto classes_model = tiny_classifier(folder.path());
  const auto by_values = [&] { Trainer(classes_model, training(), BinaryCrossEntropy{}).fit(tiny_data()); };
  CHECK_THROWS_AS(by_values(), OptionError);
  const auto sets_by_numbers = [&] { Trainer(sets_model, training(), SquaredError{}).fit(data_with(sets)); };
  CHECK_THROWS_AS(sets_by_numbers(), OptionError);

  // terms that read targets as classes, or logits as those of one class
  const auto refuses = [](auto& model, const Dataset& data, const auto& loss, const auto& term,
                          const std::string& name) {
    CHECK(contains(message_of<OptionError>([&] { Trainer(model, training(), loss, term).fit(data); }), name));
  };
  auto models_numbers = model_of(folder.path(), Task::regression, numbers);
  refuses(sets_model, data_with(sets), BinaryCrossEntropy{}, ContrastiveAdversarial(), "cat given for a model");
  refuses(models_numbers, data_with(numbers), SquaredError{}, ContrastiveAdversarial(), "cat given for a model");
  refuses(sets_model, data_with(sets), BinaryCrossEntropy{}, knnbert::Smoothness(), "smoothness given");
  refuses(sets_model, data_with(sets), BinaryCrossEntropy{}, Proximal(), "proximal given");
  refuses(classes_model, tiny_data(), CrossEntropy{}, Proximal({.updates_per_batch = 2}),
          "2 updates a batch given, 1 expected");

  // a run that cannot begin leaves the scale of the one before
  auto numbers_model = model_of(folder.path(), Task::regression, numbers);
  Trainer(numbers_model, training(), SquaredError{}).fit(data_with(numbers));
  const float mean = numbers_model.task().mean, scale = numbers_model.task().scale;
  const Dataset other({{.text = "card", .label = 2}, {.text = "cash", .label = 2}}, numbers);
  const auto numbers_by_sets = [&] { Trainer(numbers_model, training(), BinaryCrossEntropy{}).fit(other); };
  CHECK_THROWS_AS(numbers_by_sets(), OptionError);
  const auto by_nothing = [&] { Trainer(numbers_model, training(), SquaredError{}).fit(Dataset({}, numbers)); };
  CHECK_THROWS_AS(by_nothing(), ShapeError);
  const auto in_no_folder = [&] {
    auto options = training();
    std::ofstream(folder / "file");
    options.checkpoints = folder / "file";
    Trainer(numbers_model, options, SquaredError{}).fit(other);
  };
  CHECK_THROWS_AS(in_no_folder(), IoError);
  CHECK(numbers_model.task().mean == mean);
  CHECK(numbers_model.task().scale == scale);
}

TEST_CASE("targets: clusters and rings of a queue are of the data's sets, of which there may be more than outputs") {
  const TemporaryFolder folder;
  const std::vector<std::string> more{"card", "money", "card|money"};  // two outputs
  const Dataset train = data_with(more);
  for (const QueueKind kind : {QueueKind::clustered, QueueKind::class_balanced}) {
    auto model = model_of(folder.path(), Task::multi_label, more);
    auto options = training();
    options.epochs = 1;
    Trainer trainer(model, options, BinaryCrossEntropy{},
                    QueueContrastive({.capacity = 40,
                                      .positives = kind == QueueKind::clustered ? 0 : 2,
                                      .choice = {.kind = kind},
                                      .clusters = 3}));
    trainer.fit(train);
    const auto& term = trainer.term<QueueContrastive>();
    std::vector<index_t> counts(3);
    for (const label_t label : term.key_classes()) ++counts.at(as_size(label));
    CHECK(counts[2] > 0);
  }
}

TEST_CASE("targets: the dev score of sets is that of the thresholds that dev data give") {
  const TemporaryFolder folder;
  const Dataset train = data_with(sets), dev = data_with(sets, 20, 8);
  auto model = model_of(folder.path(), Task::multi_label, sets);
  auto options = training();
  options.epochs = 1, options.learning_rate = 1e-4f;  // no probability reaches 0.5 for long
  const auto report = Trainer(model, options, BinaryCrossEntropy{}).fit(train, dev);
  model.index(train);
  const auto gold = gold_outputs(dev, Task::multi_label, "|", model.task().outputs);
  const auto found = model.distributions(model.tokenize(dev.texts())).combined;
  const double best = multi_label_scores(gold, found, best_thresholds(gold, found)).micro_f1.value;
  CHECK(best > 0);
  CHECK(*report.epochs.front().dev->combined == approx(best));
}

TEST_CASE("targets: damaged files name the key") {
  const TemporaryFolder folder;
  auto model = model_of(folder.path(), Task::multi_label, sets);
  model.save(folder / "saved");
  const auto file = folder / "saved" / "knnbert.json";
  const Json right = read_json(file);
  for (const auto& [key, value] :
       std::initializer_list<std::pair<const char*, Json>>{{"task", "two-label"},
                                                           {"outputs", Json::array({"card"})},
                                                           {"label_separator", ""},
                                                           {"thresholds", Json::array({0.5})},
                                                           {"value_scale", 0}}) {
    Json wrong = right;
    wrong[key] = value;
    std::ofstream(file) << wrong.dump();
    CHECK_THROWS_AS(Classifier<>::load(folder / "saved"), FormatError);
  }
  std::ofstream(file) << right.dump();
  CHECK_NOTHROW(Classifier<>::load(folder / "saved"));
}

TEST_CASE("targets: files with lists, separators and numbers") {
  const DatasetOptions as_sets{.label_kind = LabelKind::set};
  const auto lists = Dataset::parse(
      "{\"text\": \"a\", \"labels\": [\"y\", \"x\"]}\n{\"text\": \"b\", \"labels\": []}\n"
      "{\"text\": \"c\", \"labels\": \"x|y\"}\n",
      "lists.jsonl", as_sets);
  CHECK(lists.classes() == std::vector<std::string>{"x|y", "|"});
  CHECK(std::vector<label_t>(lists.labels().begin(), lists.labels().end()) == std::vector<label_t>{0, 1, 0});
  CHECK_THROWS_AS(Dataset::parse("{\"text\": \"a\", \"labels\": [\"x|y\"]}\n", "l.jsonl", as_sets), FormatError);
  CHECK_THROWS_AS(Dataset::parse("{\"text\": \"a\", \"labels\": [\"x\"]}\n", "l.jsonl"), FormatError);
  const DatasetOptions as_numbers{.label_kind = LabelKind::number};
  const auto values = Dataset::parse("text\tlabel\na\t2.50\nb\t-1\nc\t2.5\n", "v.tsv", as_numbers);
  CHECK(values.classes() == std::vector<std::string>{"-1", "2.5"});
  CHECK(Dataset::parse("{\"text\": \"a\", \"label\": 0.25}\n", "v.jsonl", as_numbers).classes().front() == "0.25");
  CHECK_THROWS_AS(Dataset::parse("text\tlabel\na\tgood\n", "v.tsv", as_numbers), FormatError);
}

TEST_CASE("targets: a checkpoint of other numbers or sets is that of another run") {
  const TemporaryFolder folder;
  const auto run = [&](Task task, const std::vector<std::string>& names, const std::vector<std::string>& dev,
                       index_t steps) {
    const Dataset data = data_with(names);
    auto model = model_of(folder.path(), task, data.classes());
    auto options = training();
    options.epochs = 2, options.checkpoints = folder / "run", options.checkpoint_every = 2, options.resume = true;
    struct Stop {
      index_t left;
      void step(const StepReport&) { --left; }
      void epoch(const EpochReport&) {}
      bool stop_requested() const { return left == 0; }
    } stop{steps};
    if (task == Task::regression) Trainer(model, options, SquaredError{}).fit(data, data_with(dev), stop);
    else Trainer(model, options, BinaryCrossEntropy{}).fit(data, data_with(dev), stop);
  };
  run(Task::regression, numbers, numbers, 4);
  CHECK_THROWS_AS(run(Task::regression, {"3", "0.5", "-1"}, numbers, 1), OtherRunError);
  CHECK_THROWS_AS(run(Task::regression, numbers, {"3", "0.5", "-1"}, 1), OtherRunError);
  CHECK_NOTHROW(run(Task::regression, numbers, numbers, 1));
  std::filesystem::remove_all(folder / "run");
  run(Task::multi_label, sets, sets, 4);
  CHECK_THROWS_AS(run(Task::multi_label, {"money", "card|stolen", "|"}, sets, 1), OtherRunError);
  CHECK_NOTHROW(run(Task::multi_label, sets, sets, 1));
}
