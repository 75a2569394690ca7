#pragma once
#include "knnbert/attack/goal.hpp"
#include "knnbert/attack/victim.hpp"
#include "knnbert/model/answers.hpp"
#include "knnbert/text/batch.hpp"
#include "knnbert/voting/softmax_weighted.hpp"

namespace knnbert::inline v0_1 {

/// A Classifier as what is attacked: a Victim. Several threads may ask it; the model is then best loaded for one.
template <class Model>
struct ClassifierVictim {
  const Model* model;  ///< of one class a text; must outlive it
  Predictor predictor = Predictor::combined;
  bool pairs = false;  ///< texts have second ones, and how many of their words are read is not known
  /// An attack that knows the neighbors: half of each probability is the answer, for the class that is answered, and
  /// half what it would be if the neighbors voted by softmax(similarity / soft_vote). A count of votes is flat and
  /// tells a search nothing, which is no robustness; the most likely class is the real one. 0: as the model votes.
  float soft_vote = 0;
  /// What reads the texts in place of the model's own tokenizer: one that finds special tokens in texts
  /// (AddedTokenMatching::all) takes an attack's [MASK] and [UNK] for what they are. Null: the model's own.
  const typename Model::tokenizer_type* tokenizer = nullptr;

  Matrix operator()(std::span<const std::string> texts) const { return (*this)(texts, {}); }
  Matrix operator()(std::span<const std::string> first, std::span<const std::string> second) const {
    auto all = model->answers(tokens(first, second));
    auto& chosen = of(all.distributions);
    if (soft_vote > 0 && predictor != Predictor::head) {
      const Matrix real = chosen;
      for (index_t i = 0; i < real.rows(); ++i)
        SoftmaxWeighted{soft_vote}(all.neighbors[i], all.distributions.knn.row(i));
      if (predictor == Predictor::combined) model->combine(all.distributions);
      for (index_t i = 0; i < real.rows(); ++i) {
        for (float& p : chosen.row(i)) p /= 2;
        chosen(i, likeliest(real.row(i))) += 0.5f;
      }
    }
    return std::move(chosen);
  }
  /// Words that begin before the model's length limit.
  index_t readable(std::span<const std::string> words) const {
    constexpr index_t special_tokens = 2;
    const index_t most = model->options().max_length - special_tokens;
    std::vector<token_t> pieces;
    index_t count = 0;
    if (pairs) return std::ssize(words);
    while (count < std::ssize(words) && std::ssize(pieces) < most)
      model->tokenizer().encode_words(words[as_size(count++)], pieces);
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
  Matrix& of(Distributions& all) const {
    return predictor == Predictor::knn ? all.knn : predictor == Predictor::head ? all.head : all.combined;
  }
};
template <class Model>
ClassifierVictim(const Model*, Predictor = Predictor::combined, bool = false, float = 0) -> ClassifierVictim<Model>;

}  // namespace knnbert::inline v0_1
