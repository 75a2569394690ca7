// The classification head alone, trained on embeddings that stay as they are.
#include "knnbert/train/refit_head.hpp"

#include "distributed/thread_team.hpp"
#include "knnbert/loss/binary_cross_entropy.hpp"
#include "knnbert/loss/squared_error.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// Mean loss of a model's head on its embeddings.
template <class Loss>
double head_loss(const Classifier<>& model, const TrainingData& data, const Loss& loss) {
  std::vector<index_t> all(as_size(data.size()));
  std::iota(all.begin(), all.end(), index_t{0});
  Batch batch;
  Targets targets;
  data.assign(all, {}, batch, targets);
  Matrix logits(data.size(), model.network().classes()), d(logits.rows(), logits.cols());
  model.network().logits_of(model.embed(batch), logits);
  if constexpr (requires { loss(logits, std::span<const label_t>(targets.classes), d); })
    return static_cast<double>(loss(logits, std::span<const label_t>(targets.classes), d));
  else return static_cast<double>(loss(logits, targets.values, d));
}

ClassifierOptions linear_options(Task task = Task::single_label) {
  auto options = tiny_options();
  options.head_hidden_layer = false;
  options.task = task;
  if (task != Task::single_label) options.feature = Feature::embedding;
  return options;
}

/// An encoder without dropout, so that the head has none.
Classifier<> steady_classifier(const std::filesystem::path& folder, const ClassifierOptions& options,
                               const std::vector<std::string>& names = tiny_classes) {
  auto config = tiny_config();
  config.hidden_dropout_prob = 0;
  if (!std::filesystem::exists(folder / "steady")) write_encoder(folder / "steady", 1, config);
  return {folder / "steady", names, options};
}

/// Texts whose labels say nothing of them, so that no head separates the classes.
Dataset random_labels(index_t size) {
  const Dataset data = tiny_data(size);
  std::vector<Example> examples;
  for (index_t i = 0; i < size; ++i) {
    const auto drawn = Rng(5, Stream::sample).below(static_cast<std::uint64_t>(i), 3);
    examples.push_back({.text = data.texts()[as_size(i)], .label = static_cast<label_t>(drawn)});
  }
  return Dataset(std::move(examples), tiny_classes);
}

/// The smallest cross entropy of a linear classifier of the rows, by gradient descent in double precision.
double smallest_cross_entropy(const Matrix& x, std::span<const label_t> labels, index_t classes) {
  const auto width = as_size(x.cols()), rows = as_size(x.rows()), outputs = as_size(classes);
  std::vector<double> w(outputs * (width + 1)), last = w, ahead = w;
  double loss = 0, squares = 0;
  for (index_t i = 0; i < x.rows(); ++i) {
    double own = 1;
    for (const float v : x.row(i)) own += static_cast<double>(v) * static_cast<double>(v);
    squares = std::max(squares, own);
  }
  for (int step = 0; step < 20000; ++step) {
    std::vector<double> d(w.size());
    loss = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      std::vector<double> logits(outputs);
      double total = 0;
      for (std::size_t c = 0; c < outputs; ++c) {
        logits[c] = ahead[c * (width + 1) + width];
        for (std::size_t k = 0; k < width; ++k)
          logits[c] += ahead[c * (width + 1) + k] * static_cast<double>(x.row(static_cast<index_t>(i))[k]);
        total += std::exp(logits[c]);
      }
      const auto label = static_cast<std::size_t>(labels[i]);
      loss -= (logits[label] - std::log(total)) / static_cast<double>(rows);
      for (std::size_t c = 0; c < outputs; ++c) {
        const double error = (std::exp(logits[c]) / total - (c == label ? 1 : 0)) / static_cast<double>(rows);
        for (std::size_t k = 0; k < width; ++k)
          d[c * (width + 1) + k] += error * static_cast<double>(x.row(static_cast<index_t>(i))[k]);
        d[c * (width + 1) + width] += error;
      }
    }
    last = w;
    for (std::size_t k = 0; k < w.size(); ++k) {
      w[k] = ahead[k] - 2 / squares * d[k];
      ahead[k] = w[k] + step / (step + 3.0) * (w[k] - last[k]);
    }
  }
  return loss;
}

}  // namespace

