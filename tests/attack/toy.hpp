#pragma once
#include <map>

#include "knnbert/attack.hpp"
#include "knnbert/io/jsonl.hpp"

namespace knnbert_test {

using namespace knnbert;

/// Two classes: p(1) = 1/2 + the weights of a text's words, at least 0 and at most 1. Keeps what it was asked.
struct ToyVictim {
  std::map<std::string, float> weights;
  std::vector<std::string>* asked = nullptr;

  Matrix operator()(std::span<const std::string> texts) const {
    Matrix rows(std::ssize(texts), 2);
    for (index_t i = 0; i < rows.rows(); ++i) {
      float p = 0.5f;
      for (const auto& word : attack_words(texts[as_size(i)], {.lower_case = false}))
        if (const auto found = weights.find(word); found != weights.end()) p += found->second;
      rows(i, 1) = std::clamp(p, 0.0f, 1.0f);
      rows(i, 0) = 1 - rows(i, 1);
      if (asked) asked->push_back(texts[as_size(i)]);
    }
    return rows;
  }
};

inline SynonymTable table(std::initializer_list<std::pair<const char*, std::vector<std::string>>> lists) {
  SynonymTable all;
  for (const auto& [word, list] : lists) all.add(word, list);
  return all;
}

/// Breaks with the named words, and gives the others a similarity.
struct Named {
  std::map<std::string, float> similarity;

  void judge(const WordPlace&, std::span<const std::string> candidates, Verdicts& verdicts) const {
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      const auto found = similarity.find(candidates[c]);
      if (found == similarity.end()) ++verdicts.violations[c];
      else verdicts.similarity[c] = found->second;
    }
  }
  std::string description() const { return "named"; }
};

}  // namespace knnbert_test
