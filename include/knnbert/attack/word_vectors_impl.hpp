#pragma once
#include <charconv>

#include "knnbert/attack/word_vectors.hpp"
#include "knnbert/core/finite.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// The next field of a line whose fields blanks separate; empty at the end.
inline std::string_view next_field(std::string_view& line) {
  const auto first = line.find_first_not_of(" \t\r");
  line.remove_prefix(std::min(first, line.size()));
  const auto field = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(field.size());
  return field;
}

/// The numbers of a line behind its word.
inline void parse_vector(std::string_view line, std::string_view name, index_t number, std::vector<float>& vector) {
  vector.clear();
  for (auto field = next_field(line); !field.empty(); field = next_field(line)) {
    float value = 0;
    const auto [end, problem] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (problem != std::errc() || end != field.data() + field.size() || !all_finite({&value, 1}))
      raise<FormatError>("{}:{}: '{}' given, a number expected (a line is 'word v1 v2 ...')", name, number,
                         first_characters(field, 40));
    vector.push_back(value);
  }
  if (vector.empty())
    raise<FormatError>("{}:{}: a word without numbers given, 'word v1 v2 ...' expected", name, number);
}

/// Whether a first line only tells the sizes.
inline bool tells_sizes(std::string_view line) {
  const auto count = next_field(line), width = next_field(line);
  const auto digits = [](std::string_view t) {
    return !t.empty() && t.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return digits(count) && digits(width) && next_field(line).empty();
}

}  // namespace detail

KNNBERT_INLINE WordVectors WordVectors::parse(std::string_view text, std::string_view name) {
  WordVectors all;
  std::vector<float> values, vector;
  std::size_t width = 0;
  for (LineReader reader(text); reader.next();) {
    std::string_view line = reader.line();
    if (reader.number() == 1 && detail::tells_sizes(line)) continue;
    const std::string word = table_word(detail::next_field(line));
    if (word.empty()) continue;
    detail::parse_vector(line, name, reader.number(), vector);
    if (width == 0) width = vector.size();
    if (vector.size() != width)
      raise<FormatError>("{}:{}: {} numbers given, {} as in the lines before expected", name, reader.number(),
                         vector.size(), width);
    if (!all.index.emplace(word, all.size()).second) continue;
    all.words.push_back(word);
    values.insert(values.end(), vector.begin(), vector.end());
  }
  if (all.words.empty()) raise<FormatError>("{}: no word given, lines 'word v1 v2 ...' expected", name);
  all.vectors.resize(all.size(), static_cast<index_t>(width));
  copy(ConstView(values.data(), all.size(), static_cast<index_t>(width)), all.vectors);
  return all;
}

KNNBERT_INLINE WordVectors WordVectors::read(const std::filesystem::path& path, const ReadOptions& options) {
  return parse(read_text(path, options), input_name(path));
}

}  // namespace knnbert::inline v0_1
