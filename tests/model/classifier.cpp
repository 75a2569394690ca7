#include <set>

#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

/// Three probabilities that belong to one prediction.
void check_distributions(const Prediction& p, index_t classes) {
  for (const auto* list : {&p.knn, &p.head, &p.combined}) {
    CHECK(std::ssize(*list) == classes);
    CHECK(sum_of(*list) == approx(1).epsilon(1e-5));
    for (const float x : *list) CHECK((x >= 0 && x <= 1.00001f));
  }
  CHECK(p.label == std::max_element(p.combined.begin(), p.combined.end()) - p.combined.begin());
  CHECK(p.probability == p.combined[static_cast<std::size_t>(p.label)]);
}

}  // namespace

TEST_CASE("classifier: predictions come with three distributions and their evidence") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const Dataset data = tiny_data();
  model.index(data);
  CHECK(model.datastore().size() == 40);
  const auto predictions = model.predict(tiny_texts);
  REQUIRE(predictions.size() == tiny_texts.size());
  for (const Prediction& p : predictions) {
    check_distributions(p, 3);
    CHECK(p.class_name == tiny_classes[static_cast<std::size_t>(p.label)]);
    REQUIRE(p.neighbors.size() == 5);
    std::vector<float> votes(3);
    for (std::size_t n = 0; n < 5; ++n) {
      const Evidence& e = p.neighbors[n];
      votes[static_cast<std::size_t>(e.label)] += 0.2f;
      CHECK(e.class_name == tiny_classes[static_cast<std::size_t>(e.label)]);
      CHECK(data.text(e.id) == e.text);
      CHECK(data.label(e.id) == e.label);
      if (n) CHECK(e.similarity <= p.neighbors[n - 1].similarity);
      CHECK(std::fabs(e.similarity) <= 1.00001f);
    }
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(p.knn[c] == approx(votes[c]));
      CHECK(p.combined[c] == approx(0.1 * p.knn[c] + 0.9 * p.head[c]));
    }
  }
}

TEST_CASE("classifier: a text of the datastore is its own nearest neighbor") {
  const TemporaryFolder folder;
  for (const Feature feature : {Feature::contrastive, Feature::embedding}) {
    auto options = tiny_options();
    options.feature = feature;
    auto model = tiny_classifier(folder.path(), options);
    model.add(std::vector<std::string>{"lost card", "send money", "euro rate"}, "card");
    const auto p = model.predict("send money");
    CHECK(p.neighbors.size() == 3);
    CHECK(p.neighbors[0].text == "send money");
    CHECK(p.neighbors[0].similarity == approx(1).epsilon(1e-5));
  }
}

TEST_CASE("classifier: without examples the neighbors know nothing, and the head decides") {
  const TemporaryFolder folder;
  const auto model = tiny_classifier(folder.path());
  const auto p = model.predict("where is my card?");
  CHECK(p.neighbors.empty());
  for (const float x : p.knn) CHECK(x == approx(1.0 / 3));
  CHECK(std::max_element(p.head.begin(), p.head.end()) - p.head.begin() == p.label);
}

TEST_CASE("classifier: a text has the same prediction alone, in a list, and for any number of threads") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  std::vector<std::string> many;
  const Dataset data = tiny_data(300, 9);
  for (const auto& text : data.texts()) many.push_back(text);
  const auto all = model.predict(many);
  for (const std::size_t i : {0u, 1u, 255u, 256u, 299u}) CHECK(same(model.predict(many[i]), all[i]));
  for (const index_t threads : {2, 3, 8}) {
    auto options = tiny_options();
    options.threads = threads;
    auto other = tiny_classifier(folder.path(), options);
    other.index(tiny_data());
    CHECK(same(other.predict(many), all));
  }
}

TEST_CASE("classifier: distributions are those of predict") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto all = model.predict(tiny_texts);
  const Distributions found = model.distributions(model.tokenize(tiny_texts));
  for (std::size_t i = 0; i < all.size(); ++i)
    for (index_t c = 0; c < 3; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const auto row = static_cast<index_t>(i);
      CHECK(found.knn(row, c) == all[i].knn[at]);
      CHECK(found.head(row, c) == all[i].head[at]);
      CHECK(found.combined(row, c) == all[i].combined[at]);
    }
  CHECK(model.distributions(Batch{}).head.rows() == 0);
  CHECK(model.predict(std::span<const std::string>{}).empty());
}