TEST_CASE("refit: labels are those of the classes' names, whatever their order in the data") {
  const TemporaryFolder folder;
  const Dataset data = tiny_data(30);
  std::vector<std::string> turned(data.classes().rbegin(), data.classes().rend());
  const auto refitted = [&](const Dataset& examples) {
    auto model = steady_classifier(folder.path(), linear_options());
    refit_head(model, model.tokenize(examples));
    return head_loss(model, model.tokenize(data), CrossEntropyLoss{});
  };
  const double plain = refitted(data);
  CHECK(refitted(data.with_classes(turned)) == approx(plain).epsilon(1e-6));
}

TEST_CASE("refit head: nothing but the classification head moves, and it fits what the encoder gives") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.set_head_trained(false);
  const ParameterBlock before = model.network().values();
  const TrainingData data = model.tokenize(tiny_data());
  const double loss = head_loss(model, data, CrossEntropyLoss());
  refit_head(model, data, {.learning_rate = 1e-2f});
  CHECK(head_loss(model, data, CrossEntropyLoss()) < 0.6 * loss);
  const ParameterBlock& values = std::as_const(model.network()).values();
  CHECK(values.fresh());
  CHECK(model.head_trained());
  for (index_t p = 0; p < values.table().count(); ++p) {
    const Parameter& parameter = values.table()[p];
    CAPTURE(parameter.name);
    const auto bytes = as_size(parameter.size) * sizeof(float);
    CHECK((std::memcmp(before.slice(p), values.slice(p), bytes) == 0) == !parameter.name.starts_with("classifier."));
  }
}

TEST_CASE("refit head: without dropout a linear head reaches the smallest cross entropy") {
  const TemporaryFolder folder;
  auto model = steady_classifier(folder.path(), linear_options());
  const TrainingData data = model.tokenize(random_labels(150));
  const double least = smallest_cross_entropy(model.embed(data.tokens()), data.labels(), 3);
  refit_head(model, data, {.least_steps = 6000, .batch_size = 150, .learning_rate = 3e-2f});
  CHECK(least > 0.5);  // labels by chance: no head fits them
  CHECK(head_loss(model, data, CrossEntropyLoss()) == approx(least).epsilon(1e-3));
}

TEST_CASE("refit head: sets and numbers have their own losses") {
  const TemporaryFolder folder;
  const auto check = [&](Task task, const std::vector<std::string>& names, const auto& loss) {
    auto model = steady_classifier(folder.path(), linear_options(task), names);
    const TrainingData data = model.tokenize(tiny_data().renamed(names));
    const double before = head_loss(model, data, loss);
    refit_head(model, data, {.learning_rate = 1e-2f}, loss);
    CHECK(head_loss(model, data, loss) < 0.5 * before);
  };
  check(Task::multi_label, {"card|stolen", "money", "|"}, BinaryCrossEntropyLoss());
  check(Task::regression, {"-1", "0.5", "3"}, SquaredErrorLoss());

  auto model = steady_classifier(folder.path(), linear_options(Task::multi_label), {"card", "money", "card|money"});
  const TrainingData data = model.tokenize(tiny_data().renamed({"card", "money", "card|money"}));
  const ParameterBlock before = model.network().values();
  CHECK_THROWS_AS(refit_head(model, data), OptionError);
  CHECK(same_values(before, std::as_const(model.network()).values()));
}

TEST_CASE("refit head: any number of threads and of processes gives the same head") {
  const TemporaryFolder folder;
  const RefitOptions options{.least_steps = 50, .batch_size = 7};
  const auto head_of = [&](index_t threads, const Team& team) {
    auto own = tiny_options();
    own.threads = threads;
    auto model = tiny_classifier(folder.path(), own);
    refit_head(model, model.tokenize(tiny_data()), options, CrossEntropyLoss(), team);
    return model.network().values();
  };
  const ParameterBlock alone = head_of(1, {});
  CHECK(same_values(head_of(3, {}), alone));
  std::vector<ParameterBlock> together(3);
  run_team(3, [&](ThreadCommunicator& c) { together[as_size(c.rank())] = head_of(1, c); });
  for (const ParameterBlock& values : together) CHECK(same_values(values, alone));
}

TEST_CASE("refit head: no example and no step leave the head alone, bad options are refused") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const ParameterBlock before = model.network().values();
  refit_head(model, model.tokenize(Dataset({}, tiny_classes)));
  refit_head(model, model.tokenize(tiny_data()), {.epochs = 0, .least_steps = 0});
  CHECK(same_values(model.network().values(), before));
  const TrainingData data = model.tokenize(tiny_data());
  CHECK_THROWS_AS(refit_head(model, data, {.epochs = -1}), OptionError);
  CHECK_THROWS_AS(refit_head(model, data, {.batch_size = 0}), OptionError);
  CHECK_THROWS_AS(refit_head(model, data, {.learning_rate = -1}), OptionError);
  CHECK_THROWS_AS(refit_head(model, data, {.learning_rate = std::numeric_limits<float>::quiet_NaN()}), OptionError);
}

