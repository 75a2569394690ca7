#pragma once
#include "knnbert/attack/synonyms.hpp"
#include "knnbert/io/json.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void SynonymTable::add(std::string_view word, std::span<const std::string> synonyms) {
  const std::string own = table_word(word);
  std::vector<std::string>& list = lists_[own];
  for (const auto& synonym : synonyms) {
    std::string other = table_word(synonym);
    const bool known = std::find(list.begin(), list.end(), other) != list.end();
    if (!known && other != own && !other.empty()) list.push_back(std::move(other));
  }
}

KNNBERT_INLINE SynonymTable SynonymTable::parse(std::string_view text, std::string_view name) {
  const Json json = parse_json(text, name);
  if (!json.is_object()) detail::raise_json_type(json, name, "an object that has a list of synonyms for every word");
  SynonymTable table;
  for (const auto& [word, list] : json.items())
    table.add(word, json_as<std::vector<std::string>>(list, format("{}: '{}'", name, word)));
  if (table.size() == 0) raise<FormatError>("{}: no word given, an object of synonyms expected", name);
  return table;
}

KNNBERT_INLINE SynonymTable SynonymTable::read(const std::filesystem::path& path, const ReadOptions& options) {
  return parse(read_text(path, options), input_name(path));
}

}  // namespace knnbert::inline v0_1
