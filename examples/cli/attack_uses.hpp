#pragma once
#include "options.hpp"

/// Which options of `attack` have a use in which recipe.
namespace knnbert::cli {

struct AttackOptionUse {
  std::vector<const char*> options;
  std::vector<std::string_view> recipes;
  std::string other = {};                        // an option that they need as well
  std::vector<std::string_view> unused_by = {};  // values of it that do not use them
};

inline std::vector<AttackOptionUse> attack_option_uses() {
  const std::vector<std::string_view> searches{"textfooler", "pwws", "bert-attack", "sentence-piece"};
  const std::vector<std::string_view> guesses{"bert-attack", "sentence-piece"};
  return {
      {{"--synonyms", "--vectors", "--most-synonyms"}, {"textfooler"}},
      {{"--wordnet"}, {"textfooler", "pwws", "bert-attack"}},
      {{"--language-model", "--guesses"}, guesses},
      {{"--separate-punctuation"}, {"textfooler", "pwws", "bert-attack"}},
      {{"--random-guesses", "--length-change"}, {"sentence-piece"}},
      {{"--preset", "--guide", "--smooth", "--target", "--output", "--page", "--most-queries", "--batch-size",
        "--stop-words", "--antonyms", "--similarity-encoder", "--most-changes"},
       searches},
      {{"--similarity", "--short-similarity", "--window"}, searches, "--similarity-encoder", {"none"}},
      {{"--guide-neighbors", "--guide-temperature"}, searches, "--guide", {"combined", "head", "knn", "unsmoothed"}},
      {{"--added", "--most-added"}, {"datastore"}},
      {{"--pool"}, {"datastore"}, "--added", {"copies"}},
  };
}

/// Errors: OptionError that names an option which was given in vain.
inline void require_used(const CLI::App& verb, std::string_view recipe) {
  const auto is_one_of = [](const std::vector<std::string_view>& all, std::string_view one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  for (const AttackOptionUse& use : attack_option_uses())
    for (const char* name : use.options) {
      if (verb.get_option(name)->count() == 0) continue;
      if (!is_one_of(use.recipes, recipe)) {
        std::string recipes;
        for (const auto one : use.recipes) recipes.append(recipes.empty() ? "" : ", ").append(one);
        raise<OptionError>("{}: given with --recipe {}, but used by {} alone", name, recipe, recipes);
      }
      if (use.other.empty()) continue;
      const CLI::Option& other = *verb.get_option(use.other);
      if (other.count() == 0) raise<OptionError>("{}: given without {}, without which it is not used", name, use.other);
      if (const auto value = other.as<std::string>(); is_one_of(use.unused_by, value))
        raise<OptionError>("{}: given with {} {}, which does not use it", name, use.other, value);
    }
}

}  // namespace knnbert::cli
