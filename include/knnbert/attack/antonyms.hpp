#pragma once
#include <unordered_map>
#include <unordered_set>

#include "knnbert/attack/words.hpp"
#include "knnbert/io/lines.hpp"

namespace knnbert::inline v0_1 {

/// Pairs of words that mean the opposite of each other, in lower case.
class Antonyms {
 public:
  /// Either direction is enough.
  void add(std::string_view a, std::string_view b) {
    const std::string first = table_word(a), second = table_word(b);
    opposites_[first].insert(second), opposites_[second].insert(first);
  }

  /// Two words a line, as counter-fitting's ppdb_antonyms.txt; blank lines are skipped.  Errors: IoError; FormatError
  /// for a file without pairs and for a line that is no pair.
  static Antonyms read(const std::filesystem::path& path, const ReadOptions& options = {}) {
    Antonyms all;
    const std::string text = read_text(path, options);
    for (LineReader reader(text); reader.next();) {
      const auto words = attack_words(reader.line());
      if (words.empty()) continue;
      if (words.size() != 2)
        raise<FormatError>("{}:{}: {} words given, two antonyms a line expected", input_name(path), reader.number(),
                           words.size());
      all.add(words[0], words[1]);
    }
    if (all.size() == 0) raise<FormatError>("{}: no pair given, antonyms expected, two a line", input_name(path));
    return all;
  }

  index_t size() const { return std::ssize(opposites_); }  ///< words that have an antonym
  /// In whatever case they are written.
  bool are_opposite(std::string_view a, std::string_view b) const {
    const auto found = opposites_.find(table_word(a));
    return found != opposites_.end() && found->second.contains(table_word(b));
  }

 private:
  std::unordered_map<std::string, std::unordered_set<std::string>> opposites_;
};

}  // namespace knnbert::inline v0_1
