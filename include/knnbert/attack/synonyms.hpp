#pragma once
#include <filesystem>
#include <initializer_list>
#include <unordered_map>

#include "knnbert/attack/words.hpp"
#include "knnbert/io/lines.hpp"

namespace knnbert::inline v0_1 {

/// Words that may stand for a word, closest first.
class SynonymTable {
 public:
  /// Appends to what is there for the word. Words are taken in lower case and without white space at their ends, none
  /// is its own synonym.
  void add(std::string_view word, std::span<const std::string> synonyms);
  void add(std::string_view word, std::initializer_list<std::string> synonyms) {
    add(word, std::span<const std::string>(synonyms.begin(), synonyms.size()));
  }

  /// A JSON object {"word": ["synonym", ...], ...}, such as counterfitted_neighbors.json.  Errors: IoError; FormatError
  /// with file and key.
  static SynonymTable read(const std::filesystem::path& path, const ReadOptions& options = {});
  /// The same of decoded text.
  static SynonymTable parse(std::string_view text, std::string_view name);

  index_t size() const { return std::ssize(lists_); }
  /// None for a word that is not in the table.
  std::span<const std::string> operator[](const std::string& word) const {
    const auto found = lists_.find(table_word(word));
    return found == lists_.end() ? std::span<const std::string>() : found->second;
  }

 private:
  std::unordered_map<std::string, std::vector<std::string>> lists_;
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/attack/synonyms_impl.hpp"
#endif
