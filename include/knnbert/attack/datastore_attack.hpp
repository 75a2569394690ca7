#pragma once
#include "knnbert/attack/goal.hpp"
#include "knnbert/attack/similarity.hpp"
#include "knnbert/core/progress.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/core/top_k.hpp"
#include "knnbert/model/answers.hpp"
#include "knnbert/text/batch.hpp"
#include "knnbert/text/dataset.hpp"

namespace knnbert::inline v0_1 {

/// What somebody who may add examples adds, under another class, to turn the answer to a text.
enum class AddedTexts {
  copies,   ///< the text itself, which is nearest to it
  nearest,  ///< texts of a pool, those nearest to it first
  random,   ///< texts of a pool
};

struct DatastoreAttackOptions {
  AddedTexts texts = AddedTexts::copies;
  Predictor predictor = Predictor::combined;
  index_t most = 50;        ///< examples that are added at most
  std::uint64_t seed = 42;  ///< of what is random
};

/// What adding examples to a datastore did to the answer to one text.
struct DatastoreAttackResult {
  label_t label = 0;                   ///< of the text
  label_t answer = 0;                  ///< before
  label_t target = 0;                  ///< the class of what is added: the next likely one
  std::optional<index_t> turned = {};  ///< with how many added examples the answer is another one; none: not at all
};

/// How many examples turn answers of a classifier, if they are added to its datastore by add(): an attack that needs
/// neither the model's gradients nor another text. Texts whose answer is wrong are left alone.
template <class Model>
class DatastoreAttack {
 public:
  /// pool: texts for `nearest` and `random`, whose labels do not count.
  /// Errors: OptionError for an empty pool that is needed, a negative `most`, and the head's answers, which no example
  /// turns.
  DatastoreAttack(Model& model, Dataset pool, const DatastoreAttackOptions& options)
      : model_(model), pool_(std::move(pool)), options_(options) {
    if (options.predictor == Predictor::head)
      raise<OptionError>("DatastoreAttack: the head's answers given, those of neighbors or of both expected");
    if (options.most < 0) raise<OptionError>("DatastoreAttack: most {} given, at least 0 expected", options.most);
    if (options.texts == AddedTexts::copies) return;
    if (pool_.size() == 0) raise<OptionError>("DatastoreAttack: no text to add given, at least one expected");
    if (options.texts == AddedTexts::nearest)
      features_ = model.answers(model.tokenize(pool_.texts(), pool_.pairs())).features;
  }

  /// The datastore is then as it was, but for ids. None: the answer was wrong.
  /// Errors: ShapeError for an example without label.
  std::optional<DatastoreAttackResult> operator()(const Example& example, index_t number = 0) const {
    const auto before = answer(example);
    DatastoreAttackResult result{example.label, likeliest(before), 0, {}};
    if (example.label < 0) raise<ShapeError>("DatastoreAttack: an example without label given");
    if (result.answer != example.label) return std::nullopt;
    auto others = before;
    others[as_size(result.answer)] = -1;
    result.target = likeliest(others);
    const std::string name = (*model_.classes())[as_size(result.target)];
    Added added(model_);
    for (const auto& [text, pair] : texts(example, number)) {
      added.add(text, pair, name);
      if (likeliest(answer(example)) == result.answer) continue;
      result.turned = added.count();
      break;
    }
    return result;
  }

 private:
  /// What was added, until it goes.
  class Added {
   public:
    explicit Added(Model& model) : model_(model) {}
    Added(const Added&) = delete;
    ~Added() { model_.remove(ids_); }
    void add(const std::string& text, const std::string& pair, const std::string& name) {
      const auto ids = model_.add(std::span(&text, 1), name, std::span(&pair, pair.empty() ? 0 : 1));
      ids_.insert(ids_.end(), ids.begin(), ids.end());
    }
    index_t count() const { return std::ssize(ids_); }

   private:
    Model& model_;
    std::vector<example_id> ids_;
  };

  std::vector<float> answer(const Example& example) const {
    const auto all = model_.distributions(tokens(example));
    const auto row = (options_.predictor == Predictor::knn ? all.knn : all.combined).row(0);
    return {row.begin(), row.end()};
  }
  Batch tokens(const Example& example) const {
    return model_.tokenize(std::span(&example.text, 1), std::span(&example.pair, example.pair.empty() ? 0 : 1));
  }

  std::vector<std::pair<std::string, std::string>> texts(const Example& example, index_t number) const {
    if (options_.texts == AddedTexts::copies)
      return std::vector(as_size(options_.most), std::pair(example.text, example.pair));
    std::vector<Scored> order;
    const Rng rng = Rng(options_.seed, Stream::attack).fork(static_cast<std::uint64_t>(number));
    Matrix scores(1, features_.rows());
    if (features_.rows() > 0)
      model_.network().metric().score(model_.answers(tokens(example)).features, features_, scores);
    for (index_t i = 0; i < pool_.size(); ++i)
      order.push_back(
          {features_.rows() > 0 ? scores(0, i) : static_cast<float>(rng.uniform(static_cast<std::uint64_t>(i))), i});
    std::sort(order.begin(), order.end(), ranks_before);
    order.resize(std::min(order.size(), as_size(options_.most)));
    std::vector<std::pair<std::string, std::string>> chosen;
    for (const Scored& o : order) chosen.emplace_back(pool_.text(o.index), pool_.pair(o.index));
    return chosen;
  }

  Model& model_;
  Dataset pool_;
  DatastoreAttackOptions options_;
  Matrix features_;  // [pool, D], of `nearest` alone
};

/// Over the texts of a data set whose answers were right.
struct DatastoreAttackSummary {
  index_t attacked = 0, turned = 0;
  std::vector<index_t> least;  ///< of those that turned, how many examples it took, sorted
  /// The number that turned half of all that were attacked; none: fewer turned.
  std::optional<index_t> median() const {
    const auto half = as_size((attacked + 1) / 2);
    return half == 0 || least.size() < half ? std::nullopt : std::optional(least[half - 1]);
  }
};

inline DatastoreAttackSummary summarize(const std::vector<DatastoreAttackResult>& results) {
  DatastoreAttackSummary s;
  for (const auto& r : results) {
    ++s.attacked;
    if (r.turned) ++s.turned, s.least.push_back(*r.turned);
  }
  std::sort(s.least.begin(), s.least.end());
  return s;
}

}  // namespace knnbert::inline v0_1