TEST_CASE("classifier: pairs are read as pairs, long texts are cut") {
  const TemporaryFolder folder;
  const auto model = tiny_classifier(folder.path());
  const std::vector<std::string> texts{"lost card", "lost card"}, pairs{"send money", ""};
  const Batch batch = model.tokenize(texts, pairs);
  CHECK(batch.length(0) == 7);
  CHECK(batch.length(1) == 4);
  CHECK(batch.segments[4] == 1);
  CHECK(same(model.predict(texts, pairs)[0], model.predict("lost card", "send money")));
  CHECK(same(model.predict(texts, pairs)[1], model.predict("lost card")));
  CHECK_FALSE(model.predict("lost card", "send money").head == model.predict("lost card").head);
  const std::string longest(1000, 'a');
  std::string words;
  for (int i = 0; i < 100; ++i) words += "card ";
  CHECK(model.tokenize(std::vector<std::string>{words, longest}).length(0) == 12);
  CHECK_THROWS_AS(model.tokenize(texts, std::vector<std::string>{"one"}), ShapeError);
}

TEST_CASE("classifier: heads start from the seed") {
  const TemporaryFolder folder;
  auto options = tiny_options();
  const auto a = tiny_classifier(folder.path(), options), b = tiny_classifier(folder.path(), options);
  options.seed = 43;
  const auto c = tiny_classifier(folder.path(), options);
  CHECK(same_values(a.network().values(), b.network().values()));
  CHECK_FALSE(same_values(a.network().values(), c.network().values()));
}

TEST_CASE("classifier: impossible options and directories") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const auto refused = [&](const ClassifierOptions& options, std::vector<std::string> classes = tiny_classes) {
    return message_of<OptionError>([&] { Classifier<> model(folder / "encoder", classes, options); });
  };
  CHECK(refused(tiny_options()) == "nothing thrown");
  CHECK(contains(refused({.max_length = 17}), "max_length: 17 given, 3 to 16 expected"));
  CHECK(contains(refused({.max_length = 2}), "max_length: 2 given"));
  CHECK(contains(refused({.neighbors = 0, .max_length = 12}), "0 given, 1 to 1048576 expected"));
  CHECK(contains(refused({.max_length = 12, .threads = 0}), "0 threads given"));
  CHECK(contains(refused({.projection_width = -1, .max_length = 12}), "-1"));
  CHECK(contains(refused(tiny_options(), {}), "0 outputs given, at least 1 expected"));
  CHECK(contains(refused(tiny_options(), {"a", "b", "a"}), "class 'a' given twice"));
  CHECK_THROWS_AS(Classifier<>(folder / "nowhere", tiny_classes), IoError);
  std::string many;
  for (int i = 0; i < 50; ++i) many += "word" + std::to_string(i) + "\n";
  std::ofstream(folder / "encoder" / "vocab.txt", std::ios::app) << many;
  CHECK(contains(message_of<FormatError>([&] { Classifier<> model(folder / "encoder", tiny_classes, tiny_options()); }),
                 "a tokenizer of 80 tokens given"));
}

TEST_CASE("class names: grow, keep their labels, and readers keep what they saw") {
  ClassNames names({"a", "b"});
  const auto before = names.list();
  using Names = std::vector<std::string>;
  const auto require = [&](const Names& some) { return names.require(some); };
  CHECK(require({"b"}) == std::vector<label_t>{1});
  CHECK(names.list() == before);
  CHECK(require({"c", "b", "c"}) == std::vector<label_t>{2, 1, 2});
  CHECK(before->size() == 2);
  CHECK(*names.list() == std::vector<std::string>{"a", "b", "c"});
  CHECK_THROWS_AS(require({"d", "\xFF"}), OptionError);
  CHECK(names.list()->size() == 3);  // all new names or none
  const auto upper = [](const std::string& name) { return std::string(1, static_cast<char>(name[0] & ~32)); };
  const Names others{"Bee", "echo", "Echo", "zoo", "e"};
  CHECK(names.require(others, upper) == std::vector<label_t>{1, 3, 3, 4, 3});
  CHECK(*names.list() == Names{"a", "b", "c", "echo", "zoo"});
}

TEST_CASE("classifier: the last classes are forgotten when they have no example left and the head does not know them") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto known = *model.classes();
  const auto first = model.add({"lost card"}, "first"), second = model.add({"my pin"}, "second");
  CHECK(model.forget_classes().empty());
  const auto before = model.classes();
  model.remove(first);
  CHECK(model.forget_classes().empty());  // the label of the second one stays what it is
  CHECK(model.classes() == before);
  model.remove(second);
  CHECK(model.forget_classes() == std::vector<std::string>{"first", "second"});
  CHECK(*model.classes() == known);
  model.remove(model.datastore().ids());
  CHECK(model.forget_classes().empty());  // those of the head
}

