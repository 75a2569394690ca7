// A classifier's state is what it says: which parameters made the datastore, whether the head was trained, what the
// directory was made by.
#include "knnbert/io/json.hpp"
#include "knnbert/metric/pairwise.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/testing/laws.hpp"
#include "knnbert/train/trainer.hpp"
#include "knnbert/voting/softmax_weighted.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

struct Near {
  float operator()(std::span<const float> a, std::span<const float> b) const { return -std::abs(a[0] - b[0]); }
};
struct Far : Near {};

template <class Similarity>
struct PairStack : DefaultStack {
  using metric_type = Pairwise<Similarity>;
};
struct SoftmaxStack : DefaultStack {
  using voting_type = SoftmaxWeighted;
};
struct CountStack : DefaultStack {
  using voting_type = MajorityVoting;
};
struct HeadStack : DefaultStack {
  using fusion_type = HeadOnly;
};

void move_parameters(Classifier<>& model) { model.network().values().data()[0] += 0.5f; }

const std::vector<std::string> one_text{"lost card"};

}  // namespace

TEST_CASE("state: a datastore of other parameters is refused until index() fills it anew") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  move_parameters(model);
  CHECK(model.predict("card").neighbors.empty());  // nothing in it: nothing is stale
  model.index(tiny_data());
  CHECK(model.predict("card").neighbors.size() == 5);
  move_parameters(model);
  CHECK_THROWS_AS(model.predict("card"), StateError);
  CHECK_THROWS_AS(model.distributions(model.tokenize(one_text)), StateError);
  CHECK_THROWS_AS(model.add(one_text, "card"), StateError);
  CHECK_THROWS_AS(model.save(folder / "saved"), StateError);
  CHECK_FALSE(std::filesystem::exists(folder / "saved"));
  CHECK(model.head_distributions(model.tokenize(one_text)).cols() == 3);
  model.index(tiny_data());
  model.save(folder / "saved");
  CHECK(same(Classifier<>::load(folder / "saved").predict(tiny_texts), model.predict(tiny_texts)));
}

TEST_CASE("state: copies of parameters bring their datastore's validity along") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const ParameterBlock kept = model.network().values();
  move_parameters(model);
  CHECK_THROWS_AS(model.predict("card"), StateError);
  model.network().values() = kept;
  CHECK(model.predict("card").neighbors.size() == 5);
}

TEST_CASE("state: training ends with a stale datastore or none, whichever epoch was the best") {
  const TemporaryFolder folder;
  const TrainerOptions options{.epochs = 3, .batch_size = 8, .learning_rate = 3e-3f};
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  Trainer(model, options, CrossEntropy{}).fit(tiny_data());
  CHECK_THROWS_AS(model.predict("card"), StateError);
  CHECK_THROWS_AS(model.save(folder / "saved"), StateError);
  const auto report = Trainer(model, options, CrossEntropy{}).fit(tiny_data(), tiny_data(12, 9));
  if (report.best_epoch < 3) CHECK_THROWS_AS(model.predict("card"), StateError);
  model.index(tiny_data());
  CHECK(model.predict("card").neighbors.size() == 5);
}

TEST_CASE("state: neighbors decide until a head is trained") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  Classifier<> model(folder / "encoder", tiny_classes, tiny_options());
  CHECK_FALSE(model.head_trained());
  model.index(tiny_data());
  for (const auto& p : model.predict(tiny_texts))
    for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(p.combined[c] - p.knn[c]) < 1e-6f);
  model.save(folder / "saved");
  CHECK_FALSE(Classifier<>::load(folder / "saved").head_trained());

  Trainer(model, {.epochs = 0}, CrossEntropy{}).fit(tiny_data());
  CHECK_FALSE(model.head_trained());
  Trainer(model, {.epochs = 1, .learning_rate = 1e-3f}, CrossEntropy{.weight = 0}).fit(tiny_data());
  CHECK_FALSE(model.head_trained());  // no loss reached it
  Trainer(model, {.epochs = 1, .learning_rate = 1e-3f, .weight_decay = 0.1f}, CrossEntropy{.weight = 0})
      .fit(tiny_data());
  CHECK_FALSE(model.head_trained());  // its weights decayed
  Trainer(model, {.epochs = 1, .learning_rate = 1e-3f}, CrossEntropy{}).fit(tiny_data());
  CHECK(model.head_trained());
  model.index(tiny_data());
  const auto p = model.predict("card");
  CHECK(std::abs(p.combined[0] - p.knn[0]) > 1e-3f);
  model.save(folder / "saved");
  CHECK(Classifier<>::load(folder / "saved").head_trained());
}

