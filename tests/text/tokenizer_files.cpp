#include "knnbert/text/wordpiece.hpp"

#include <fstream>

#include "catch.hpp"
#include "text/damage.hpp"

using namespace knnbert;
using knnbert_test::damaged;

namespace {

using Ids = std::vector<token_t>;

/// A folder that is gone after the test.
struct Folder {
  std::filesystem::path path;
  Folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "knnbert_tokenizer_XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, std::string_view content) const {
    std::ofstream(path / name, std::ios::binary) << content;  // many small files: no need to reach the disk
  }
};

const std::string vocabulary_lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nHello\nhello\n##s\n";

const std::string usual = R"({
  "version": "1.0",
  "truncation": {"max_length": 128, "strategy": "LongestFirst", "stride": 0},
  "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
  "added_tokens": [
    {"id": 1, "special": true, "content": "[CLS]", "single_word": false, "lstrip": false, "normalized": false},
    {"id": 7, "special": false, "content": "<x>", "single_word": false, "lstrip": true, "normalized": false}],
  "normalizer": {
    "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
    "lowercase": true},
  "pre_tokenizer": {"type": "BertPreTokenizer"},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
    "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
                       "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}},
  "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "Hello": 4, "hello": 5, "##s": 6}}
})";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

Ids ids_of(const WordPiece& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.encode_words(text, ids);
  return ids;
}

std::string error_of(const std::filesystem::path& folder) {
  try {
    WordPiece::load(folder);
  } catch (const Error& error) { return error.what(); }
  return {};
}

}  // namespace

TEST_CASE("vocab.txt is read line by line, white space at the end of a line is no part of a token") {
  const Folder folder;
  folder.write("vocab.txt", vocabulary_lines + "a \t\nb\r\nc\u3000\n\na\nlast");
  const auto tokenizer = WordPiece::load(folder.path);
  CHECK(tokenizer.vocabulary_size() == 14);
  CHECK(tokenizer.find("a") == 12);
  CHECK(tokenizer.find("b") == 9);
  CHECK(tokenizer.find("c") == 10);
  CHECK(tokenizer.find("last") == 13);
  CHECK(ids_of(tokenizer, "HELLOs") == Ids{6, 7});
  CHECK(tokenizer.suggested_lengths().truncation == 0);
}

TEST_CASE("tokenizer_config.json gives names, lengths and normalizer of a vocab.txt") {
  const Folder folder;
  folder.write("vocab.txt", "<pad>\n<unk>\n<cls>\n<sep>\nHello\nhello\n");
  CHECK_THROWS_AS(WordPiece::load(folder.path), FormatError);
  folder.write("special_tokens_map.json", R"({"unk_token": "<unk>", "cls_token": "<pad>", "sep_token": "<sep>"})");
  folder.write("tokenizer_config.json",
               R"({"do_lower_case": false, "cls_token": {"content": "<cls>", "special": true}, "pad_token": "<pad>",
    "model_max_length": 512, "added_tokens_decoder": {"6": {"content": "<new>", "special": true}}})");
  const auto tokenizer = WordPiece::load(folder.path, AddedTokenMatching::all);
  CHECK(tokenizer.special().classify == 2);
  CHECK(tokenizer.special().mask == -1);
  CHECK(tokenizer.suggested_lengths().model == 512);
  CHECK(tokenizer.vocabulary_size() == 7);
  CHECK(ids_of(tokenizer, "Hello<new>") == Ids{4, 6});
  folder.write("tokenizer_config.json",
               R"({"cls_token": "<cls>", "model_max_length": 1000000000000000019884624838656})");
  CHECK(WordPiece::load(folder.path).suggested_lengths().model == 0);
  folder.write("added_tokens.json", R"({"<old>": 6})");
  CHECK(ids_of(WordPiece::load(folder.path), "Hello<OLD>") == Ids{5, 6});
  folder.write("added_tokens.json", R"({"<old>": "six"})");
  CHECK(error_of(folder.path).find("added_tokens.json: '<old>': \"six\" given") != std::string::npos);
}

