// Certificates of answers from a real datastore, attacked by what their proof says is best.
#include "knnbert/evaluate/certified.hpp"
#include "model/tiny_model.hpp"

using namespace knnbert_test;

namespace {

constexpr index_t row_width = 12, row_classes = 4, voters = 9, rows_held = 1500;

void fill_rows(View rows, std::uint64_t seed) {
  const Rng rng(seed, Stream::sample);
  for (index_t i = 0; i < rows.rows(); ++i)
    for (index_t d = 0; d < rows.cols(); ++d)
      rows(i, d) = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i * row_width + d)));
  Cosine().prepare(rows);
}

/// The vote of a datastore on one query, [1, row_width].
label_t vote(const FlatDatastore<Cosine>& store, ConstView query) {
  std::vector<float> p(row_classes);
  MajorityVoting{}(store.search(query, voters)[0], p);
  return static_cast<label_t>(std::max_element(p.begin(), p.end()) - p.begin());
}

/// The nearest `removed` examples of the answer's class out, m copies of the query as `other` in; whether the vote
/// changes. The datastore is then as before, but for ids.
bool attack(const FlatDatastore<Cosine>& clean, ConstView query, label_t answer, label_t other, index_t removed,
            index_t m) {
  FlatDatastore<Cosine> store = clean;
  std::vector<example_id> ids;
  for (const Neighbor& n : NeighborLists(store.search(query, voters + m))[0])
    if (n.label == answer && std::ssize(ids) < removed) ids.push_back(n.id);
  store.remove(ids);
  Matrix keys(m, row_width);
  for (index_t i = 0; i < m; ++i) copy(query, View(keys).row_range(i, 1));
  if (m > 0) store.add(keys, std::vector<label_t>(as_size(m), other), std::vector<std::string>(as_size(m), "added"));
  return vote(store, query) != answer;
}

}  // namespace

TEST_CASE("certificates: no greedy attack with m edits on a datastore succeeds, one with m + 1 nearly always does") {
  Matrix keys(rows_held, row_width), queries(1500, row_width);
  fill_rows(keys, 1), fill_rows(queries, 2);
  std::vector<label_t> labels;
  for (index_t i = 0; i < rows_held; ++i)  // classes that overlap
    labels.push_back(keys(i, 0) > 0.25f ? 0 : keys(i, 1) > 0.1f ? 1 : static_cast<label_t>(2 + (keys(i, 2) > 0)));
  FlatDatastore<Cosine> store(row_width);
  store.add(keys, labels, std::vector<std::string>(rows_held, "text"));
  index_t attacks = 0, certified = 0, reached = 0;
  for (index_t q = 0; q < queries.rows(); ++q) {
    const ConstView query = ConstView(queries).row_range(q, 1);
    const label_t answer = vote(store, query);
    const auto neighbors = store.search(query, voters);
    const index_t m = certified_edits(
        neighbors[0], voters, {.label = answer, .classes = row_classes, .exact = true}, [](float) { return 1.0; }, 1);
    REQUIRE(m < voters);
    certified += m;
    bool changed = false;
    for (label_t other = 0; other < row_classes; ++other) {
      if (other == answer) continue;
      for (index_t removed = 0; removed <= m + 1; ++removed) {
        if (removed <= m) CHECK(!attack(store, query, answer, other, removed, m));
        changed = changed || attack(store, query, answer, other, removed, m + 1);
        ++attacks;
      }
    }
    reached += changed;
  }
  CHECK(attacks > 10000);
  CHECK(certified > queries.rows());  // more than one edit on average
  CHECK(reached * 100 >= queries.rows() * 99);
}

TEST_CASE(
    "certificates: predictions carry them, evaluation counts them, a class that the head does not know has none") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  model.index(tiny_data());
  model.set_neighbors(5);
  model.fusion().phi = 0.9f;
  const auto predictions = model.predict(tiny_texts);
  for (const Prediction& p : predictions) {
    REQUIRE(p.certificate.knn);
    REQUIRE(p.certificate.combined);
    CHECK(*p.certificate.knn <= 2);  // five others outvote any five
  }
  const Judged judged = judge(std::as_const(model), tiny_data(30, 9));
  const auto shares = certified_accuracies(std::as_const(model), judged);
  REQUIRE(shares);
  REQUIRE(shares->knn.at.size() == 6);
  CHECK(shares->knn.at[0].value == judged.evaluation.knn.accuracy.value);
  CHECK(shares->combined.at[0].value == judged.evaluation.combined.accuracy.value);
  CHECK(shares->knn.at[5].value == 0);
  for (std::size_t m = 1; m < 6; ++m) CHECK(shares->knn.at[m].value <= shares->knn.at[m - 1].value);

  model.fusion().phi = 0;  // the head alone
  for (const Prediction& p : model.predict(tiny_texts)) CHECK(p.certificate.combined == Certificate::any_number);
  const auto id = model.add(std::vector<std::string>{"hello"}, "greeting");
  for (const Prediction& p : model.predict(tiny_texts)) CHECK(!p.certificate.knn);
  model.remove(id);
  const auto again = model.predict(tiny_texts);
  for (std::size_t i = 0; i < again.size(); ++i) CHECK(again[i].certificate.knn == predictions[i].certificate.knn);
  const Answers answers = model.answers(model.tokenize(tiny_texts));
  CHECK_THROWS_AS(model.certificate(answers, 6), ShapeError);
}

TEST_CASE("certificates: a model of one class has none") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  Classifier<> model(folder / "encoder", {"card"}, tiny_options());
  model.index(Dataset({{"card card", {}, 0}, {"money", {}, 0}}, {"card"}));
  for (const Prediction& p : model.predict(tiny_texts)) {
    CHECK_FALSE(p.certificate.knn);
    CHECK_FALSE(p.certificate.combined);
  }
  CHECK_FALSE(
      certified_accuracies(std::as_const(model), judge(std::as_const(model), Dataset({{"card", {}, 0}}, {"card"}))));
}
