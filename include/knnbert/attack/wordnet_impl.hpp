#pragma once
#include "knnbert/attack/wordnet.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

struct Ending {
  PartsOfSpeech part;
  std::string_view from, to;
};
/// Princeton WordNet's rules of detachment, manual page morphy(7WN).
inline constexpr Ending endings[] = {
    {speech::noun, "s", ""},        {speech::noun, "ses", "s"},     {speech::noun, "xes", "x"},
    {speech::noun, "zes", "z"},     {speech::noun, "ches", "ch"},   {speech::noun, "shes", "sh"},
    {speech::noun, "men", "man"},   {speech::noun, "ies", "y"},     {speech::verb, "s", ""},
    {speech::verb, "ies", "y"},     {speech::verb, "es", "e"},      {speech::verb, "es", ""},
    {speech::verb, "ed", "e"},      {speech::verb, "ed", ""},       {speech::verb, "ing", "e"},
    {speech::verb, "ing", ""},      {speech::adjective, "er", ""},  {speech::adjective, "est", ""},
    {speech::adjective, "er", "e"}, {speech::adjective, "est", "e"}};

inline PartsOfSpeech part_of(std::string_view field, std::string_view name, index_t line) {
  if (field == "n") return speech::noun;
  if (field == "v") return speech::verb;
  if (field == "a" || field == "s") return speech::adjective;
  if (field == "r") return speech::adverb;
  raise<FormatError>("{}:{}: part of speech '{}' given, n, v, a, s or r expected", name, line,
                     first_characters(field, 20));
}

/// Calls add(form) for what a word may be an inflected form of.
template <class Add>
void for_each_base(const std::string& word, PartsOfSpeech part, Add&& add) {
  for (const Ending& ending : endings) {
    if (ending.part != part || word.size() <= ending.from.size() || !word.ends_with(ending.from)) continue;
    std::string stem = word.substr(0, word.size() - ending.from.size());
    add(stem + std::string(ending.to));
    const auto n = stem.size();  // stopped: stop
    if (ending.from != "s" && ending.to.empty() && n > 2 && stem[n - 1] == stem[n - 2]) add(stem.substr(0, n - 1));
  }
}

}  // namespace detail

KNNBERT_INLINE WordNet WordNet::parse(std::string_view text, std::string_view name) {
  constexpr int columns = 4;
  WordNet net;
  for (LineReader reader(text); reader.next();) {
    std::string_view rest = without_carriage_return(reader.line());
    if (rest.empty()) continue;
    std::string_view fields[columns];
    int count = 0;
    for (bool more = true; more; ++count) {
      const auto tab = rest.find('\t');
      if (count < columns) fields[count] = rest.substr(0, tab);
      more = tab != rest.npos;
      if (more) rest.remove_prefix(tab + 1);
    }
    if (count != columns)
      raise<FormatError>("{}:{}: {} columns given, id, part of speech, file and members expected", name,
                         reader.number(), count);
    Synset synset{detail::part_of(fields[1], name, reader.number()), {}};
    for (std::string_view members = fields[3]; !members.empty();) {
      const auto member = members.substr(0, members.find('|'));
      members.remove_prefix(std::min(member.size() + 1, members.size()));
      std::string lemma = table_word(member);
      if (lemma.empty()) continue;
      Lemma& known = net.lemmas_[lemma];
      known.parts |= synset.part;
      if (known.synsets.empty() || known.synsets.back() != net.synsets()) known.synsets.push_back(net.synsets());
      synset.members.push_back(std::move(lemma));
    }
    if (synset.members.empty())
      raise<FormatError>("{}:{}: a set without members given, words with | between them expected", name,
                         reader.number());
    net.synsets_.push_back(std::move(synset));
  }
  if (net.synsets_.empty()) raise<FormatError>("{}: no line given, sets of synonyms expected", name);
  return net;
}

KNNBERT_INLINE WordNet WordNet::read(const std::filesystem::path& path, const ReadOptions& options) {
  return parse(read_text(path, options), input_name(path));
}

KNNBERT_INLINE PartsOfSpeech WordNet::parts_of_speech(const std::string& spelled) const {
  const std::string word = table_word(spelled);
  const auto found = lemmas_.find(word);
  PartsOfSpeech parts = found == lemmas_.end() ? 0 : found->second.parts;
  for (const PartsOfSpeech part : {speech::noun, speech::verb, speech::adjective})
    detail::for_each_base(word, part, [&](const std::string& base) {
      if (has(base, part)) parts |= part;
    });
  return parts;
}

KNNBERT_INLINE std::vector<std::string> WordNet::base_forms(const std::string& spelled, PartsOfSpeech parts) const {
  const std::string word = table_word(spelled);
  std::vector<std::string> forms;
  const auto add = [&](const std::string& form, PartsOfSpeech part) {
    if (has(form, part) && std::find(forms.begin(), forms.end(), form) == forms.end()) forms.push_back(form);
  };
  add(word, parts);
  for (const PartsOfSpeech part : {speech::noun, speech::verb, speech::adjective})
    if (parts & part) detail::for_each_base(word, part, [&](const std::string& base) { add(base, part); });
  return forms;
}

KNNBERT_INLINE std::vector<std::string> WordNet::synonyms(const std::string& word, PartsOfSpeech parts,
                                                          bool first_word_of_phrases) const {
  const auto forms = base_forms(word, parts);
  const std::string own = table_word(word);
  std::vector<std::string> found;
  const auto add = [&](std::string member) {
    const bool known = member == own || std::find(forms.begin(), forms.end(), member) != forms.end() ||
                       std::find(found.begin(), found.end(), member) != found.end();
    if (!known) found.push_back(std::move(member));
  };
  for (const auto& form : forms)
    for (const index_t s : lemmas_.at(form).synsets) {
      const Synset& synset = synsets_[as_size(s)];
      if (!(synset.part & parts)) continue;
      for (const auto& member : synset.members) {
        const auto blank = member.find(' ');
        if (blank == member.npos) add(member);
        else if (first_word_of_phrases) add(member.substr(0, blank));
      }
    }
  return found;
}

}  // namespace knnbert::inline v0_1