TEST_CASE("state: labels without a class are refused before anything changes") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  const Matrix keys = testing::random_rows(2, model.network().feature_width(), 5);
  for (const label_t wrong : {label_t{3}, label_t{-1}, label_t{1000000}})
    CHECK_THROWS_AS(model.index(keys, std::vector<label_t>{0, wrong}), ShapeError);
  const Dataset unlabeled({{.text = "card", .label = 0}, {.text = "cash", .label = no_label}},
                          {"card", "money", "rate"});
  CHECK_THROWS_AS(model.index(unlabeled), ShapeError);
  CHECK_THROWS_AS(model.add(unlabeled), ShapeError);
  CHECK_THROWS_AS(model.add(one_text, ""), OptionError);
  CHECK_THROWS_AS(model.index(Dataset({{.text = "card", .label = 0}}, {"a fourth class"})), FormatError);
  CHECK(model.classes()->size() == 3);
  CHECK(same(model.predict(tiny_texts), before));
}

TEST_CASE("state: settings that load() would refuse are not saved over what is there") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.save(folder / "saved");
  const auto refused = [&](auto&& change) {
    auto own = Classifier<>::load(folder / "saved");
    change(own);
    CHECK_THROWS_AS(own.save(folder / "saved"), OptionError);
    CHECK(Classifier<>::load(folder / "saved").datastore().size() == 0);
  };
  constexpr float infinite = std::numeric_limits<float>::infinity();
  refused([&](auto& own) { own.decision().rejection = RejectionRule{.threshold = infinite}; });
  refused([&](auto& own) { own.decision().temperature = 0; });
  refused([&](auto& own) { own.voting().temperature = 0; });
  refused([&](auto& own) { own.fusion().phi = 2; });
}

TEST_CASE("state: what is not there yet has a defined answer") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const auto p = model.predict("card");
  CHECK(p.neighbors.empty());
  CHECK_THROWS_AS(p.neighbors.front(), StateError);
}

TEST_CASE("state: pairs of texts stay pairs in the datastore, its file and the evidence") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const Dataset pairs({{"my card", "is lost", 0}, {"my card", "send money", 1}, {"cash", "", 2}}, tiny_classes);
  model.index(pairs);
  model.set_neighbors(1);
  model.fusion().phi = 1;
  const auto check = [](const Classifier<>& m, const std::string& text, const std::string& pair,
                        const std::string& name) {
    const auto p = m.predict(text, pair);
    CHECK(p.neighbors.front().text == text);
    CHECK(p.neighbors.front().pair == pair);
    CHECK(p.class_name == name);
  };
  check(model, "my card", "is lost", "card");
  check(model, "my card", "send money", "money");
  check(model, "cash", "", "rate");
  const auto ids = model.add(Dataset({{"hello", "my", 0}, {"hello", "the", 1}}, {"greeting", "money"}));
  CHECK(ids.size() == 2);
  model.add(std::vector<std::string>{"euro"}, "rate", std::vector<std::string>{"dollar"});
  model.remove(std::vector<example_id>{1});
  model.save(folder / "saved");
  const auto loaded = Classifier<>::load(folder / "saved");
  CHECK(loaded.datastore().has_pairs());
  check(loaded, "my card", "is lost", "card");
  check(loaded, "hello", "my", "greeting");
  check(loaded, "hello", "the", "money");
  check(loaded, "euro", "dollar", "rate");
}

TEST_CASE("state: a directory names the policies that made it, and another stack is refused") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  const auto made_by = [&]<class Stack>(std::type_identity<Stack>) {
    Classifier<Stack> model(folder / "encoder", tiny_classes, tiny_options());
    model.index(tiny_data());
    model.save(folder / "saved");
    CHECK(Classifier<Stack>::load(folder / "saved").datastore().size() == 40);
  };
  made_by(std::type_identity<PairStack<Near>>());
  CHECK(read_json(folder / "saved" / "knnbert.json").at("metric") == "pairwise Near");
  CHECK_THROWS_AS(Classifier<PairStack<Far>>::load(folder / "saved"), FormatError);
  CHECK_THROWS_AS(Classifier<>::load(folder / "saved"), FormatError);
  made_by(std::type_identity<SoftmaxStack>());
  CHECK(contains(message_of<FormatError>([&] { Classifier<CountStack>::load(folder / "saved"); }),
                 "voting 'softmax' given, 'count'"));
  CHECK(Classifier<>::load(folder / "saved").voting().kind == VotingKind::softmax);  // a stack that takes any
  made_by(std::type_identity<HeadStack>());
  CHECK(contains(message_of<FormatError>([&] { Classifier<>::load(folder / "saved"); }),
                 "fusion 'head' given, 'convex'"));
  made_by(std::type_identity<DefaultStack>());
  const Json json = read_json(folder / "saved" / "knnbert.json");
  CHECK(json.at("encoder") == "bert");
  CHECK(json.at("tokenizer") == "WordPiece");
  CHECK(json.at("voting") == "count");
}
