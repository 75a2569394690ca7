#include "knnbert/text/byte_pair_encoding.hpp"

#include <cstdlib>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/text/byte_level.hpp"
#include "text/damage.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

using Words = std::vector<std::string>;
using Merges = std::vector<BytePairEncoding::Merge>;

Words words_of(std::string_view text) {
  Words words;
  ByteLevelWords cut(text);
  for (auto word = cut.next(); !word.empty(); word = cut.next()) words.emplace_back(word);
  return words;
}

const Merges toy_merges = {{"l", "o"}, {"lo", "w"}, {"\u0120", "low"}, {"e", "r"}};

/// <s> 0, <pad> 1, </s> 2, <unk> 3, <mask> 4, bytes from 5, results of merges from 261.
Vocabulary toy_vocabulary() {
  std::vector<std::string> tokens{"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
  for (const auto character : byte_characters) unicode::encode(character, tokens.emplace_back());
  for (const auto& [left, right] : toy_merges) tokens.push_back(left + right);
  return Vocabulary(tokens);
}

Words tokens_of(const BytePairEncoding& tokenizer, std::string_view text) {
  std::vector<token_t> ids;
  tokenizer.encode_words(text, ids);
  Words tokens;
  for (const auto id : ids) tokens.emplace_back(tokenizer.token(id));
  return tokens;
}

std::string error_of(const std::filesystem::path& folder) {
  try {
    BytePairEncoding::load(folder);
  } catch (const Error& error) { return error.what(); }
  return {};
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

const std::string usual = R"({
  "version": "1.0", "truncation": {"max_length": 9, "strategy": "LongestFirst", "stride": 0}, "padding": null,
  "added_tokens": [{"id": 5, "special": true, "content": "<mask>", "single_word": false, "lstrip": true,
                    "rstrip": false, "normalized": false}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": true,
                     "add_prefix_space": false},
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4}, "merges": ["a b"]}
})";

}  // namespace

TEST_CASE("byte characters are those of GPT-2") {
  CHECK(byte_characters[' '] == 0x120);
  CHECK(byte_characters['\n'] == 0x10a);
  CHECK(byte_characters['!'] == '!');
  CHECK(byte_characters[0x7f] == 0x121);
  CHECK(byte_characters[0xa0] == 0x142);
  CHECK(byte_characters[0xad] == 0x143);
  CHECK(byte_characters[0xff] == 0xff);
}

TEST_CASE("words are cut as GPT-2's pattern says") {
  CHECK(words_of("").empty());
  CHECK(words_of("it's we'll I'VE") == Words{"it", "'s", " we", "'ll", " I", "'", "VE"});
  CHECK(words_of("  's 's") == Words{" ", " '", "s", " '", "s"});
  CHECK(words_of("a\n\n b  ") == Words{"a", "\n\n", " b", "  "});
  CHECK(words_of("a \n") == Words{"a", " \n"});
  CHECK(words_of("\t\tx  12!?'") == Words{"\t", "\t", "x", " ", " 12", "!?'"});
  CHECK(words_of("\u3000\u3000\u00e9\u00bd\u0661") == Words{"\u3000", "\u3000", "\u00e9", "\u00bd\u0661"});
  CHECK(words_of("e\u0301") == Words{"e", "\u0301"});
}

TEST_CASE("the pair of least rank merges first, of equal ones the leftmost") {
  const BytePairMerges merges({{2, 2, 4}, {1, 2, 3}, {4, 2, 5}, {3, 3, 6}});
  const auto merged = [&](std::vector<token_t> ids) {
    BytePairMerges::Scratch scratch;
    merges.apply(ids, 1, scratch);
    return ids;
  };
  CHECK(merged({1}) == std::vector<token_t>{1});
  CHECK(merged({1, 2}) == std::vector<token_t>{1, 2});  // the first one is not part of the word
  CHECK(merged({1, 1, 2, 2}) == std::vector<token_t>{1, 1, 4});
  CHECK(merged({9, 2, 2, 2}) == std::vector<token_t>{9, 5});
  CHECK(merged({9, 1, 2, 1, 2, 1}) == std::vector<token_t>{9, 6, 1});
  CHECK(merged({9, 2, 2, 2, 2, 2}) == std::vector<token_t>{9, 4, 5});
}

