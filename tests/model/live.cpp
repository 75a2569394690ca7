// Examples and classes that come and go while a model is in use.
#include "knnbert/model/stored_examples.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

TEST_CASE("live: examples are added and removed without training") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  const auto ids = model.add(std::vector<std::string>{"block my card", "where is my new card?"}, "money");
  CHECK(ids.size() == 2);
  CHECK(model.datastore().size() == 42);
  CHECK(model.classes()->size() == 3);
  const auto p = model.predict("where is my new card?");
  CHECK(p.neighbors[0].text == "where is my new card?");
  CHECK(p.neighbors[0].class_name == "money");
  CHECK(p.neighbors[0].id == ids[1]);
  CHECK(model.remove(ids) == 2);
  CHECK(model.remove(ids) == 0);
  CHECK(same(model.predict(tiny_texts), before));
  const auto again = model.add(std::vector<std::string>{"block my card"}, "money");
  CHECK(again[0] > ids[1]);
  CHECK(model.add(std::span<const std::string>{}, "money").empty());
}

TEST_CASE("live: a class the head does not know takes the neighbors' share, the head keeps the rest") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  for (int i = 0; i < 4; ++i) model.add(std::vector<std::string>{"hello", "hello hello"}, "greeting");
  CHECK(*model.classes() == std::vector<std::string>{"card", "money", "rate", "greeting"});
  auto texts = tiny_texts;
  texts.push_back("hello");
  const auto after = model.predict(texts);
  const double phi = model.fusion().phi;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const Prediction& p = after[i];
    REQUIRE(p.knn.size() == 4);
    for (const auto* list : {&p.knn, &p.head, &p.combined}) CHECK(sum_of(*list) == approx(1).epsilon(1e-5));
    CHECK(p.head[3] == 0);
    if (i < before.size())
      for (std::size_t c = 0; c < 3; ++c) CHECK(p.head[c] == before[i].head[c]);
    for (std::size_t c = 0; c < 3; ++c)
      CHECK(p.combined[c] == approx(phi * p.knn[c] + (1 - phi) * p.head[c] * (1 - p.knn[3])));
    CHECK(p.combined[3] == approx(phi * p.knn[3] + (1 - phi) * p.knn[3]));
  }
  const Prediction& p = after.back();
  CHECK(p.class_name == "greeting");
  CHECK(p.label == 3);
  CHECK(p.knn[3] >= 0.8f);
  CHECK(p.probability == approx(p.knn[3]));
}

TEST_CASE("live: index() forgets an added class that has no example left") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  model.add(std::vector<std::string>{"hello"}, "a typo");
  model.add(std::vector<std::string>{"euro euro"}, "greeting");
  const Dataset more({{.text = "hello", .label = 0}, {.text = "card", .label = 1}}, {"greeting", "card"});
  model.index(more);
  CHECK(*model.classes() == std::vector<std::string>{"card", "money", "rate", "greeting"});
  CHECK(model.predict("hello").neighbors.front().class_name == "greeting");
  model.index(tiny_data());
  CHECK(*model.classes() == tiny_classes);
  const auto after = model.predict(tiny_texts);
  for (std::size_t i = 0; i < after.size(); ++i) CHECK(after[i].combined == before[i].combined);
}

TEST_CASE("live: without an example the head decides alone") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.add(std::vector<std::string>{"hello"}, "greeting");
  model.remove(model.datastore().ids());
  for (const Prediction& p : model.predict(tiny_texts)) {
    CHECK(p.neighbors.empty());
    for (std::size_t c = 0; c < 3; ++c) CHECK(p.knn[c] == approx(1.0 / 3));
    CHECK(p.knn[3] == 0);
    CHECK(p.combined[3] == 0);
    CHECK(p.label == std::max_element(p.head.begin(), p.head.end()) - p.head.begin());
  }
}

