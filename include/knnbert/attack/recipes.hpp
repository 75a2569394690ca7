#pragma once
#include "knnbert/attack/attack.hpp"
#include "knnbert/attack/masked_candidates.hpp"
#include "knnbert/attack/piece_candidates.hpp"
#include "knnbert/attack/similarity.hpp"

/// Attacks of the literature, put together from their parts. What they are given must outlive them. Constants are
/// members of what is returned: attack.search.least_importance = ...
namespace knnbert::inline v0_1 {

/// TextFooler (Jin et al. 2020, arXiv 1907.11932): synonyms of a table, stop words stay, part of speech and meaning are
/// kept. encoder: texts to embeddings, see SentenceEncoder.
template <SentenceEncoder E>
auto textfooler(const SynonymTable& synonyms, const StopWords& stop_words, const WordNet& wordnet, E encoder,
                const SimilarityOptions& similarity = {}, const AttackOptions& options = {}) {
  Attack attack{Untargeted{},
                Constraints{KeepStopWords{&stop_words}, ChangeWordsOnce{}, KeepPartOfSpeech<>{LexiconTagger{&wordnet}},
                            KeepMeaning<E>{std::move(encoder), similarity}},
                FromSynonyms{&synonyms}, ImportanceSearch{}};
  attack.options = options;
  return attack;
}

/// PWWS (Ren et al. 2019, P19-1103) without named entities: WordNet's synonyms of the same part of speech, by saliency.
inline auto pwws(const WordNet& wordnet, const AttackOptions& options = {}) {
  Attack attack{Untargeted{}, Constraints{ChangeWordsOnce{}}, FromWordNet<>{&wordnet}, SaliencySearch{}};
  attack.options = options;
  return attack;
}

/// BERT-Attack (Li et al. 2020, arXiv 2004.09984): guesses of a masked language model; stop words are neither replaced
/// nor put in, antonyms are not put in, at most 0.4 of the words are replaced.
template <LanguageModel M>
auto bert_attack(const M& model, const StopWords& stop_words, const Antonyms& antonyms,
                 const AttackOptions& options = {}) {
  Attack attack{
      Untargeted{},
      Constraints{KeepStopWords{&stop_words, true}, ChangeWordsOnce{}, AvoidAntonyms{&antonyms}, ChangeFewWords{}},
      FromLanguageModel<M>{&model}, GreedySearch{}};
  attack.options = options;
  return attack;
}

/// The Chinese attack with sentence pieces (Li et al. 2020, arXiv 2012.14769), a reconstruction: guesses of a masked
/// language model over pieces take the place of pieces; stop words are neither replaced nor put in, at most 0.4 of the
/// pieces are replaced, the length changes by at most a half.
template <PieceModel M>
auto sentence_piece(const M& model, const StopWords& stop_words, const AttackOptions& options = {}) {
  Attack attack{Untargeted{},
                Constraints{KeepStopWords{&stop_words, true}, ChangeWordsOnce{}, ChangeFewWords{}, KeepLength{}},
                FromPieceModel<M>{&model}, GreedySearch{.placeholder = ""}};
  attack.options = options;
  return attack;
}

}  // namespace knnbert::inline v0_1