TEST_CASE("fingerprint: 16 digits that change with any bit") {
  ParameterTable table;
  table.add_weight("w", 20, 9);
  table.add_lookup("l", 7, 3);
  ParameterBlock values(std::make_shared<const ParameterTable>(table));
  fill_random(values, 1, 1);
  const std::string print = fingerprint(values);
  CHECK(print.size() == 16);
  CHECK(fingerprint(ParameterBlock(values)) == print);
  std::set<std::string> seen{print};
  for (index_t i = 0; i < values.size(); ++i)
    for (const std::uint32_t bit : {1u, 1u << 13, 1u << 31}) {
      ParameterBlock changed = values;
      auto& at = changed.data()[i];
      at = std::bit_cast<float>(std::bit_cast<std::uint32_t>(at) ^ bit);
      CHECK(seen.insert(fingerprint(changed)).second);
    }
  ParameterBlock swapped = values;
  std::swap(swapped.data()[0], swapped.data()[4]);
  CHECK(seen.insert(fingerprint(swapped)).second);
}

TEST_CASE("classifier: texts in braces are several texts, and probabilities have names") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto two = model.predict({"send money", "lost card"});
  REQUIRE(two.size() == 2);
  CHECK(same(two[0], model.predict("send money")));
  CHECK(same(two[1], model.predict("lost card")));
  CHECK(model.predict({"lost card"}).size() == 1);
  const auto pairs = model.predict({"send money", "lost card"}, {"euro rate", "new card"});
  REQUIRE(pairs.size() == 2);
  CHECK(same(pairs[0], model.predict("send money", "euro rate")));
  CHECK(same(pairs[1], model.predict("lost card", "new card")));
  CHECK_THROWS_AS(model.predict({"send money", "lost card"}, {"euro rate"}), ShapeError);
  const std::vector<std::string_view> views{"euro rate"};
  CHECK(same(model.predict(views)[0], model.predict("euro rate")));
  const Prediction& p = two.front();
  REQUIRE(p.classes->size() == 3);
  for (std::size_t c = 0; c < 3; ++c) CHECK(p.probability_of((*p.classes)[c]) == p.combined[c]);
  CHECK(p.probability_of(p.class_name) == p.probability);
  CHECK_THROWS_AS(p.probability_of("nobody"), OptionError);
}

TEST_CASE("classifier: a listener hears how far a call is, and one that asks to stop changes nothing") {
  struct Listener : ProgressListener {
    std::vector<index_t> heard;
    index_t stop_after = 1 << 20;
    void progress(index_t done, index_t total) override { heard.insert(heard.end(), {done, total}); }
    bool stop_requested() override { return std::ssize(heard) >= 2 * stop_after; }
  };
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  Listener all;
  model.index(tiny_data(300), {}, &all);
  CHECK(all.heard == std::vector<index_t>{256, 300, 300, 300});
  const auto before = model.predict(tiny_texts);
  Listener first;
  first.stop_after = 1;
  CHECK_THROWS_AS(model.index(tiny_data(300, 9), {}, &first), CancelledError);
  CHECK(first.heard == std::vector<index_t>{256, 300});
  CHECK(same(model.predict(tiny_texts), before));
  Listener none;
  none.stop_after = 0;
  CHECK_THROWS_AS(model.predict(tiny_texts, {}, &none), CancelledError);
}

TEST_CASE("classifier: tokens that do not fit together are refused before they are read") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const Batch good = model.tokenize(tiny_texts);
  const auto refused = [&](auto&& spoil) {
    Batch batch = good;
    spoil(batch);
    CHECK_THROWS_AS(model.answers(batch), ShapeError);
    CHECK_THROWS_AS(model.embed(batch), ShapeError);
    CHECK_THROWS_AS(model.head_distributions(batch), ShapeError);
    CHECK_THROWS_AS(TrainingData(batch, std::vector<label_t>(tiny_texts.size()), 3), ShapeError);
  };
  refused([](Batch& b) { b.segments.clear(); });
  refused([](Batch& b) { b.offsets.back() = 300000; });
  refused([](Batch& b) { b.offsets[1] = 1000; });
  refused([](Batch& b) { b.offsets[0] = -1; });
  refused([](Batch& b) { b.ids.pop_back(); });
}
