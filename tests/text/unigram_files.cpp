#include <cstdlib>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/text/any_tokenizer.hpp"
#include "text/damage.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

/// A tokenizer.json with these parts.
std::string unigram_json(const std::string& normalizer = "null",
                         const std::string& pre_tokenizer = R"({"type": "Metaspace", "replacement": "▁"})",
                         const std::string& model = R"("unk_id": 2)") {
  return R"({"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 7, "special": true, "content": "<mask>", "lstrip": true, "normalized": false}],
    "normalizer": )" +
         normalizer + R"(, "pre_tokenizer": )" + pre_tokenizer + R"(, "post_processor": {
      "type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
               {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                         "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
    "decoder": null, "model": {"type": "Unigram", )" +
         model + R"(, "byte_fallback": false,
      "vocab": [["<s>", 0.0], ["</s>", 0.0], ["<unk>", 0], ["▁", -2.5], ["a", -3], ["ab", -4], ["▁a", -3.25]]}})";
}

std::string unigram_error(const TemporaryFolder& folder, const std::string& json) {
  folder.file("tokenizer.json", json);
  try {
    Unigram::load(folder.path());
  } catch (const FormatError& error) { return error.what(); }
  return {};
}

std::vector<token_t> unigram_ids(const TemporaryFolder& folder, const std::string& json, std::string_view text) {
  folder.file("tokenizer.json", json);
  std::vector<token_t> ids;
  AnyTokenizer::load(folder.path(), AddedTokenMatching::all).encode_words(text, ids);
  return ids;
}

std::string with_part(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a tokenizer.json with a unigram model is read, whatever else the folder has") {
  const TemporaryFolder folder;
  CHECK(unigram_ids(folder, unigram_json(), "a <mask>ab") == std::vector<token_t>{6, 7, 3, 5});
  const auto tokenizer = AnyTokenizer::load(folder.path());
  CHECK(tokenizer.name() == "Unigram");
  CHECK(tokenizer.vocabulary_size() == 8);
  CHECK(tokenizer.special().unknown == 2);
  CHECK(tokenizer.special().mask == 7);
  CHECK(tokenizer.special().pad == -1);
  CHECK(tokenizer.token(6) == "▁a");
  Batch batch;
  tokenizer.append("a", "ab", batch);
  CHECK(batch.ids == std::vector<token_t>{0, 6, 1, 1, 3, 5, 1});
  folder.file("modules.json", "[]");
  folder.file("sentence_bert_config.json", R"({"do_lower_case": true})");
  folder.file("tokenizer_config.json", R"({"model_max_length": 77, "tokenizer_class": "XLMRobertaTokenizer"})");
  CHECK(unigram_ids(folder, unigram_json(), "A") == std::vector<token_t>{6});
  CHECK(AnyTokenizer::load(folder.path()).suggested_lengths().model == 77);
}

TEST_CASE("normalizers and pre-tokenizers are those that the file names") {
  const TemporaryFolder folder;
  const auto mark = [](const std::string& more) {
    return R"({"type": "Metaspace", "replacement": "\u2581")" + more + "}";
  };
  const auto ids = [&](const std::string& pre_tokenizer, std::string_view text) {
    return unigram_ids(folder, unigram_json("null", pre_tokenizer), text);
  };
  CHECK(ids(mark(R"(, "prepend_scheme": "never")"), "a a") == std::vector<token_t>{4, 6});
  CHECK(ids(mark(R"(, "prepend_scheme": "first")"), "a<mask>a") == std::vector<token_t>{6, 7, 4});
  CHECK(ids(mark(R"(, "add_prefix_space": false)"), "a") == std::vector<token_t>{4});
  CHECK(ids(mark(R"(, "add_prefix_space": true, "str_rep": "▁")"), "a") == std::vector<token_t>{6});
  CHECK(ids("null", "a a") == std::vector<token_t>{4, 2, 4});
  CHECK(ids(R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, )" + mark("") + "]}", " a\n ab") ==
        std::vector<token_t>{6, 3, 5});
  const auto normalized = [&](const std::string& normalizer, std::string_view text) {
    return unigram_ids(folder, unigram_json(normalizer), text);
  };
  CHECK(normalized(R"({"type": "Strip", "strip_left": true, "strip_right": false})", " a ") ==
        std::vector<token_t>{6, 3});
  CHECK(normalized(R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"})", "a   a") ==
        std::vector<token_t>{6, 6});
  CHECK(normalized(R"({"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]})", "Ａ") ==
        std::vector<token_t>{6});
}

