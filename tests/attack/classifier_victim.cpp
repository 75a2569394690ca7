// A classifier as a victim: its own answers, its length limit, and its vote made smooth.
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
  CHECK(are_equal_rows(ClassifierVictim{&model}(tiny_texts), all.combined));
  CHECK(are_equal_rows(ClassifierVictim{&model, Predictor::knn}(tiny_texts), all.knn));
  CHECK(are_equal_rows(ClassifierVictim{&model, Predictor::head}(tiny_texts), all.head));
  const std::vector<std::string> second(tiny_texts.size(), "money abroad");
  CHECK(are_equal_rows(ClassifierVictim{&model, Predictor::head, true}(tiny_texts, second),
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
  CHECK(are_equal_rows(victim(texts), model.distributions(batch).head));
  CHECK(!are_equal_rows(victim(texts), ClassifierVictim{&model, Predictor::head}(texts)));
  Batch pairs;
  all.append(texts[0], pairs, 12), all.append(texts[1], second[1], pairs, 12),
      all.append(texts[2], second[2], pairs, 12);
  victim.pairs = true;
  CHECK(are_equal_rows(victim(texts, second), model.distributions(pairs).head));
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

TEST_CASE("a soft vote shows how near neighbors are, and keeps the answer") {
  const TemporaryFolder place;
  auto model = tiny_classifier(place.path());
  model.index(tiny_data());
  for (const Predictor predictor : {Predictor::knn, Predictor::combined, Predictor::head}) {
    const Matrix real = ClassifierVictim{&model, predictor}(tiny_texts);
    const Matrix soft = ClassifierVictim{&model, predictor, false, 0.1f}(tiny_texts);
    if (predictor == Predictor::head) CHECK(are_equal_rows(soft, real));
    for (index_t i = 0; i < real.rows(); ++i) {
      CHECK(likeliest(soft.row(i)) == likeliest(real.row(i)));
      float total = 0;
      for (const float p : soft.row(i)) total += p;
      CHECK(total == Approx(1).margin(1e-5));
    }
  }
  const auto answers = model.answers(model.tokenize(tiny_texts));
  const Matrix soft = ClassifierVictim{&model, Predictor::knn, false, 0.1f}(tiny_texts);
  for (index_t i = 0; i < soft.rows(); ++i) {
    std::vector<double> weights(3);
    double total = 0;
    for (const Neighbor& n : answers.neighbors[i]) {
      const double w = std::exp(static_cast<double>(n.score) / 0.1);
      weights[static_cast<std::size_t>(n.label)] += w, total += w;
    }
    const auto answered = likeliest(std::as_const(answers).distributions.knn.row(i));
    for (index_t c = 0; c < 3; ++c)
      CHECK(static_cast<double>(soft(i, c)) ==
            Approx(weights[as_size(c)] / total / 2 + (c == answered ? 0.5 : 0)).margin(1e-5));
  }
}