TEST_CASE("a tokenizer that cuts the beginning of texts is refused") {
  const Folder folder;
  folder.write("tokenizer.json", replaced(usual, "\"stride\": 0", "\"stride\": 0, \"direction\": \"Left\""));
  CHECK(error_of(folder.path).find("tokenizer.json: truncation: direction: Left given, right expected") !=
        std::string::npos);
  folder.write("tokenizer.json", replaced(usual, "\"stride\": 0", "\"stride\": 0, \"direction\": \"Right\""));
  CHECK(error_of(folder.path).empty());
  folder.write("tokenizer_config.json", R"({"truncation_side": "left"})");
  CHECK(error_of(folder.path).find("tokenizer_config.json: truncation_side: left given") != std::string::npos);
}

TEST_CASE("tokenizer.json is read; its truncation and padding are not applied") {
  const Folder folder;
  folder.write("tokenizer.json", usual);
  const auto tokenizer = WordPiece::load(folder.path);
  CHECK(tokenizer.vocabulary_size() == 8);
  CHECK(tokenizer.token(3).empty());
  CHECK(tokenizer.suggested_lengths().truncation == 128);
  CHECK(ids_of(tokenizer, "Hellos") == Ids{5, 6});
  std::string text;
  for (int i = 0; i < 200; ++i) text += "hello ";
  Batch batch;
  tokenizer.append(text, batch);
  CHECK(batch.tokens() == 202);
  CHECK(ids_of(tokenizer, "hello <x>") == Ids{5, 7});
  CHECK(ids_of(tokenizer, "hello [CLS]") != Ids{5, 1});
  CHECK(ids_of(WordPiece::load(folder.path, AddedTokenMatching::all), "hello [CLS]") == Ids{5, 1});
  CHECK(ids_of(WordPiece::load(folder.path, AddedTokenMatching::none), "hello <x>") != Ids{5, 7});
}

TEST_CASE("tokenizer_config.json overrides the normalizer of tokenizer.json where transformers does") {
  const Folder folder;
  folder.write("tokenizer.json", usual);
  folder.write("tokenizer_config.json", R"({"do_lower_case": false, "tokenizer_class": "BertTokenizer"})");
  CHECK(ids_of(WordPiece::load(folder.path), "Hello") == Ids{4});
  folder.write("tokenizer_config.json", R"({"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"})");
  CHECK(ids_of(WordPiece::load(folder.path), "Hello") == Ids{5});
}

TEST_CASE("added tokens beside tokenizer.json are read too, those of the same name as there") {
  const Folder folder;
  folder.write("tokenizer.json", usual);
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"7": {"content": "<x>", "special": true},
    "8": {"content": "<new>", "special": false, "normalized": false}}})");
  CHECK(ids_of(WordPiece::load(folder.path), "hello <x><new>") == Ids{5, 7, 8});
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"6": {"content": "<new>", "special": false}}})");
  CHECK(error_of(folder.path).find("tokenizer.json: added token '<new>' has id 6") != std::string::npos);
}

TEST_CASE("empty lines at the end of vocab.txt are no tokens, others keep their ids") {
  const Folder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n\nhello\n\n\u00a0\n\n");
  const auto tokenizer = WordPiece::load(folder.path);
  CHECK(tokenizer.vocabulary_size() == 6);
  CHECK(ids_of(tokenizer, "hello") == Ids{5});
}