TEST_CASE("what a unigram file says wrong or this library cannot compute is named") {
  const TemporaryFolder folder;
  const auto usual = unigram_json();
  const std::string changes[][3] = {
      {R"("type": "Unigram")", R"("type": "BPE")", "type 'BPE' given, Unigram expected"},
      {R"("unk_id": 2)", R"("unk_id": null)", "unk_id"},
      {R"("unk_id": 2)", R"("unk_id": 7)", "unk_id: 7 given, below the 7 pieces expected"},
      {R"("unk_id": 2)", R"("unk_id": -1)", "unk_id"},
      {R"(["a", -3])", R"(["a"])", "vocab[4]: 1 values given"},
      {R"(["a", -3])", R"(["a", null])", "vocab[4]"},
      {R"(["a", -3])", R"(["a", NaN])", "tokenizer.json"},
      {R"(["a", -3])", R"(["a", -1e999])", "tokenizer.json"},
      {R"(["a", -3])", R"(["<unk>", -3])", "piece '<unk>' has 2 ids"},
      {R"(["a", -3])", R"(["</s>", -3])", "piece '</s>' has 2 ids"},
      {R"("byte_fallback": false)", R"("byte_fallback": 1)", "byte_fallback"},
      {R"("normalizer": null)", R"("normalizer": {"type": "NFKD"})", "normalizer: type 'NFKD' given"},
      {R"("normalizer": null)", R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "A"})",
       "base64 expected"},
      {R"("normalizer": null)", R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": ""})",
       "a trie of 0 units"},
      {R"("normalizer": null)", R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAD8//8="})",
       "leads to unit"},
      {R"("normalizer": null)", R"("normalizer": {"type": "Replace", "pattern": {"Regex": "a|b"}, "content": ""})",
       "regular expression 'a|b' given"},
      {R"("normalizer": null)",
       R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "ByteLevel"}]})",
       "normalizer[1]: type 'ByteLevel' given"},
      {R"({"type": "Metaspace")", R"({"type": "ByteLevel")", "pre_tokenizer: type 'ByteLevel' given"},
      {R"("replacement": "▁")", R"("replacement": "__")", "mark '__' given, one character expected"},
      {R"("replacement": "▁")", R"("prepend_scheme": "last")", "prepend_scheme: 'last' given"},
      {R"({"type": "Metaspace", "replacement": "▁"})", R"({"type": "Punctuation", "behavior": "Removed"})",
       "behavior: 'Removed' given"},
      {R"({"type": "Metaspace", "replacement": "▁"})",
       R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "Contiguous", "invert": false})",
       "behavior: 'Contiguous' given"},
      {R"("id": "B", "type_id": 0)", R"("id": "B", "type_id": 1)", "the templates <s> A </s>"},
      {R"("ids": [1])", R"("ids": [3])", "token '</s>' does not have id 3"},
      {R"("TemplateProcessing")", R"("ByteLevel")", "type 'ByteLevel' given"},
      {R"("id": 7)", R"("id": 3)", "token '<mask>' has id 3"}};
  for (const auto& [from, to, said] : changes) {
    INFO(to);
    CHECK(contains(unigram_error(folder, with_part(usual, from, to)), said));
  }
  CHECK(unigram_error(folder, with_part(usual, R"(["a", -3])", R"(["ab", -3])"))
            .empty());  // of equal pieces the last counts
  CHECK(unigram_error(folder, usual).empty());
}

TEST_CASE("damaged unigram files give an error or a tokenizer, never a crash") {
  const TemporaryFolder folder;
  int refused = 0;
  const auto usual = unigram_json(R"({"type": "Sequence", "normalizers": [{"type": "NFKC"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]})");
  for (int round = 0; round < 500; ++round) {
    folder.file("tokenizer.json", damaged(usual, 5, round));
    try {
      Batch batch;
      Unigram::load(folder.path(), AddedTokenMatching::all).append("ab <mask> </s> abab", batch, 5);
    } catch (const FormatError&) { ++refused; }
  }
  CHECK(refused > 150);
}

TEST_CASE("unigram tokenizers for transformers are left in the reference folder") {
  const char* const place = std::getenv("KNNBERT_REFERENCE");
  if (place == nullptr || *place == 0) {
    WARN("skipped: KNNBERT_REFERENCE names no folder");
    return;
  }
  const std::vector<std::string> tokens{"<s>", "<pad>", "</s>", "<unk>",  "<mask>", "▁",
                                        "a",   "ab",    "▁a",   "<0xC3>", "<0xA9>"};
  const std::vector<double> scores{0, 0, 0, 0, 0, -2.1, -3, -1. / 3, -4, -5, -6};
  const std::string texts[] = {"", "ab  a\n\nA 's", "é中文 aAb", " a\t", "a<mask>ab <mask>", "ａ"};
  const std::pair<std::string, UnigramOptions> kinds[] = {
      {"usual", {.suggested = {.truncation = 0, .model = 77}}},
      {"segments", {.segments = true, .added_tokens = {{.content = "<x>", .id = 30, .strip_left = true}}}},
      {"bytes",
       {.normalizer = {{.kind = NormalizationStep::nmt},
                       {.kind = NormalizationStep::replace, .pattern = " {2,}", .content = " ", .regex = true}},
        .pre_tokenizer = {{.prefix = SplittingStep::first, .split = false}},
        .byte_fallback = true}},
      {"cut",
       {.normalizer = {{.kind = NormalizationStep::strip, .left = false}, {.kind = NormalizationStep::nfkc}},
        .pre_tokenizer = {{.kind = SplittingStep::words},
                          {.kind = SplittingStep::punctuation},
                          {.kind = SplittingStep::pattern, .text = "b", .behavior = SplittingStep::merged_with_next},
                          {.kind = SplittingStep::metaspace}}}}};
  for (const auto& [kind, options] : kinds) {
    const auto folder = std::filesystem::path(place) / "saved_unigrams" / kind;
    std::filesystem::create_directories(folder);
    Unigram(Vocabulary(tokens), scores, options).save(folder);
    auto rows = OrderedJson::array();
    for (const auto& text : texts) {
      Batch batch;
      Unigram::load(folder, AddedTokenMatching::all).append(text, "ab" + text, batch);
      rows.push_back({{"text", text}, {"pair", "ab" + text}, {"ids", batch.ids}});
    }
    write_json(folder / "expected.json", rows);
    write_json(folder / "config.json", OrderedJson{{"model_type", "xlm-roberta"}});
  }
}