TEST_CASE("live: second texts that are not as many as texts are refused, and a class keeps its spelling") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const std::vector<std::string> texts{"hello", "card"}, pairs{"a", "b", "c"};
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}})
    CHECK_THROWS_AS(model.add(texts, "money", std::span(pairs).first(count)), ShapeError);
  CHECK(model.datastore().size() == 0);
  model.add(texts, "1");
  model.add(texts, "1.0");
  model.add(texts, " money");
  CHECK(*model.classes() == std::vector<std::string>{"card", "money", "rate", "1"});
}

TEST_CASE("live: a model takes the place of another") {
  static_assert(std::is_move_assignable_v<Classifier<>>);
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path()), other = tiny_classifier(folder.path());
  model.index(tiny_data());
  other.index(tiny_data(20, 5));
  other.add(std::vector<std::string>{"hello"}, "greeting");
  const auto expected = other.predict(tiny_texts);
  other.save(folder / "saved");
  model = Classifier<>::load(folder / "saved");
  CHECK(same(model.predict(tiny_texts), expected));
  model = std::move(other);
  CHECK(same(model.predict(tiny_texts), expected));
}

TEST_CASE("live: neighbors, fusion and voting can be set between predictions") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.set_neighbors(1000);
  CHECK(model.predict("card").neighbors.size() == 40);
  model.set_neighbors(1);
  const auto nearest = model.predict("card");
  CHECK(nearest.neighbors.size() == 1);
  model.fusion().phi = 1;
  CHECK(model.predict("card").combined == nearest.knn);
  model.fusion().phi = 0;
  CHECK(model.predict("card").combined == nearest.head);
  model.fusion().phi = 1.5f;
  CHECK_THROWS_AS(model.predict("card"), OptionError);
  CHECK_THROWS_AS(model.set_neighbors(0), OptionError);
  CHECK(model.neighbors() == 1);
}

TEST_CASE("live: a failed index leaves the examples as they were") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  CHECK_THROWS_AS(model.index(Dataset({{.text = "card", .label = 0}}, {"unknown class"})), FormatError);
  CHECK_THROWS_AS(model.index(Dataset({{.text = "card", .label = 0}, {.text = "no label"}}, {"card"})), Error);
  CHECK(model.datastore().size() == 40);
  CHECK(same(model.predict(tiny_texts), before));
  model.index(Dataset({}, {"card"}));
  CHECK(model.datastore().size() == 0);
}

TEST_CASE("live: index follows class names, not label numbers") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(Dataset({{.text = "lost card", .label = 1}, {.text = "euro rate", .label = 0}}, {"rate", "card"}));
  CHECK(model.predict("lost card").neighbors[0].class_name == "card");
  CHECK(model.predict("euro rate").neighbors[0].class_name == "rate");
}

TEST_CASE("live: predictions stay consistent while another thread adds and removes examples and classes") {
  const TemporaryFolder folder;
  auto options = tiny_options();
  options.threads = 2;
  auto model = tiny_classifier(folder.path(), options);
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0, made = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t)
    readers.emplace_back([&] {
      for (int round = 0; round < 15 || !done; ++round) {
        for (const Prediction& p : model.predict(tiny_texts)) {
          wrong += std::abs(sum_of(p.combined) - 1) > 1e-4 || p.neighbors.size() != 5 || p.class_name.empty();
          for (const Evidence& e : p.neighbors)
            wrong += e.class_name.empty() || e.text.empty() || e.label >= std::ssize(p.combined);
        }
        ++made;
      }
    });
  for (int round = 0; round < 20; ++round) {
    const auto ids = model.add(std::vector<std::string>{"where is my new card?", "send money abroad"},
                               "class " + std::to_string(round % 7));
    wrong += model.remove(ids) != 2;
  }
  done = true;
  for (auto& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(made >= 45);
  const auto after = model.predict(tiny_texts);
  for (std::size_t i = 0; i < after.size(); ++i)
    CHECK(std::equal(before[i].combined.begin(), before[i].combined.end(), after[i].combined.begin()));
}