TEST_CASE("texts are framed and cut as RoBERTa's are") {
  const BytePairEncoding tokenizer(toy_vocabulary(), toy_merges);
  CHECK(tokenizer.vocabulary_size() == 265);
  CHECK(tokenizer.special().classify == 0);
  CHECK(tokenizer.special().pad == 1);
  CHECK(tokenizer.special().separate == 2);
  CHECK(tokenizer.special().mask == 4);
  CHECK(tokens_of(tokenizer, "lower low") == Words{"low", "er", "\u0120low"});
  CHECK(tokens_of(tokenizer, "\xff").size() == 3);  // U+FFFD
  CHECK(tokens_of(tokenizer, "<s>") == Words{"<", "s", ">"});
  Batch batch;
  tokenizer.append("low", batch);
  tokenizer.append("lower low", batch, 4);
  tokenizer.append("low low", "low", batch);
  tokenizer.append("low low low", "low", batch, 6);
  CHECK(batch.ids == std::vector<token_t>{0, 262, 2, 0, 262, 264, 2, 0, 262, 263, 2, 2, 262, 2, 0, 262, 2, 2, 262, 2});
  CHECK(batch.segments == std::vector<std::uint8_t>(20, 0));
  CHECK_THROWS_AS(tokenizer.append("low", batch, 1), OptionError);
  CHECK_THROWS_AS(tokenizer.append("low", "low", batch, 3), OptionError);
  CHECK_THROWS_AS(tokenizer.token(265), OptionError);
}

TEST_CASE("options of a byte pair encoding are respected") {
  CHECK(tokens_of({toy_vocabulary(), toy_merges, {.add_prefix_space = true}}, "low") == Words{"\u0120low"});
  CHECK(tokens_of({toy_vocabulary(), toy_merges, {.add_prefix_space = true}}, "").empty());
  CHECK(tokens_of({toy_vocabulary(), toy_merges, {.lowercase = true}}, "LOW") == Words{"low"});
  const Merges across{{"w", "\u0120"}};
  auto tokens = std::vector<std::string>{"<s>", "</s>", "w", "\u0120", "w\u0120", "<unk>"};
  CHECK(tokens_of({Vocabulary(tokens), across, {.split_words = false}}, "w wx") == Words{"w\u0120", "w"});
  CHECK(tokens_of({Vocabulary(tokens), across, {.missing_token = "<unk>"}}, "xyw") == Words{"<unk>", "<unk>", "w"});
  CHECK(tokens_of({Vocabulary(tokens), across, {.missing_token = "<unk>", .fuse_missing = true}}, "xyw") ==
        Words{"<unk>", "w"});
  CHECK_THROWS_AS(BytePairEncoding(Vocabulary(tokens), {}), OptionError);
  CHECK_THROWS_AS(BytePairEncoding(Vocabulary(tokens), {{"w", "w"}}), OptionError);
  CHECK_THROWS_AS(BytePairEncoding(Vocabulary(tokens), {{"w", "x"}}), OptionError);
  CHECK_THROWS_AS(BytePairEncoding(Vocabulary(tokens), across, {.missing_token = "<none>"}), OptionError);
  CHECK_THROWS_AS(BytePairEncoding(Vocabulary(tokens), across, {.classify_token = "<cls>"}), OptionError);
}