namespace {

const RefitOptions thorough{.least_steps = 4000, .batch_size = 32, .learning_rate = 3e-2f};

/// The tiny texts of some classes, in an order of their own.
Dataset part_of(const std::vector<std::string>& names, index_t size = 60, std::uint64_t seed = 3) {
  const Dataset all = tiny_data(size, seed);
  std::vector<Example> examples;
  for (const auto& name : names)
    for (index_t i = 0; i < size; ++i)
      if (tiny_classes[as_size(all.label(i))] == name)
        examples.push_back({all.text(i), {}, static_cast<label_t>(&name - names.data())});
  return Dataset(std::move(examples), names);
}

/// Knows its first class, and examples of others that were added one after the other.
Classifier<> with_added(const std::filesystem::path& folder, const std::vector<std::string>& names) {
  auto model = steady_classifier(folder, linear_options(), {names.front()});
  model.index(part_of({names.front()}));
  for (std::size_t c = 1; c < names.size(); ++c) model.add(part_of({names[c]}));
  return model;
}

double head_accuracy(const Classifier<>& model, const Dataset& data) {
  const Matrix says = model.head_distributions(model.tokenize(data.texts()));
  const Dataset own = data.with_classes(*model.classes());
  index_t right = 0;
  for (index_t i = 0; i < says.rows(); ++i) right += argmax(says.row(i)) == own.label(i);
  return static_cast<double>(right) / static_cast<double>(says.rows());
}

}  // namespace

TEST_CASE("refit head: classes that were added are known to the head then, and nothing else moves") {
  const TemporaryFolder folder;
  auto model = with_added(folder.path(), tiny_classes);
  CHECK(model.network().classes() == 1);
  const ParameterBlock before = std::as_const(model).network().values();
  const auto ids = model.datastore().ids();
  refit_head(model, thorough);
  const Dataset test = tiny_data(60, 8);
  CHECK(std::as_const(model).network().classes() == 3);
  CHECK(head_accuracy(model, test) > 0.6);  // of an encoder that knows nothing; of one class alone a third is right
  CHECK(same_features(before, std::as_const(model).network().values()));
  CHECK(model.datastore().ids() == ids);
  const auto answers = model.predict(test.texts());
  for (const Prediction& p : answers) CHECK(p.certificate.knn.has_value());
  model.save(folder / "saved");
  CHECK(same(Classifier<>::load(folder / "saved").predict(test.texts()), answers));
  model.add(part_of({"card"}, 6, 9));  // the keys are still those of the model
  model.add(std::vector<std::string>{"hello hello"}, "greeting");
  CHECK(model.predict("hello").classes->size() == 4);
  refit_head(model);
  CHECK(std::as_const(model).network().classes() == 4);
}

TEST_CASE("refit head: the order in which examples and classes came does not matter") {
  const TemporaryFolder folder;
  auto one = with_added(folder.path(), {"card", "money", "rate"}),
       other = with_added(folder.path(), {"card", "rate", "money"});
  refit_head(one), refit_head(other);
  const Dataset test = tiny_data(30, 8);
  const Matrix a = one.head_distributions(one.tokenize(test.texts())),
               b = other.head_distributions(other.tokenize(test.texts()));
  const std::vector<index_t> places{0, 2, 1};
  for (index_t i = 0; i < a.rows(); ++i)
    for (index_t c = 0; c < 3; ++c) CHECK(a(i, c) == approx(b(i, places[as_size(c)])).margin(1e-4));
}

TEST_CASE("refit head: few examples of a class are heard beside many") {
  const TemporaryFolder folder;
  const auto recall = [&](ClassWeighting weighting) {
    auto model = steady_classifier(folder.path(), linear_options(), {"card", "money"});
    const Dataset many = part_of({"card", "money"}, 300);
    model.index(many);
    model.add(part_of({"rate"}, 9));
    auto options = thorough;
    options.weighting = weighting;
    refit_head(model, options);
    return head_accuracy(model, part_of({"rate"}, 90, 8));
  };
  CHECK(recall(ClassWeighting::balanced) > recall(ClassWeighting::none) + 0.1);
}