TEST_CASE("sentence-transformers' files can ask for lower case") {
  const Folder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nH\u00e9\nh\u00e9\nhe\n");
  folder.write("tokenizer_config.json", R"({"do_lower_case": false})");
  folder.write("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": true})");
  CHECK(ids_of(WordPiece::load(folder.path), "H\u00e9") == Ids{4});
  folder.write("modules.json", "[]");
  CHECK(ids_of(WordPiece::load(folder.path), "H\u00e9") == Ids{5});
  folder.write("tokenizer_config.json", R"({"do_lower_case": true})");
  CHECK(ids_of(WordPiece::load(folder.path), "H\u00e9") == Ids{6});
  folder.write("tokenizer_config.json", R"({"do_lower_case": false})");
  std::filesystem::rename(folder.path / "sentence_bert_config.json", folder.path / "sentence_xlnet_config.json");
  CHECK(ids_of(WordPiece::load(folder.path), "H\u00e9") == Ids{5});
  folder.write("sentence_roberta_config.json", "{}");  // sentence-transformers takes the first of its names
  CHECK(ids_of(WordPiece::load(folder.path), "H\u00e9") == Ids{4});
}

TEST_CASE("the older post-processor means the same") {
  const Folder folder;
  const auto first = usual.find(R"({"type": "TemplateProcessing")"), last = usual.find(R"("decoder")");
  auto text = usual;
  text.replace(first, last - first, R"({"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}, )");
  folder.write("tokenizer.json", text);
  CHECK(WordPiece::load(folder.path).special().separate == 2);
  folder.write("tokenizer.json", replaced(text, R"(["[SEP]", 2])", R"(["[SEP]", 3])"));
  CHECK_THROWS_AS(WordPiece::load(folder.path), FormatError);
}

TEST_CASE("files that say something else are refused") {
  const Folder folder;
  CHECK_THROWS_AS(WordPiece::load(folder.path), IoError);
  const std::pair<std::string_view, std::string_view> changes[] = {
      {R"("type": "WordPiece", "unk)", R"("type": "BPE", "unk)"},
      {R"("BertNormalizer")", R"("Lowercase")"},
      {R"("BertPreTokenizer")", R"("Whitespace")"},
      {R"("TemplateProcessing")", R"("RobertaProcessing")"},
      {R"({"Sequence": {"id": "A", "type_id": 0}})", R"({"Sequence": {"id": "A", "type_id": 1}})"},
      {R"({"Sequence": {"id": "A", "type_id": 0}},)", ""},
      {R"("ids": [1])", R"("ids": [2])"},
      {R"("ids": [1])", R"("ids": [])"},
      {R"("hello": 5)", R"("hello": 4)"},
      {R"("hello": 5)", R"("hello": -5)"},
      {R"("hello": 5)", R"("hello": "5")"},
      {R"("hello": 5)", R"("hello": 2000000000)"},
      {R"("[UNK]": 0)", R"("[UNKNOWN]": 0)"},
      {R"("id": 7)", R"("id": 6)"},
      {R"("id": 7)", R"("id": -7)"},
      {R"("max_input_chars_per_word": 100)", R"("max_input_chars_per_word": 0)"},
      {R"("lowercase": true)", R"("lowercase": 1)"},
      {R"("model": )", R"("mode": )"},
      {R"({"max_length": 128, )", R"({)"}};
  for (const auto& [from, to] : changes) {
    folder.write("tokenizer.json", replaced(usual, from, to));
    INFO(std::string(to));
    CHECK_THROWS_AS(WordPiece::load(folder.path), FormatError);
  }
  folder.write("tokenizer.json", "[]");
  CHECK_THROWS_AS(WordPiece::load(folder.path), FormatError);
  std::filesystem::remove(folder.path / "tokenizer.json");
  folder.write("vocab.txt", vocabulary_lines + "\xff\n");
  CHECK_THROWS_AS(WordPiece::load(folder.path), FormatError);
}

TEST_CASE("damaged files give an error or a tokenizer, never a crash") {
  const Folder folder;
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    folder.write("tokenizer.json", damaged(usual, 3, round));
    try {
      Batch batch;
      WordPiece::load(folder.path, AddedTokenMatching::all).append("hello <x> [CLS] Hellos", batch, 5);
    } catch (const FormatError&) { ++refused; }
  }
  CHECK(refused > 150);
}

