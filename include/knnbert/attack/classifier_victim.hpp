#pragma once
#include <variant>

#include "knnbert/attack/goal.hpp"
#include "knnbert/attack/victim.hpp"
#include "knnbert/model/answers.hpp"
#include "knnbert/text/batch.hpp"
#include "knnbert/voting/softmax_weighted.hpp"

namespace knnbert::inline v0_1 {

/// Votes by softmax(similarity / temperature) of the nearest examples. Where all neighbors of a text agree, a vote is
/// flat whatever its weights; that of more examples tells how far the others are.
struct SoftVote {
  float temperature = 0.5f;
  index_t neighbors = 0;  ///< examples that vote; 0: all of the datastore
};

/// What leads the search in place of the predictor that is attacked, which decides what is a success: another one, or a
/// soft vote. An attack that knows the neighbors: a flat vote hides the way, and is no robustness.
using AttackGuide = std::variant<std::monostate, Predictor, SoftVote>;

/// A Classifier as what is attacked: a Victim. Several threads may ask it; the model is then best loaded for one.
template <class Model>
struct ClassifierVictim {
  const Model* model;  ///< of one class a text; must outlive it
  Predictor predictor = Predictor::combined;
  bool pairs = false;      ///< texts have second ones, and how many of their words are read is not known
  AttackGuide guide = {};  ///< none: the predictor itself
  /// What reads the texts in place of the model's own tokenizer: one that finds special tokens in texts
  /// (AddedTokenMatching::all) takes an attack's [MASK] and [UNK] for what they are. Null: the model's own.
  const typename Model::tokenizer_type* tokenizer = nullptr;

  /// Both of one encoding.  Errors: as Classifier::predict; OptionError for a soft vote's temperature.
  GuidedProbabilities operator()(std::span<const std::string> texts) const { return (*this)(texts, {}); }
  GuidedProbabilities operator()(std::span<const std::string> first, std::span<const std::string> second) const {
    auto all = model->answers(tokens(first, second));
    Matrix led;
    if (const auto* vote = std::get_if<SoftVote>(&guide)) led = soft(*vote, all);
    else if (const auto* other = std::get_if<Predictor>(&guide); other && *other != predictor)
      led = of(all.distributions, *other);
    return {std::move(of(all.distributions, predictor)), std::move(led)};
  }
  /// Words that begin before the model's length limit, of a tokenizer that says how many pieces a word has.
  index_t readable(std::span<const std::string> words) const requires
      requires(const typename Model::tokenizer_type& t, std::vector<token_t>& ids) {
    t.encode_words("", ids);
  }
  {
    constexpr index_t special_tokens = 2;
    const index_t most = model->options().max_length - special_tokens;
    std::vector<token_t> pieces;
    index_t count = 0;
    if (pairs) return std::ssize(words);
    const auto& reader = tokenizer ? *tokenizer : model->tokenizer();
    while (count < std::ssize(words) && std::ssize(pieces) < most) reader.encode_words(words[as_size(count++)], pieces);
    return count;
  }

 private:
  Batch tokens(std::span<const std::string> first, std::span<const std::string> second) const {
    if (!tokenizer) return model->tokenize(first, second);
    Batch batch;
    for (std::size_t i = 0; i < first.size(); ++i)
      if (second.empty() || second[i].empty()) tokenizer->append(first[i], batch, model->options().max_length);
      else tokenizer->append(first[i], second[i], batch, model->options().max_length);
    return batch;
  }
  static Matrix& of(Distributions& all, Predictor one) {
    return one == Predictor::knn ? all.knn : one == Predictor::head ? all.head : all.combined;
  }
  Matrix soft(const SoftVote& vote, const Answers& all) const {
    const auto& store = model->datastore();
    const index_t most = vote.neighbors > 0 ? vote.neighbors : std::max<index_t>(store.size(), 1);
    const NeighborLists voters = store.search(all.features, most);
    Matrix votes(all.distributions.knn.rows(), all.distributions.knn.cols());
    for (index_t i = 0; i < votes.rows(); ++i) SoftmaxWeighted{vote.temperature}(voters[i], votes.row(i));
    return votes;
  }
};
template <class Model>
ClassifierVictim(const Model*, Predictor = Predictor::combined, bool = false, AttackGuide = {})
    -> ClassifierVictim<Model>;

}  // namespace knnbert::inline v0_1