TEST_CASE("refit head: added sets and numbers") {
  const TemporaryFolder folder;
  auto sets = steady_classifier(folder.path(), linear_options(Task::multi_label), {"card", "money"});
  sets.set_thresholds({0.4f, 0.6f});
  sets.index(part_of({"card", "money"}));
  sets.add(part_of({"rate"}).renamed({"money|rate"}));
  refit_head(sets, thorough);
  CHECK(*sets.outputs() == std::vector<std::string>{"card", "money", "rate"});
  CHECK(std::as_const(sets).network().classes() == 3);
  CHECK(sets.task().thresholds.empty());  // which were the old head's
  const auto mean = [](const Classifier<>& model, const std::string& name, std::size_t output) {
    double sum = 0;
    const auto predictions = model.predict(part_of({name}).texts());
    for (const Prediction& p : predictions) sum += p.head[output];
    return sum / static_cast<double>(predictions.size());
  };
  CHECK(mean(sets, "rate", 2) > mean(sets, "card", 2) + 0.3);
  CHECK(mean(sets, "rate", 1) > mean(sets, "card", 1) + 0.3);
  CHECK(mean(sets, "card", 0) > mean(sets, "rate", 0) + 0.3);

  auto values = steady_classifier(folder.path(), linear_options(Task::regression), {"1", "2"});
  values.set_scale(part_of({"card", "money"}).renamed({"1", "2"}));
  values.index(part_of({"card", "money"}).renamed({"1", "2"}));
  values.add(part_of({"rate"}).renamed({"5"}));
  refit_head(values, thorough);
  CHECK(mean(values, "rate", 0) > mean(values, "card", 0) + 1);
  values.index(part_of({"card", "rate"}).renamed({"5000", "6000"}));  // far from what the head was trained for
  refit_head(values, thorough);
  CHECK(mean(values, "card", 0) < 5500);
  CHECK(mean(values, "rate", 0) > 5500);
}

TEST_CASE("refit head: without texts in the datastore the model stays as it is") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  CHECK_THROWS_AS(refit_head(model), StateError);
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  CHECK_THROWS_AS(refit_head(model, RefitOptions{.epochs = -1}), OptionError);
  CHECK(same(model.predict(tiny_texts), before));
  Matrix keys(2, model.network().feature_width());
  keys.fill(1);
  const std::vector<label_t> labels{0, 1};
  model.index(keys, labels);
  CHECK_THROWS_AS(refit_head(model), StateError);
  CHECK_THROWS_AS(model.set_network(with_new_head(std::as_const(model).network(), 2)), ShapeError);
  const auto linear = steady_classifier(folder / "linear", linear_options());  // with fewer parameters
  CHECK_FALSE(same_features(std::as_const(model).network().values(), linear.network().values()));
  CHECK_FALSE(same_features(linear.network().values(), std::as_const(model).network().values()));
  CHECK_THROWS_AS(model.set_network(with_new_head(std::as_const(model).network(), 4)), ShapeError);
}

TEST_CASE("refit head: a class whose examples are keys without texts is not lost") {
  const TemporaryFolder folder;
  const Dataset data = part_of(tiny_classes);
  auto model = steady_classifier(folder.path(), linear_options());
  const Matrix keys = model.features(model.tokenize(data.texts()));
  model.index(keys, data.labels());  // as the keys of a queue come
  model.add(part_of({"card"}));
  model.add(std::vector<std::string>{"hello hello"}, "greeting");
  const ParameterBlock before = std::as_const(model).network().values();
  const std::string message = message_of<StateError>([&] { refit_head(model); });
  CAPTURE(message);
  CHECK(message.find("60 of the 81 examples in the datastore have no text") != message.npos);
  CHECK(message.find("`index` from data") != message.npos);
  CHECK(same_values(before, std::as_const(model).network().values()));
  CHECK(std::as_const(model).network().classes() == 3);
  model.index(data);
  model.add(std::vector<std::string>{""}, "card");  // a blank row of a file
  refit_head(model, RefitOptions{.least_steps = 1});

  auto sets = steady_classifier(folder.path(), linear_options(Task::multi_label), {"card", "money"});
  const Dataset of_sets = part_of({"card", "money"});
  const Matrix set_keys = sets.features(sets.tokenize(of_sets.texts()));
  sets.index(set_keys, of_sets.labels());
  CHECK_THROWS_AS(refit_head(sets), StateError);
  sets.index(of_sets);
  sets.add(std::vector<std::string>{""}, "card|rate");
  refit_head(sets, RefitOptions{.least_steps = 1});
}