TEST_CASE("a mask takes the blank before it where its flag says so, in either layout") {
  const TemporaryFolder folder;
  folder.file("tokenizer.json", usual);
  const auto tokenizer = BytePairEncoding::load(folder.path(), AddedTokenMatching::all);
  CHECK(tokens_of(tokenizer, "ab <mask>ab") == Words{"ab", "<mask>", "ab"});
  CHECK(tokenizer.vocabulary_size() == 6);
  CHECK(tokenizer.suggested_lengths().truncation == 9);
  std::filesystem::remove(folder / "tokenizer.json");
  folder.file("vocab.json", R"({"<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4, "<mask>": 5, "\u0120": 6})");
  folder.file("merges.txt", "#version: 0.2\r\na b\r\n\n");
  CHECK(tokens_of(BytePairEncoding::load(folder.path(), AddedTokenMatching::all), "ab <mask>") ==
        Words{"ab", "\u0120", "<mask>"});
  folder.file("special_tokens_map.json", R"({"mask_token": {"content": "<mask>", "lstrip": true}})");
  CHECK(tokens_of(BytePairEncoding::load(folder.path(), AddedTokenMatching::all), "ab <mask>") ==
        Words{"ab", "<mask>"});
  folder.file("tokenizer_config.json", R"({"add_prefix_space": true, "model_max_length": 512})");
  CHECK(tokens_of(BytePairEncoding::load(folder.path()), "ab") == Words{"\u0120", "ab"});
  CHECK(BytePairEncoding::load(folder.path()).suggested_lengths().model == 512);
  folder.file("tokenizer_config.json", R"({"tokenizer_class": "HerbertTokenizerFast"})");
  CHECK(contains(error_of(folder.path()), "tokenizer_class: HerbertTokenizerFast given, RobertaTokenizer expected"));
  folder.file("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizerFast"})");
  CHECK(error_of(folder.path()).empty());
  folder.file("vocab.json", R"({"<s>": 0, "</s>": 1, "a": 2, "b</w>": 3, "ab</w>": 4})");
  folder.file("merges.txt", "a b</w>\n");
  CHECK(contains(error_of(folder.path()), "merges.txt:1: merge with 'b</w>' given, byte-level BPE without </w>"));
  folder.file("vocab.json", R"({"<s>": 0, "</s>": 1, "a": 2, "<": 3, "/": 4, "w": 5, ">": 6, "w>": 7, "/w>": 8,
                                "</w>": 9, "a</w>": 10})");
  folder.file("merges.txt", "w >\n/ w>\n< /w>\na </w>\n");  // bytes of a text
  CHECK(error_of(folder.path()).empty());
}

TEST_CASE("tokenizer files of other sorts of BPE are refused, by the key") {
  const TemporaryFolder folder;
  CHECK(contains(error_of(folder.path()), "no tokenizer.json or vocab.json and merges.txt there"));
  const std::pair<std::string_view, std::string_view> changes[] = {
      {R"("type": "BPE")", R"("type": "Unigram")"},
      {R"("dropout": null)", R"("dropout": 0.1)"},
      {R"("continuing_subword_prefix": "")", R"("continuing_subword_prefix": "##")"},
      {R"("end_of_word_suffix": "")", R"("end_of_word_suffix": "</w>")"},
      {R"("byte_fallback": false)", R"("byte_fallback": true)"},
      {R"("ignore_merges": false)", R"("ignore_merges": true)"},
      {R"("fuse_unk": false)", R"("fuse_unk": 1)"},
      {R"("unk_token": null)", R"("unk_token": "<unk>")"},
      {R"("merges": ["a b"])", R"("merges": [])"},
      {R"("merges": ["a b"])", R"("merges": ["a  b"])"},
      {R"("merges": ["a b"])", R"("merges": ["ab"])"},
      {R"("merges": ["a b"])", R"("merges": [["a", "b", "a"]])"},
      {R"("merges": ["a b"])", R"("merges": [["b", "a"]])"},
      {R"("merges": ["a b"])", R"("merges": 1)"},
      {R"("normalizer": null)", R"("normalizer": {"type": "NFC"})"},
      {R"("pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,)",
       R"("pre_tokenizer": {"type": "ByteLevel",)"},
      {R"("pre_tokenizer": {"type": "ByteLevel")", R"("pre_tokenizer": {"type": "Whitespace")"},
      {R"("RobertaProcessing")", R"("BertProcessing")"},
      {R"(["</s>", 1])", R"(["</s>", 0])"},
      {R"("id": 5)", R"("id": 4)"},
      {R"("</s>": 1)", R"("</s>": 0)"}};
  for (const auto& [from, to] : changes) {
    folder.file("tokenizer.json", replaced(usual, from, to));
    INFO(std::string(to));
    CHECK_THROWS_AS(BytePairEncoding::load(folder.path()), FormatError);
  }
  folder.file("tokenizer.json", replaced(usual, R"("dropout": null)", R"("dropout": 0.1)"));
  CHECK(contains(error_of(folder.path()), "tokenizer.json: model: dropout: 0.1 given, 0.0 or null expected"));
}