TEST_CASE("save writes what load reads") {
  const Folder first, second;
  first.write("tokenizer.json", usual);
  auto options = WordPiece::load(first.path).options();
  options.normalizer = {.clean_text = false, .chinese_characters = false, .strip_accents = true, .lowercase = false};
  options.max_characters_per_word = 7;
  options.suggested = {.truncation = 64, .model = 256};
  const WordPiece tokenizer(WordPiece::load(first.path).vocabulary(), options);
  tokenizer.save(second.path);
  const auto back = WordPiece::load(second.path, AddedTokenMatching::all);
  CHECK(back.vocabulary_size() == tokenizer.vocabulary_size());
  for (token_t id = 0; id < back.vocabulary_size(); ++id) CHECK(back.token(id) == tokenizer.token(id));
  CHECK_FALSE(back.options().normalizer.clean_text);
  CHECK_FALSE(back.options().normalizer.chinese_characters);
  CHECK(back.options().normalizer.strip_accents == true);
  CHECK_FALSE(back.options().normalizer.lowercase);
  CHECK(back.options().max_characters_per_word == 7);
  CHECK(back.suggested_lengths().truncation == 64);
  CHECK(back.suggested_lengths().model == 256);
  CHECK(ids_of(back, "Hellos <x>H\u00e9llo") == Ids{4, 6, 7, 4});
  const std::vector<std::string> malformed{"[UNK]", "[CLS]", "[SEP]", "\xff"};
  CHECK_THROWS_AS(WordPiece{Vocabulary(malformed)}.save(second.path), FormatError);
}

TEST_CASE("a vocabulary without tokenizer.json whose class has another algorithm is refused, by file and class") {
  const Folder folder;
  folder.write("vocab.txt", vocabulary_lines);
  const auto refused = [&](const std::string& text) {
    INFO(text);
    CHECK(error_of(folder.path).find(text) != std::string::npos);
  };
  for (const std::string name : {"BertTokenizer", "BertTokenizerFast", "ElectraTokenizerFast"}) {
    folder.write("tokenizer_config.json", R"({"tokenizer_class": ")" + name + "\"}");
    CHECK(error_of(folder.path).empty());
  }
  for (const std::string name : {"BertJapaneseTokenizer", "BertweetTokenizer", "PhobertTokenizer", "RoFormerTokenizer",
                                 "RobertaTokenizer", "PreTrainedTokenizerFast"}) {
    folder.write("tokenizer_config.json", R"({"tokenizer_class": ")" + name + "\"}");
    refused("tokenizer_config.json: tokenizer_class: " + name + " given, BertTokenizer expected where no");
  }
  folder.write("config.json", R"({"tokenizer_class": "BertweetTokenizer"})");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": null})");
  refused("/config.json: tokenizer_class: BertweetTokenizer given");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");  // which wins
  CHECK(error_of(folder.path).empty());
  folder.write("config.json", "{}");
  folder.write("tokenizer_config.json", R"({"word_tokenizer_type": "mecab"})");
  refused("tokenizer_config.json: word_tokenizer_type: mecab given, basic expected");
  folder.write("tokenizer_config.json", R"({"word_tokenizer_type": "basic", "subword_tokenizer_type": "character"})");
  refused("subword_tokenizer_type: character given, wordpiece expected");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})");
  folder.write("tokenizer.json", usual);  // which says all
  CHECK(error_of(folder.path).empty());
}

