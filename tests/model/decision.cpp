// What a classifier makes of its distributions: temperature, scores of what is out of scope, and rejection.
#include "model/tiny_model.hpp"

#include <tuple>

using namespace knnbert_test;

namespace {

constexpr ScopeScore all_scores[] = {ScopeScore::neighbors, ScopeScore::class_mean, ScopeScore::max_probability,
                                     ScopeScore::energy};

Answers answers_of(const Classifier<>& model, const std::vector<std::string>& texts) {
  return model.answers(model.tokenize(texts));
}

double cosine(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0) /
         std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0) *
                   std::inner_product(b.begin(), b.end(), b.begin(), 0.0));
}

}  // namespace

TEST_CASE("decision: a temperature is the softmax of log p / T, and 1 changes no bit") {
  std::vector<float> p{0.7f, 0.2f, 0.1f, 0};
  const auto before = p;
  knnbert::detail::temper(1, p);
  CHECK(p == before);
  knnbert::detail::temper(2, p);  // scipy.special.softmax(numpy.log([0.7, 0.2, 0.1, 2**-23]) / 2)
  CHECK(p[0] == approx(0.522766581380601));
  CHECK(p[1] == approx(0.2794304915401838));
  CHECK(p[2] == approx(0.19758719543835415));
  CHECK(p[3] == approx(0.00021573164086117976));
  for (const float cold : {1e-2f, 1e-4f, std::numeric_limits<float>::min()}) {  // all goes to the likeliest class
    std::vector<float> even(4000, 1 / 4000.0f);
    even[7] *= 1.5f;
    knnbert::detail::temper(cold, even);
    CHECK(even[7] == approx(1));
    CHECK(std::accumulate(even.begin(), even.end(), 0.0) == approx(1));
  }
  for (const float wrong :
       {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    CHECK_THROWS_AS(knnbert::detail::temper(wrong, p), OptionError);
}

TEST_CASE("decision: the temperature is in combined alone, moves no label, and can be changed without encoding") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  Answers answers = answers_of(model, tiny_texts);
  model.decision().temperature = 3;
  const auto after = model.predict(tiny_texts);
  model.combine(answers.distributions);
  for (std::size_t i = 0; i < after.size(); ++i) {
    CHECK(after[i].label == before[i].label);
    CHECK(after[i].knn == before[i].knn);
    CHECK(after[i].head == before[i].head);
    CHECK(after[i].probability < before[i].probability);
    CHECK(sum_of(after[i].combined) == approx(1));
    const auto row = answers.distributions.combined.row(static_cast<index_t>(i));
    CHECK(std::equal(row.begin(), row.end(), after[i].combined.begin()));
  }
  model.decision().temperature = -1;
  CHECK_THROWS_AS(model.predict("card"), OptionError);
}

TEST_CASE("decision: votes for added classes that rounding makes more than 1 leave no negative probability") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.add(std::vector<std::string>{"hello"}, "greeting");
  model.add(std::vector<std::string>{"zyx"}, "noise");
  Distributions all{Matrix(1, 5), Matrix(1, 5), Matrix(1, 5)};
  all.head.fill(0), all.knn.fill(0);
  for (index_t c = 0; c < 3; ++c) all.head(0, c) = 1 / 3.0f;
  all.knn(0, 3) = std::nextafter(0.5f, 1.0f), all.knn(0, 4) = 0.5f;
  model.combine(all);
  for (const float p : std::as_const(all.combined).row(0)) CHECK(p >= 0);
}

TEST_CASE("decision: scores of what is out of scope are what they say, whatever temperature and number of neighbors") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const Dataset data = tiny_data();
  model.index(data);
  const Answers answers = answers_of(model, tiny_texts);
  const auto predictions = model.predict(tiny_texts);
  std::vector<std::vector<double>> means(3, std::vector<double>(12));
  model.datastore().snapshot()->for_each([&](example_id, label_t label, std::span<const float> key, auto, auto) {
    for (std::size_t d = 0; d < 12; ++d) means[as_size(label)][d] += static_cast<double>(key[d]);
  });
  for (std::size_t i = 0; i < tiny_texts.size(); ++i) {
    const auto row = static_cast<index_t>(i);
    const Prediction& p = predictions[i];
    CHECK(model.scope_scores(ScopeScore::neighbors, answers)[i] == -p.neighbors.front().similarity);
    CHECK(model.scope_scores(ScopeScore::max_probability, answers)[i] ==
          approx(1 - static_cast<double>(p.probability)));
    double sum = 0, nearest = -1;
    for (const float a : answers.logits.row(row)) sum += std::exp(static_cast<double>(a));
    CHECK(model.scope_scores(ScopeScore::energy, answers)[i] == approx(-std::log(sum)).epsilon(1e-5));
    const auto feature = answers.features.row(row);
    const std::vector<double> own(feature.begin(), feature.end());
    for (const auto& mean : means) nearest = std::max(nearest, cosine(own, mean));
    CHECK(model.scope_scores(ScopeScore::class_mean, answers)[i] == approx(-nearest).epsilon(1e-5));
  }
  model.decision().temperature = 3;
  model.set_neighbors(1);
  const Answers other = answers_of(model, tiny_texts);
  for (const ScopeScore score : {ScopeScore::neighbors, ScopeScore::class_mean, ScopeScore::energy})
    CHECK(model.scope_scores(score, other) == model.scope_scores(score, answers));
}

