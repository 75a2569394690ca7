#pragma once
#include <unordered_set>

#include "knnbert/attack/words.hpp"
#include "knnbert/io/lines.hpp"

namespace knnbert::inline v0_1 {

/// Words that say little by themselves, in lower case.
class StopWords {
 public:
  StopWords() = default;
  explicit StopWords(std::span<const std::string> words) {
    for (const auto& word : words) add(word);
  }

  /// A word a line; blank lines are skipped.  Errors: IoError; FormatError for a file without words and for a line that
  /// is no single word.
  static StopWords read(const std::filesystem::path& path, const ReadOptions& options = {}) {
    StopWords words;
    const std::string text = read_text(path, options);
    for (LineReader reader(text); reader.next();) {
      const auto on_line = attack_words(reader.line());
      if (on_line.size() > 1)
        raise<FormatError>("{}:{}: {} words given, one a line expected", input_name(path), reader.number(),
                           on_line.size());
      if (!on_line.empty()) words.add(on_line.front());
    }
    if (words.size() == 0) raise<FormatError>("{}: no word given, stop words expected, one a line", input_name(path));
    return words;
  }

  index_t size() const { return std::ssize(words_); }
  /// In whatever case it is written.
  bool contains(std::string_view word) const { return words_.contains(table_word(word)); }

 private:
  void add(std::string_view word) { words_.insert(table_word(word)); }

  std::unordered_set<std::string> words_;
};

}  // namespace knnbert::inline v0_1