TEST_CASE("live: a model saved while classes arrive is a whole one") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data(6));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) model.add(std::vector<std::string>{"hello"}, "class " + std::to_string(i % 400));
  });
  for (int round = 0; round < 5; ++round) {
    const auto message = message_of<Error>([&] {
      model.save(folder / "saved");
      const auto loaded = Classifier<>::load(folder / "saved");
      CHECK(loaded.datastore().size() >= 6);
      for (const label_t label : loaded.datastore().labels()) CHECK(label < std::ssize(*loaded.classes()));
    });
    CHECK(message == "nothing thrown");
  }
  done = true;
  writer.join();
}

TEST_CASE("live: the stored examples are those of one moment") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data(6));
  std::atomic<bool> done = false;
  std::thread writer([&] {
    while (!done) {
      const auto ids = model.add(std::vector<std::string>{"hello", "hello hello"}, "greeting");
      model.remove(ids);
    }
  });
  const auto message = message_of<Error>([&] {
    for (int round = 0; round < 300; ++round) {
      const Dataset all = stored_examples(std::as_const(model));
      CHECK((all.size() == 6 || all.size() == 8));
      for (index_t i = 0; i < all.size(); ++i) CHECK(!all.text(i).empty());
    }
  });
  done = true;
  writer.join();
  CHECK(message == "nothing thrown");
}

TEST_CASE("live: votes for an added class weigh by the root of how many more examples a known class has") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.set_neighbors(1000);
  const auto before = model.predict("card").knn;
  const auto check = [&](double examples, double weight) {
    const auto knn = model.predict("card").knn;
    const double total = 40 + examples * weight;
    CHECK(knn[3] == approx(examples * weight / total).epsilon(1e-5));
    for (std::size_t c = 0; c < 3; ++c) CHECK(knn[c] == approx(before[c] * 40 / total).epsilon(1e-5));
  };
  model.add(std::vector<std::string>{"hello", "hello hello"}, "greeting");
  check(2, std::sqrt(40.0 / 3 / 2));
  model.add(std::vector<std::string>(14, "hello"), "greeting");
  check(16, 1);  // more than a known class has: a plain vote
}

namespace {

/// A datastore that fails once when it is told to.
template <class Metric>
struct Failing : FlatDatastore<Metric> {
  using Base = FlatDatastore<Metric>;
  using Base::Base;
  static inline bool add_fails = false, remove_fails = false;

  template <class... A>
  std::vector<example_id> add(A&&... arguments) {
    if (std::exchange(add_fails, false)) throw std::runtime_error("full");
    return Base::add(std::forward<A>(arguments)...);
  }
  index_t remove(std::span<const example_id> ids) {
    if (std::exchange(remove_fails, false)) throw std::runtime_error("away");
    return Base::remove(ids);
  }
};
struct FailingStack : DefaultStack {
  template <class Metric>
  using datastore_type = Failing<Metric>;
};

}  // namespace

TEST_CASE("live: what a datastore refuses leaves examples, classes and answers as they were") {
  using Store = FailingStack::datastore_type<FailingStack::metric_type>;
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  Classifier<FailingStack> model(folder / "encoder", tiny_classes, tiny_options());
  model.index(tiny_data());
  model.add({"hello", "hello hello"}, "greeting");
  const auto gone = model.add({"abroad"}, "travel");
  CHECK(model.remove({gone[0]}) == 1);
  const auto names = *model.classes();
  const auto before = model.predict(tiny_texts);
  Store::add_fails = true;
  CHECK_THROWS_AS(model.add({"my pin is lost"}, "pin"), std::runtime_error);
  CHECK(*model.classes() == names);
  const Dataset examples = stored_examples(model);
  for (bool* fails : {&Store::add_fails, &Store::remove_fails}) {
    *fails = true;
    CHECK_THROWS_AS(model.index(examples), std::runtime_error);
    CHECK(*model.classes() == names);
    CHECK(model.datastore().size() == examples.size());
    CHECK(same(model.predict(tiny_texts), before));
  }
  model.index(examples);
  CHECK(model.classes()->size() + 1 == names.size());
  CHECK(model.datastore().size() == examples.size());
}