TEST_CASE("tokens that the configuration calls special have the vocabulary's ids, new ones the next") {
  const Folder folder;
  folder.write("vocab.txt", vocabulary_lines + "[unused1]\n");
  const auto ids = [&](std::string_view text) {
    return ids_of(WordPiece::load(folder.path, AddedTokenMatching::all), text);
  };
  for (const std::string key : {"additional_special_tokens", "extra_special_tokens"})
    for (const std::string file : {"tokenizer_config.json", "special_tokens_map.json"}) {
      folder.write("tokenizer_config.json", "{}");
      folder.write("special_tokens_map.json", "{}");
      folder.write(file, "{\"" + key + R"(": ["[unused1]", {"content": "[E2]", "rstrip": true}, "[E1]", "[SEP]"]})");
      CHECK(ids("hello[unused1][E1][SEP][E2] hello") == Ids{6, 8, 10, 3, 9, 6});
      CHECK(WordPiece::load(folder.path).vocabulary_size() == 11);
      CHECK(ids_of(WordPiece::load(folder.path), "[unused1]") == Ids{1, 1, 1});
    }
  folder.write("special_tokens_map.json", "{}");
  folder.write("added_tokens.json", R"({"[E1]": 9})");
  folder.write("tokenizer_config.json", R"({"additional_special_tokens": ["[E1]"]})");
  CHECK(ids("[E1]") == Ids{9});
  CHECK(ids("[e1]") == Ids{1, 1, 1});  // special tokens are not normalized
  folder.write("tokenizer_config.json", "{}");
  folder.write("special_tokens_map.json", R"({"additional_special_tokens": ["[E1]"]})");
  CHECK(ids("[e1]") == Ids{9});  // as transformers reads it
  std::filesystem::remove(folder.path / "added_tokens.json");
  folder.write("tokenizer_config.json", R"({"extra_special_tokens": {"marker": "[unused1]"}})");
  folder.write("special_tokens_map.json", R"({"additional_special_tokens": ["[E1]"]})");
  CHECK(ids("[unused1]") == Ids{8});
  CHECK(WordPiece::load(folder.path).vocabulary_size() == 9);
  folder.write("special_tokens_map.json", "{}");
  folder.write("tokenizer_config.json", R"({"extra_special_tokens": "[E1]"})");
  CHECK(error_of(folder.path).find("extra_special_tokens: a list of tokens expected") != std::string::npos);
  folder.write("tokenizer_config.json", R"({"extra_special_tokens": ["[E1]"]})");
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");  // transformers would give the mask the next id
  CHECK(error_of(folder.path).find("the tokens '[E1]' and '[MASK]' given, which the vocabulary lacks") !=
        std::string::npos);
}

TEST_CASE("added tokens are written by ascending id, as tokenizers numbers them") {
  const Folder folder, saved;
  folder.write("vocab.txt", vocabulary_lines);
  folder.write("added_tokens.json", R"({"[E1]": 9, "[/E1]": 10, "<a>": 8})");
  WordPiece::load(folder.path).save(saved.path);
  std::vector<token_t> written;
  const auto json = read_json(saved.path / "tokenizer.json");
  for (const auto& token : json.at("added_tokens")) written.push_back(token.at("id").get<token_t>());
  CHECK(std::is_sorted(written.begin(), written.end()));
  CHECK(Ids(written.end() - 3, written.end()) == Ids{8, 9, 10});
}

TEST_CASE("a sequence of one part means that part") {
  const Folder folder;
  auto text = replaced(usual, R"({"type": "BertPreTokenizer"})",
                       R"({"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}]})");
  text = replaced(text, R"("normalizer": {)", R"("normalizer": {"type": "Sequence", "normalizers": [{)");
  text = replaced(text, R"("lowercase": true})", R"("lowercase": true}]})");
  folder.write("tokenizer.json", text);
  CHECK(ids_of(WordPiece::load(folder.path), "Hellos") == Ids{5, 6});
  folder.write("tokenizer.json", replaced(text, "[{\"type\": \"BertPreTokenizer\"}]", "[]"));
  CHECK(error_of(folder.path).find("pre_tokenizer: type 'Sequence' given, BertPreTokenizer") != std::string::npos);
}