TEST_CASE("decision: a text whose score is larger than the threshold is rejected, and the prediction says why") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const auto before = model.predict(tiny_texts);
  for (const ScopeScore score : all_scores) {
    auto scores = model.scope_scores(score, answers_of(model, tiny_texts));
    const float threshold = scores[2];
    model.decision().rejection = {.score = score, .threshold = threshold};
    const auto after = model.predict(tiny_texts);
    CHECK(same(after, before));
    CHECK_FALSE(after[2].rejection);  // a tie is accepted
    for (std::size_t i = 0; i < after.size(); ++i) {
      CHECK(after[i].rejection.has_value() == (scores[i] > threshold));
      if (!after[i].rejection) continue;
      CHECK(after[i].rejection->score == score);
      CHECK(after[i].rejection->value == scores[i]);
      CHECK(after[i].rejection->threshold == threshold);
    }
    model.decision().rejection->threshold = std::numeric_limits<float>::quiet_NaN();
    CHECK(model.predict("card").rejection);  // nothing is known to be near enough
  }
}

TEST_CASE("decision: without examples texts are infinitely far from them, which is no reason to reject them") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const Answers answers = answers_of(model, tiny_texts);
  for (const ScopeScore score : {ScopeScore::neighbors, ScopeScore::class_mean})
    for (const float value : model.scope_scores(score, answers)) CHECK(value == std::numeric_limits<float>::infinity());
  for (const ScopeScore score : all_scores) {
    CAPTURE(name_of(score));
    model.decision().rejection = {.score = score, .threshold = -1000};
    const bool of_head = score == ScopeScore::max_probability || score == ScopeScore::energy;
    CHECK(model.predict("card").rejection.has_value() == of_head);
    const auto ids = model.add(std::vector<std::string>{"money"}, "money");
    CHECK(model.predict("card").rejection);
    model.remove(ids);
    CHECK(model.predict("card").rejection.has_value() == of_head);
  }
  CHECK(model.predict(std::span<const std::string>()).empty());
}

TEST_CASE("decision: texts of a class that was added live are accepted") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  const std::vector<std::string> examples{"hello hello hello", "zyx"};
  for (const ScopeScore score : {ScopeScore::neighbors, ScopeScore::class_mean}) {
    CAPTURE(name_of(score));
    const auto far = model.scope_scores(score, answers_of(model, examples));
    model.decision().rejection = {.score = score, .threshold = std::min(far[0], far[1]) - 1e-4f};
    for (const auto& p : model.predict(examples)) CHECK(p.rejection);
    const auto ids = model.add(std::span(examples).first(1), "greeting");
    const auto p = model.predict(examples[0]);
    CHECK_FALSE(p.rejection);
    CHECK(p.neighbors.front().class_name == "greeting");
    model.remove(ids);
    CHECK(model.predict(examples[0]).rejection);
  }
}

TEST_CASE("decision: a directory keeps it to the bit, and one from before has none") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.save(folder / "plain");
  CHECK(Classifier<>::load(folder / "plain").decision().temperature == 1);
  CHECK_FALSE(Classifier<>::load(folder / "plain").decision().rejection);
  auto json = read_json(folder / "plain" / "knnbert.json");
  CHECK(json.erase("temperature") == 1);
  write_json(folder / "plain" / "knnbert.json", json);
  CHECK(Classifier<>::load(folder / "plain").decision().temperature == 1);

  for (const ScopeScore score : all_scores) {
    model.decision() = {
        .temperature = 1 / 3.0f,
        .rejection = RejectionRule{.score = score, .threshold = -2 / 3.0f, .coverage = 0.95f, .held_out = 7}};
    model.save(folder / "saved");
    const auto loaded = Classifier<>::load(folder / "saved");
    const auto& rule = loaded.decision().rejection;
    REQUIRE(rule);
    CHECK(loaded.decision().temperature == 1 / 3.0f);
    CHECK(rule->score == score);
    CHECK(rule->threshold == -2 / 3.0f);
    CHECK(rule->coverage == 0.95f);
    CHECK(rule->held_out == 7);
    const auto a = model.predict(tiny_texts), b = loaded.predict(tiny_texts);
    CHECK(same(a, b));
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].rejection.has_value() == b[i].rejection.has_value());
  }
}

TEST_CASE("decision: a bad value of a directory is a format error with file and key") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.decision().rejection = {.score = ScopeScore::energy, .threshold = 1, .coverage = 0.9f, .held_out = 10};
  model.save(folder / "saved");
  const auto path = folder / "saved" / "knnbert.json";
  const Json whole = read_json(path);
  const std::tuple<const char*, const char*, const char*> changes[] = {
      {"/temperature", "0", "temperature: 0 given"},
      {"/temperature", "\"hot\"", "temperature: \"hot\" given"},
      {"/rejection", "[]", "rejection: "},
      {"/rejection", "{}", "rejection: key 'score' is missing"},
      {"/rejection/score", "\"feeling\"",
       "rejection: score: 'feeling' given, one of neighbors, class-mean, max-probab"},
      {"/rejection/threshold", "null", "rejection: threshold: null given"},
      {"/rejection/coverage", "1.5", "rejection: coverage: 1.5 given, 0 to 1 expected"},
      {"/rejection/held_out", "-1", "rejection: held_out: -1 given"}};
  for (const auto& [place, value, expected] : changes) {
    Json changed = whole;
    changed[Json::json_pointer(place)] = Json::parse(value);
    write_json(path, changed);
    const auto message = message_of<FormatError>([&] { Classifier<>::load(folder / "saved"); });
    INFO(place << " " << value << ": " << message);
    CHECK(message.starts_with(path.string()));
    CHECK(contains(message, expected));
  }
}
