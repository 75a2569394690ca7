#pragma once
#include "knnbert/text/dataset_labels.hpp"
#include "knnbert/text/dataset_options.hpp"

namespace knnbert::inline v0_1::detail {

/// Positions of what an example needs among columns; -1 if absent.
struct Columns {
  index_t text = -1, pair = -1, label = -1;
};

using Names = std::initializer_list<std::string_view>;

/// Position of a name, -1 if absent.
inline index_t find_column(const std::vector<std::string>& columns, std::string_view name) {
  const auto found = std::find(columns.begin(), columns.end(), name);
  return found == columns.end() ? -1 : found - columns.begin();
}

inline std::string plain_name(std::string_view column) { return lower_ascii(std::string(trim(column))); }

/// Position of the first usual name that occurs, regardless of case.
inline index_t find_usual(const std::vector<std::string>& columns, Names usual) {
  std::vector<std::string> plain;
  for (const auto& column : columns) plain.push_back(plain_name(column));
  for (const auto name : usual)
    if (const auto at = find_column(plain, name); at >= 0) return at;
  return -1;
}

/// Columns under names that public data sets use.
inline Columns usual_columns(const std::vector<std::string>& names) {
  constexpr std::pair<std::string_view, std::string_view> pairs[] = {
      {"sentence1", "sentence2"}, {"#1 string", "#2 string"}, {"question1", "question2"}, {"question", "sentence"},
      {"premise", "hypothesis"},  {"text_a", "text_b"},       {"text1", "text2"},         {"text", "text_pair"},
  };
  Columns columns;
  columns.label = find_usual(names, {"label", "gold_label", "labels", "category", "intent", "class", "sentiment",
                                     "quality", "is_duplicate", "topic", "tag", "target"});
  for (const auto& [first, second] : pairs) {
    columns.text = find_usual(names, {first});
    columns.pair = find_usual(names, {second});
    if (columns.text >= 0 && columns.pair >= 0) return columns;
  }
  columns.pair = -1;
  columns.text = find_usual(names, {"sentence", "text", "review", "content", "question", "utterance", "query",
                                    "comment", "tweet", "message", "document", "title"});
  return columns;
}

/// The words of a name such as "Tweet Text", "label_of_it" or "sentimentLabel", in lower case.
inline std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool letter =
        is_upper(name[i]) || (name[i] >= 'a' && name[i] <= 'z') || static_cast<unsigned char>(name[i]) >= 0x80;
    const bool hump = i > 0 && is_upper(name[i]) && !is_upper(name[i - 1]);
    if ((!letter || hump) && !words.back().empty()) words.emplace_back();
    if (letter) words.back() += lower_ascii(std::string(1, name[i]));
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

enum class Role { unknown, text, label, other };

/// What a name speaks of by its last word, before "of": "Tweet Text", "tweet_label", "label_of_it". A
/// name such as label_id or text_length speaks of another thing.
inline Role role_of(std::string_view name) {
  constexpr std::string_view other[] = {"id",     "ids",    "idx",        "index",    "number", "num", "no",
                                        "count",  "length", "len",        "date",     "time",   "url", "link",
                                        "source", "score",  "confidence", "language", "author", "user"};
  constexpr std::string_view label[] = {"label",
                                        "labels",
                                        "class",
                                        "classes",
                                        "category",
                                        "categories",
                                        "intent",
                                        "intents",
                                        "sentiment",
                                        "topic",
                                        "target",
                                        "tag",
                                        "emotion",
                                        "polarity",
                                        "\xe6\xa0\x87\xe7\xad\xbe",
                                        "\xe7\xb1\xbb\xe5\x88\xab",
                                        "\xe5\x88\x86\xe7\xb1\xbb"};  // 标签, 类别, 分类
  constexpr std::string_view text[] = {"text",
                                       "texts",
                                       "sentence",
                                       "review",
                                       "content",
                                       "question",
                                       "utterance",
                                       "query",
                                       "comment",
                                       "tweet",
                                       "message",
                                       "document",
                                       "body",
                                       "sms",
                                       "headline",
                                       "phrase",
                                       "post",
                                       "\xe6\x96\x87\xe6\x9c\xac",
                                       "\xe5\x86\x85\xe5\xae\xb9",
                                       "\xe8\xaf\x84\xe8\xae\xba"};  // 文本, 内容, 评论
  const auto among = [](const auto& known, const std::string& word) {
    return std::find(std::begin(known), std::end(known), word) != std::end(known);
  };
  const auto words = words_of(name);
  if (words.size() > 3) return Role::unknown;  // a text
  Role role = Role::unknown;
  for (const auto& word : words) {
    if (word == "of" && role != Role::unknown) return role;
    if (among(other, word)) return Role::other;
    role = among(label, word) ? Role::label : among(text, word) ? Role::text : Role::unknown;
  }
  return role;
}

/// What is before the number at the end of a name: "class" of "class12", of "class_12" and of "class 12"; else nothing.
inline std::string_view numbered_stem(std::string_view name) {
  const auto last = name.find_last_not_of("0123456789");
  if (last == std::string_view::npos || last + 1 == name.size()) return {};
  const auto letter = name.find_last_not_of("0123456789 _-#:");
  return name.substr(0, letter + 1);
}

/// Whether a first row with these two fields, or one of them, names columns even if nothing else says so: a text that
/// is only a word like "review" or two like "Tweet Text", a label with "label" in its name. A number behind it makes
/// "label3" as good a class as a column.
inline bool names_columns(std::string_view text, std::string_view label) {
  const auto words = words_of(label);
  const auto is_upper = [&](std::size_t at) { return at < text.size() && text[at] >= 'A' && text[at] <= 'Z'; };
  const auto blank = text.find(' ');
  const bool title = blank == std::string_view::npos || (is_upper(0) && is_upper(blank + 1));
  const bool names_text = role_of(text) == Role::text, names_label = role_of(label) == Role::label;
  if (names_label && !names_text && !numbered_stem(label).empty()) return false;
  const bool surely_label = std::any_of(words.begin(), words.end(),
                                        [](const auto& w) { return w == "label" || w == "labels" || w == "category"; });
  return names_label ? names_text || surely_label || words.size() == 1 : names_text && title;
}

/// Position of the only name with that role, -1 if there is none or several.
inline index_t find_only(const std::vector<std::string>& names, Role role) {
  const auto is_one = [&](const std::string& name) { return role_of(name) == role; };
  const auto found = std::find_if(names.begin(), names.end(), is_one);
  if (found == names.end() || std::find_if(found + 1, names.end(), is_one) != names.end()) return -1;
  return found - names.begin();
}

/// Columns under usual names, or else under names that have a usual word in them; of two columns, the other one if its
/// name says nothing.
inline Columns named_columns(const std::vector<std::string>& names) {
  Columns columns = usual_columns(names);
  if (columns.label < 0) columns.label = find_only(names, Role::label);
  if (columns.text < 0) columns.text = find_only(names, Role::text);
  if (names.size() != 2 || columns.pair >= 0) return columns;
  const auto open = [&](index_t column) { return role_of(names[static_cast<std::size_t>(column)]) == Role::unknown; };
  if (columns.text < 0 && columns.label >= 0 && open(1 - columns.label)) columns.text = 1 - columns.label;
  if (columns.label < 0 && columns.text >= 0 && open(1 - columns.text)) columns.label = 1 - columns.text;
  return columns;
}

/// Whether the fields of a first row could be names of columns: short, no numbers, no sentences, none twice.
inline bool looks_like_names(const std::vector<std::string>& row) {
  constexpr std::size_t longest = 40, most_words = 4;
  bool any = false;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto name = trim(row[i]);
    if (name.empty()) continue;
    any = true;
    const bool identifier =
        name.find_first_of(" \t") == std::string_view::npos && !(name[0] >= '0' && name[0] <= '9') && name[0] != '-';
    const bool digits = name.find_first_of("0123456789") != std::string_view::npos;
    if (name.size() > longest || std::count(name.begin(), name.end(), ' ') >= static_cast<index_t>(most_words) ||
        (digits && !identifier) || name.find_first_of(".!?;,\"\n") != std::string_view::npos)
      return false;
    for (std::size_t j = 0; j < i; ++j)
      if (trim(row[j]) == name) return false;
  }
  return any;
}

}  // namespace knnbert::inline v0_1::detail