TEST_CASE("a template, alone or beside ByteLevel, frames as RobertaProcessing does") {
  const std::string known = R"("special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
      "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}})";
  const auto token = [](const std::string& name) {
    return R"({"SpecialToken": {"id": ")" + name + R"(", "type_id": 0}})";
  };
  const auto text = [](const std::string& name, const std::string& segment) {
    return R"({"Sequence": {"id": ")" + name + R"(", "type_id": )" + segment + "}}";
  };
  const auto made = [&](const std::string& segment) {
    const auto single = token("<s>") + "," + text("A", "0") + "," + token("</s>");
    return R"({"type": "TemplateProcessing", "single": [)" + single + R"(], "pair": [)" + single + "," + token("</s>") +
           "," + text("B", segment) + "," + token("</s>") + "], " + known + "}";
  };
  const auto first = usual.find(R"({"type": "RobertaProcessing")"), last = usual.find(R"("decoder")");
  const auto with = [&](const std::string& processor) {
    auto json = usual;
    return json.replace(first, last - first, processor + ", ");
  };
  const TemporaryFolder folder;
  folder.file("tokenizer.json", with(made("0")));
  CHECK(BytePairEncoding::load(folder.path()).special().separate == 1);
  folder.file("tokenizer.json", with(R"({"type": "Sequence", "processors": [)" + made("0") +
                                     R"(, {"type": "ByteLevel", "trim_offsets": false}]})"));
  CHECK(BytePairEncoding::load(folder.path()).special().separate == 1);
  folder.file("tokenizer.json", with(made("1")));
  CHECK(contains(error_of(folder.path()), "<s> A </s></s> B </s> of segment 0 expected"));
}

TEST_CASE("damaged BPE files give an error or a tokenizer, never a crash") {
  const TemporaryFolder folder;
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    folder.file("tokenizer.json", damaged(usual, 5, round));
    try {
      Batch batch;
      BytePairEncoding::load(folder.path(), AddedTokenMatching::all).append("ab <mask> </s> abab", batch, 5);
    } catch (const FormatError&) { ++refused; }
  }
  CHECK(refused > 150);
}

TEST_CASE("byte pair tokenizers for transformers are left in the reference folder") {
  const char* const place = std::getenv("KNNBERT_REFERENCE");
  if (place == nullptr || *place == 0) {
    WARN("skipped: KNNBERT_REFERENCE names no folder");
    return;
  }
  const std::string texts[] = {"", "lower  low\n\n's it's", "\u00e9\u4e2d\u6587 LOW", " x\t", "low<mask> low <mask>"};
  const std::pair<std::string, BytePairOptions> kinds[] = {
      {"usual", {}},
      {"prefixed", {.add_prefix_space = true, .suggested = {.truncation = 0, .model = 77}}},
      {"whole", {.split_words = false, .lowercase = true}},
      {"missing", {.missing_token = "<unk>", .added_tokens = {{.content = "<x>", .id = 300, .strip_left = true}}}}};
  for (const auto& [kind, options] : kinds) {
    const auto folder = std::filesystem::path(place) / "saved_byte_pairs" / kind;
    std::filesystem::create_directories(folder);
    const BytePairEncoding tokenizer(toy_vocabulary(), toy_merges, options);
    tokenizer.save(folder);
    auto rows = OrderedJson::array();
    for (const auto& text : texts) {
      Batch batch;
      BytePairEncoding::load(folder, AddedTokenMatching::all).append(text, "low" + text, batch);
      rows.push_back({{"text", text}, {"pair", "low" + text}, {"ids", batch.ids}});
    }
    write_json(folder / "expected.json", rows);
    write_json(folder / "config.json", OrderedJson{{"model_type", "roberta"}});
  }
}
