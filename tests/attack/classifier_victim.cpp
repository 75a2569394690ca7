// A classifier as a victim: its own answers, its length limit, and what leads a search in their place.
#include "knnbert/attack/classifier_victim.hpp"

#include "knnbert/attack/attack.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

bool are_equal_rows(const Matrix& a, const Matrix& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  for (index_t i = 0; i < a.rows(); ++i)
    if (!std::equal(a.row(i).begin(), a.row(i).end(), b.row(i).begin())) return false;
  return true;
}

}  // namespace

TEST_CASE("a classifier is a victim by each of its predictors") {
  const TemporaryFolder place;
  auto model = tiny_classifier(place.path());
  model.index(tiny_data());
  const auto all = model.distributions(model.tokenize(tiny_texts));
  CHECK(are_equal_rows(ClassifierVictim{&model}(tiny_texts).judged, all.combined));
  CHECK(are_equal_rows(ClassifierVictim{&model, Predictor::knn}(tiny_texts).judged, all.knn));
  CHECK(are_equal_rows(ClassifierVictim{&model, Predictor::head}(tiny_texts).judged, all.head));
  const std::vector<std::string> second(tiny_texts.size(), "money abroad");
  CHECK(are_equal_rows(ClassifierVictim{&model, Predictor::head, true}(tiny_texts, second).judged,
                       model.distributions(model.tokenize(tiny_texts, second)).head));
  static_assert(Victim<ClassifierVictim<Classifier<>>>);
}

TEST_CASE("a classifier as a victim may read special tokens in texts") {
  const TemporaryFolder place;
  auto model = tiny_classifier(place.path());
  model.index(tiny_data());
  const auto all = AnyTokenizer::load(place.path() / "encoder", AddedTokenMatching::all);
  const std::vector<std::string> texts{"my [UNK] card", "send [MASK] abroad", "card"}, second{"", "[UNK]", "money"};
  Batch batch;
  for (const auto& text : texts) all.append(text, batch, 12);
  CHECK(std::count(batch.ids.begin(), batch.ids.end(), all.special().unknown) >= 1);
  CHECK(std::count(batch.ids.begin(), batch.ids.end(), all.special().mask) == 1);
  ClassifierVictim victim{&model, Predictor::head};
  victim.tokenizer = &all;
  CHECK(are_equal_rows(victim(texts).judged, model.distributions(batch).head));
  CHECK(!are_equal_rows(victim(texts).judged, ClassifierVictim{&model, Predictor::head}(texts).judged));
  Batch pairs;
  all.append(texts[0], pairs, 12), all.append(texts[1], second[1], pairs, 12),
      all.append(texts[2], second[2], pairs, 12);
  victim.pairs = true;
  CHECK(are_equal_rows(victim(texts, second).judged, model.distributions(pairs).head));
}

TEST_CASE("words that a classifier as a victim reads") {
  const TemporaryFolder place;
  const auto model = tiny_classifier(place.path());  // 12 tokens, 2 of them special
  const ClassifierVictim victim{&model};
  CHECK(victim.readable(std::vector<std::string>(30, "card")) == 10);
  CHECK(victim.readable(std::vector<std::string>(30, "cards")) == 5);  // two pieces each
  CHECK(victim.readable(std::vector<std::string>(3, "card")) == 3);
  CHECK(victim.readable({}) == 0);
  CHECK(ClassifierVictim{&model, Predictor::knn, true}.readable(std::vector<std::string>(30, "card")) == 30);
}

TEST_CASE("another predictor, or a soft vote, leads the search; the answer stays, and both are of one encoding") {
  const TemporaryFolder place;
  auto model = tiny_classifier(place.path());
  model.index(tiny_data());
  const auto answers = model.answers(model.tokenize(tiny_texts));
  const auto& all = answers.distributions;
  const auto guided = [&](Predictor predictor, AttackGuide guide) {
    return ClassifierVictim{&model, predictor, false, guide}(tiny_texts);
  };
  CHECK(guided(Predictor::knn, {}).guide.rows() == 0);
  CHECK(guided(Predictor::knn, Predictor::knn).guide.rows() == 0);
  const auto by_head = guided(Predictor::knn, Predictor::head);
  CHECK(are_equal_rows(by_head.judged, all.knn));
  CHECK(are_equal_rows(by_head.guide, all.head));
  CHECK(are_equal_rows(guided(Predictor::head, Predictor::combined).guide, all.combined));
  CHECK(are_equal_rows(guided(Predictor::head, Predictor::knn).guide, all.knn));

  for (const index_t neighbors : {0, 3}) {
    const auto soft = guided(Predictor::combined, SoftVote{.temperature = 0.1f, .neighbors = neighbors});
    CHECK(are_equal_rows(soft.judged, all.combined));
    REQUIRE(soft.guide.rows() == all.knn.rows());
    const auto voters = model.datastore().search(answers.features, neighbors > 0 ? neighbors : 40);
    for (index_t i = 0; i < soft.guide.rows(); ++i) {
      REQUIRE(std::ssize(voters[i]) == (neighbors > 0 ? neighbors : 40));
      std::vector<double> weights(3);
      double total = 0;
      for (const Neighbor& n : voters[i]) {
        const double w = std::exp(static_cast<double>(n.score) / 0.1);
        weights[static_cast<std::size_t>(n.label)] += w, total += w;
      }
      for (index_t c = 0; c < 3; ++c)
        CHECK(static_cast<double>(soft.guide(i, c)) == approx(weights[as_size(c)] / total).margin(1e-5));
    }
  }
}
