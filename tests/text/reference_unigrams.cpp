// Compares with the dumps of tests/reference/unigrams.py: not one id may differ.
#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/text/unigram.hpp"
#include "reference.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

const std::string unigram_text_names[] = {"random", "clusters", "spaces", "words"};

/// Those that were made; the ones with SentencePiece's map need its package.
std::vector<std::string> unigram_kinds(const std::filesystem::path& place) {
  std::vector<std::string> made{"plain", "nfkc", "whole", "cut"};
  if (std::filesystem::exists(place / "xlmr")) made.insert(made.end(), {"xlmr", "deberta"});
  else WARN("skipped: the dumps were made without the package sentencepiece");
  return made;
}

std::vector<char32_t> code_points_of(const std::string& kind) {
  if (kind == "xlmr" || kind == "nfkc") return code_points();
  const auto some = some_code_points();
  std::vector<char32_t> codes;
  for (std::size_t i = 0; i < some.size(); i += 8) codes.push_back(some[i]);
  return codes;
}

/// Each alone and before a letter.
std::string code_text(const std::vector<char32_t>& codes) {
  std::string text;
  for (const auto code : codes) {
    if (!text.empty()) text += ' ';
    unicode::encode(code, text);
    text += ' ';
    unicode::encode(code, text);
    text += 'a';
  }
  return text;
}

}  // namespace

TEST_CASE("unigrams: code points alone and beside a letter have the ids of tokenizers") {
  const auto place = dumps("unigrams");
  if (!place) return;
  for (const auto& kind : unigram_kinds(*place)) {
    const auto codes = code_points_of(kind);
    const auto tokenizer = Unigram::load(*place / kind);
    constexpr std::size_t together = 16;
    const auto rows = (codes.size() + together - 1) / together;
    Ids ids;
    compare("codes." + kind, Rows<token_t>(*place, "codes." + kind), rows, [&](std::size_t row) -> const Ids& {
      const auto last = std::min(codes.size(), (row + 1) * together);
      ids.clear();
      tokenizer.encode_words(
          code_text({codes.begin() + static_cast<index_t>(row * together), codes.begin() + static_cast<index_t>(last)}),
          ids);
      return ids;
    });
  }
}

TEST_CASE("unigrams: hostile strings, clusters, awkward white space and long words have the ids of tokenizers") {
  const auto place = dumps("unigrams");
  if (!place) return;
  for (const auto& kind : unigram_kinds(*place)) {
    const auto tokenizer = Unigram::load(*place / kind);
    for (const auto& name : unigram_text_names) compare_texts(*place, name, name + "." + kind, tokenizer);
  }
}

TEST_CASE("unigrams: texts and pairs are truncated as tokenizers does") {
  const auto place = dumps("unigrams");
  if (!place) return;
  for (const auto& kind : unigram_kinds(*place)) compare_limited(*place, kind, Unigram::load(*place / kind));
}

TEST_CASE("unigrams: added tokens are matched as tokenizers does, by what was saved too") {
  const auto place = dumps("unigrams");
  if (!place) return;
  for (const auto& kind : unigram_kinds(*place)) {
    const auto name = "added." + kind;
    compare_texts(*place, "added", name + ".all", Unigram::load(*place / name, AddedTokenMatching::all));
    compare_texts(*place, "added", name + ".ordinary", Unigram::load(*place / name));
    const TemporaryFolder saved;
    Unigram::load(*place / name).save(saved.path());
    compare_texts(*place, "added", name + ".all", Unigram::load(saved.path(), AddedTokenMatching::all));
    compare_texts(*place, "added", name + ".ordinary", Unigram::load(saved.path()));
  }
}

TEST_CASE("unigrams: what was saved gives the same ids") {
  const auto place = dumps("unigrams");
  if (!place) return;
  for (const auto& kind : unigram_kinds(*place)) {
    const TemporaryFolder saved;
    Unigram::load(*place / kind).save(saved.path());
    for (const auto& name : unigram_text_names)
      compare_texts(*place, name, name + "." + kind, Unigram::load(saved.path()));
  }
}

TEST_CASE("unigrams: pieces stand for the bytes that tokenizers says, but for white space around them") {
  const auto place = dumps("unigrams");
  if (!place) return;
  const auto tokenizer = Unigram::load(*place / "plain");
  const TextRows texts(*place, "spaces");
  Ids row;
  compare("spans.plain", Rows<token_t>(*place, "spans.plain"), texts.size(), [&](std::size_t i) -> const Ids& {
    row.clear();
    for (const auto& [id, begin, end] : tokenizer.spans(texts[i]))
      row.insert(row.end(),
                 {id, static_cast<token_t>(begin < end ? begin : 0), static_cast<token_t>(begin < end ? end : 0)});
    return row;
  });
}

TEST_CASE("unigrams: spans have the ids of the text, in order, without overlap") {
  const auto place = dumps("unigrams");
  if (!place) return;
  for (const auto& kind : unigram_kinds(*place)) {
    const auto tokenizer = Unigram::load(*place / kind);
    for (const std::string name : {"random", "clusters", "spaces"}) {
      const TextRows texts(*place, name);
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < texts.size(); ++i) {
        Ids ids;
        tokenizer.encode_words(texts[i], ids);
        const auto pieces = tokenizer.spans(texts[i]);
        std::size_t end = 0, place_of = 0;
        bool fits = pieces.size() == ids.size();
        for (const auto& piece : pieces) {
          fits = fits && piece.id == ids[place_of++] && end <= piece.begin && piece.begin <= piece.end;
          end = piece.end;
        }
        wrong += !fits || end > texts[i].size();
      }
      INFO(name << "." << kind << ": " << texts.size() << " texts");
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("unigrams: texts of data sets in both languages have the ids of tokenizers") {
  const auto place = dumps("unigrams");
  if (!place) return;
  const auto sets = data_sets(*place);
  if (sets.empty()) WARN("skipped: the dumps were made without data sets");
  for (const auto& kind : unigram_kinds(*place)) {
    const auto tokenizer = Unigram::load(*place / kind);
    for (const auto& set : sets)
      if (std::filesystem::exists(*place / (set + "." + kind + ".rows.gz")))
        compare_texts(*place, set, set + "." + kind, tokenizer);
  }
}
