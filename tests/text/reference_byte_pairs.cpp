// Compares with the dumps of tests/reference/byte_pairs.py: not one id may differ.
#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/text/byte_pair_encoding.hpp"
#include "reference.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

const std::string byte_pair_kinds[] = {"plain", "prefixed", "whole", "lower", "lacking", "unknown", "fused"};
const std::string text_names[] = {"random", "spaces", "words"};

}  // namespace

TEST_CASE("byte pairs: every code point beside letters, numbers, others and blanks has the ids of tokenizers") {
  const auto place = dumps("byte_pairs");
  if (!place) return;
  for (const std::string kind : {"plain", "lower", "unknown"}) {
    const auto codes = kind == "plain" ? code_points() : some_code_points();
    const auto tokenizer = BytePairEncoding::load(*place / kind);
    Ids ids;
    std::string c;
    compare("codes." + kind, Rows<token_t>(*place, "codes." + kind), codes.size(), [&](std::size_t i) -> const Ids& {
      c.clear();
      unicode::encode(codes[i], c);
      ids.clear();
      tokenizer.encode_words(c + "a" + c + "b 1" + c + "2 !" + c + "? " + c + " " + c, ids);
      return ids;
    });
  }
}

TEST_CASE("byte pairs: hostile strings, awkward white space and long words have the ids of tokenizers") {
  const auto place = dumps("byte_pairs");
  if (!place) return;
  for (const auto& kind : byte_pair_kinds) {
    const auto tokenizer = BytePairEncoding::load(*place / kind);
    for (const auto& name : text_names) compare_texts(*place, name, name + "." + kind, tokenizer);
  }
}

TEST_CASE("byte pairs: merges as strings, and vocab.json with merges.txt, give the same ids") {
  const auto place = dumps("byte_pairs");
  if (!place) return;
  for (const auto& name : text_names) {
    for (const std::string folder : {"plain.strings", "plain.text", "plain.auto"})
      compare_texts(*place, name, name + ".plain", BytePairEncoding::load(*place / folder));
    compare_texts(*place, name, name + ".prefixed", BytePairEncoding::load(*place / "prefixed.text"));
  }
}

TEST_CASE("byte pairs: texts and pairs are truncated as tokenizers does") {
  const auto place = dumps("byte_pairs");
  if (!place) return;
  for (const auto& kind : byte_pair_kinds) compare_limited(*place, kind, BytePairEncoding::load(*place / kind));
}

TEST_CASE("byte pairs: added tokens are matched as tokenizers does") {
  const auto place = dumps("byte_pairs");
  if (!place) return;
  for (const std::string name : {"added", "added.legacy"}) {
    compare_texts(*place, "added", name + ".all", BytePairEncoding::load(*place / name, AddedTokenMatching::all));
    compare_texts(*place, "added", name + ".ordinary", BytePairEncoding::load(*place / name));
  }
}

TEST_CASE("byte pairs: what was saved gives the same ids") {
  const auto place = dumps("byte_pairs");
  if (!place) return;
  for (const auto& kind : byte_pair_kinds) {
    const TemporaryFolder saved;
    BytePairEncoding::load(*place / kind).save(saved.path());
    for (const auto& name : text_names)
      compare_texts(*place, name, name + "." + kind, BytePairEncoding::load(saved.path()));
    if (kind != "plain" && kind != "prefixed") continue;
    std::filesystem::remove(saved / "tokenizer.json");
    compare_texts(*place, "random", "random." + kind, BytePairEncoding::load(saved.path()));
  }
  const TemporaryFolder saved;
  BytePairEncoding::load(*place / "added").save(saved.path());
  compare_texts(*place, "added", "added.all", BytePairEncoding::load(saved.path(), AddedTokenMatching::all));
  compare_texts(*place, "added", "added.ordinary", BytePairEncoding::load(saved.path()));
}

TEST_CASE("byte pairs: texts of all data sets have the ids of tokenizers") {
  const auto place = dumps("byte_pairs");
  if (!place) return;
  const auto sets = data_sets(*place);
  if (sets.empty()) WARN("skipped: the dumps were made without data sets");
  const auto tokenizer = BytePairEncoding::load(*place / "plain");
  for (const auto& set : sets) compare_texts(*place, set, set + ".plain", tokenizer);
}
