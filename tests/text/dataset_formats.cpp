#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/text/dataset.hpp"

using namespace knnbert;
using knnbert_test::contains;
using knnbert_test::message_of;

namespace {

using Names = std::vector<std::string>;

/// Every example as "text|pair|class".
Names all(const Dataset& data) {
  Names rows;
  for (index_t i = 0; i < data.size(); ++i)
    rows.push_back(data.text(i) + "|" + data.pair(i) + "|" +
                   (data.label(i) == no_label ? "" : data.classes()[static_cast<std::size_t>(data.label(i))]));
  return rows;
}

Names read(std::string_view text, std::string_view name, const DatasetOptions& options = {}) {
  return all(Dataset::parse(text, name, options));
}

std::string error_of(std::string_view text, std::string_view name, const DatasetOptions& options = {}) {
  return message_of<FormatError>([&] { Dataset::parse(text, name, options); });
}

}  // namespace

TEST_CASE("tsv without header") {
  CHECK(read("a \"b\tx\r\nc\ty", "f.tsv") == Names{"a \"b||x", "c||y"});
  CHECK(read("a\tb\tx\n", "f.tsv") == Names{"a|b|x"});
  CHECK(read("one\ntwo\n", "f.tsv", {.labels_required = false}) == Names{"one||", "two||"});
  CHECK(read("1\tx\t9\ttext\n", "f.tsv", {.text_column = "4", .label_column = "2"}) == Names{"text||x"});
  CHECK(error_of("a\tx\nb\n", "f.tsv") == "f.tsv:2: 1 columns given, 2 expected");
  CHECK(error_of("a\tx\nb\tc\tx\n", "f.tsv") == "f.tsv:2: 3 columns given, 2 expected");
  CHECK(contains(error_of("a\n", "f.tsv"), "f.tsv:1: no label column"));
  CHECK(contains(error_of("a\tb\tc\td\n", "f.tsv"), "f.tsv:1: no text column"));
  CHECK(contains(error_of("a\tx\n", "f.tsv", {.text_column = "3"}), "f.tsv:1: no column '3'"));
  CHECK(contains(error_of("a\tx\n", "f.tsv", {.text_column = "0"}), "no column '0'"));
}

TEST_CASE("GLUE headers are recognized") {
  CHECK(read("sentence\tlabel\na \t1\n", "SST-2/train.tsv") == Names{"a ||1"});
  CHECK(read("index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n", "RTE/train.tsv") == Names{"a|b|entailment"});
  CHECK(read("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t5\t6\t\" a\tb \"\n", "MRPC/train.tsv") ==
        Names{"\" a|b \"|1"});
  CHECK(read("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n1\t2\t3\ta\tb\t0\n", "QQP.tsv") == Names{"a|b|0"});
  CHECK(read("index\tquestion\tsentence\tlabel\n0\tq\ts\tentailment\n", "QNLI.tsv") == Names{"q|s|entailment"});
  CHECK(read("index\tsentence\n0\ta\n", "SST-2/test.tsv", {.labels_required = false}) == Names{"a||"});
}

TEST_CASE("columns by name") {
  const std::string text =
      "cat\tlabel\treview\n"
      "book\t1\ttext\n";
  CHECK(read(text, "f.tsv") == Names{"text||1"});
  CHECK(read(text, "f.tsv", {.label_column = "cat"}) == Names{"text||book"});
  CHECK(read("u\tv\tw\na\tb\tc\n", "f.tsv", {.text_column = "w", .label_column = "u"}) == Names{"c||a"});
  CHECK(read("u\tv\tw\na\tb\tc\n", "f.tsv", {.text_column = "w", .pair_column = "v", .label_column = "u"}) ==
        Names{"c|b|a"});
  CHECK(
      contains(error_of(text, "f.tsv", {.text_column = "x"}), "f.tsv:1: no column 'x' among 'cat', 'label', 'review'"));
  CHECK(read("sentence\tlabel\n", "f.tsv", {.header = Header::absent}) == Names{"sentence||label"});
  CHECK(
      contains(error_of("u\tv\na\tb\n", "f.tsv", {.header = Header::present}), "no text column known among 'u', 'v'"));
}

TEST_CASE("csv with header, quotes and line breaks") {
  CHECK(read("text,category\n\"a, \"\"b\"\"\nc\",x\n", "f.csv") == Names{"a, \"b\"\nc||x"});
  CHECK(read("Label,Text\r\nx,a\r\n", "f.csv") == Names{"a||x"});
  CHECK(contains(error_of("u,v\na,b\n", "f.csv"), "f.csv:1: no text column known among 'u', 'v'; name it"));
  CHECK(read("a,b\n", "f.csv", {.text_column = "1", .label_column = "2"}) == Names{"a||b"});
  CHECK(read("a,b\n", "f.csv", {.header = Header::absent}) == Names{"a||b"});
  CHECK(error_of("text,label\n\"a\nb\",x\nc\n", "f.csv") == "f.csv:4: 1 columns given, 2 expected");
  CHECK(read("text,label\na,b\n", "-") == Names{"a||b"});
}

TEST_CASE("AG News rows join title and description") {
  const std::string text = "\"3\",\"Title\",\"De \"\"scription\"\"\"\n\"1\",\"T\",\"D\"\n";
  CHECK(read(text, "test.csv") == Names{"Title De \"scription\"||3", "T D||1"});
  CHECK(read(text, "x", {.format = Format::ag_news}).size() == 2);
  CHECK(read(text, "test.csv", {.text_column = "3", .label_column = "1"}) == Names{"De \"scription\"||3", "D||1"});
  CHECK(contains(error_of(text + "\"1\",\"T\"\n", "test.csv"), "test.csv:3: 2 columns"));
}

TEST_CASE("imdb rows") {
  CHECK(read("0\t1545\t3\ta <br />\n1\t2\t10\tb\n", "train.tsv.gz") == Names{"a <br />||0", "b||1"});
  CHECK(contains(error_of("0\t1545\t3\ta\n1\t2\tb\n", "train.tsv"), "train.tsv:2: 3 columns given, 4 expected"));
}

TEST_CASE("json lines") {
  CHECK(read("{\"text\": \"a\\n\", \"label\": \"x\"}\n\n{\"label\": \"y\", \"text\": \"b\", \"more\": []}\n",
             "f.jsonl") == Names{"a\n||x", "b||y"});
  CHECK(read("{\"text\": \"a\", \"label\": 10}\n{\"text\": \"b\", \"label\": 9.0}\n", "f.json") ==
        Names{"a||10", "b||9"});
  CHECK(read("{\"premise\": \"a\", \"hypothesis\": \"b\", \"label\": true}", "f.jsonl") == Names{"a|b|true"});
  CHECK(read("{\"u\": \"a\", \"v\": \"b\"}", "f.jsonl", {.text_column = "v", .label_column = "u"}) == Names{"b||a"});
  CHECK(read("{\"text\": \"a\"}\n{\"text\": \"b\", \"label\": 1}", "f.jsonl", {.labels_required = false}) ==
        Names{"a||", "b||1"});
  CHECK(error_of("{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}", "f.jsonl") == "f.jsonl:2: the label is missing");
  CHECK(error_of("{\"text\": \"a\", \"label\": null}", "f.jsonl") == "f.jsonl:1: the label is missing");
  CHECK(contains(error_of("{\"text\": \"a\", \"label\": 0.5}", "f.jsonl"), "f.jsonl:1: label: 0.5 given"));
  CHECK(contains(error_of("{\"text\": \"a\", \"label\": [1]}", "f.jsonl"), "f.jsonl:1: label: [1] given"));
  CHECK(contains(error_of("{\"text\": 1, \"label\": 1}", "f.jsonl"), "f.jsonl:1: text: 1 given, a string expected"));
  CHECK(contains(error_of("{\"text\": \"a\", \"label\": 1}\n{\"label\": 1}", "f.jsonl"),
                 "f.jsonl:2: key 'text' is missing"));
  CHECK(contains(error_of("[1]", "f.jsonl"), "an object expected"));
  CHECK(contains(error_of("{}", "f.jsonl"), "f.jsonl:1: "));
  CHECK(contains(error_of("{\"text\": \"a\", \"text\": \"b\"}", "f.jsonl"), "appears twice"));
}

TEST_CASE("keys of JSON rows may appear in any row") {
  const std::string first = R"({"premise": "a", "label": 1})",
                    both = R"({"premise": "b", "hypothesis": "c", "label": 2})";
  const auto data = Dataset::parse(first + "\n" + both + "\n" + first + "\n", "f.jsonl");
  CHECK(all(data) == Names{"a||1", "b|c|2", "a||1"});
  CHECK(data.warnings() == Names{"f.jsonl:1: no second text in 2 of 3 examples, here first"});
  CHECK(read(first + "\n" + both, "f.jsonl", {.pair_column = "hypothesis"}) == Names{"a||1", "b|c|2"});
  CHECK(read("{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 2, \"sentence\": \"s\"}", "f.jsonl") ==
        Names{"a||1", "b||2"});
  CHECK(read(R"({"text": "a", "text_pair": "b", "label": 1})", "f.jsonl") == Names{"a|b|1"});
  CHECK(error_of("{\"text\": \"a\"}\n{\"text\": \"b\", \"label\": 2}", "f.jsonl") == "f.jsonl:1: the label is missing");
}

TEST_CASE("a JSON array of objects") {
  const Names expected{"a||x", "b||y"};
  const std::string line = R"([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}])";
  for (const char* name : {"f.json", "f.jsonl", "f", "standard input"}) CHECK(read(line, name) == expected);
  const std::string pretty =
      "[\n  {\n    \"text\": \"a\",\n    \"label\": \"x\"\n  },\n{\"text\": \"b\", \"label\": \"y\"}\n]\n";
  CHECK(read(pretty, "f.json") == expected);
  CHECK(Dataset::parse(pretty, "f.json").location(1) == "f.json: entry 2");
  CHECK(read(line, "f.json", {.limit = 1}) == Names{"a||x"});
  CHECK(error_of(R"([{"text": "a"}])", "f.json").starts_with("f.json: entry 1: no label column"));
  const auto message = error_of("[" + line + "]", "f.json");
  CHECK(contains(message, "f.json: entry 1: [{"));
  CHECK(message.size() < 120);
  CHECK(error_of("[{\"text\": \"" + std::string(1000, 'a'), "f.json").size() < 200);
}

TEST_CASE("labels without a character that no name has") {
  using namespace std::string_literals;
  const std::string expected = ": a label with the character NUL given, text expected";
  CHECK(error_of("a\tx\nb\ty\0\n"s, "f.tsv") == "f.tsv:2" + expected);
  CHECK(error_of("text,label\na,x\0y\n"s, "f.csv") == "f.csv:2" + expected);
  CHECK(error_of(R"({"text": "a", "label": "\u0000"})", "f.jsonl") == "f.jsonl:1" + expected);
}

TEST_CASE("null is no member of a set") {
  const DatasetOptions sets{.label_kind = LabelKind::set};
  for (const char* labels : {"[null]", R"(["x", null])"})
    CHECK(contains(error_of(std::string(R"({"text": "a", "labels": )") + labels + "}", "f.jsonl", sets),
                   "f.jsonl:1: labels: null given"));
  CHECK(read(R"({"text": "a", "labels": []})", "f.jsonl", sets) == Names{"a|||"});
}

TEST_CASE("a list within a list of labels, and a key without a name") {
  const DatasetOptions sets{.label_kind = LabelKind::set};
  CHECK(contains(error_of(R"({"text": "a", "labels": ["x", ["y"]]})", "f.jsonl", sets),
                 R"(f.jsonl:1: labels: ["y"] given)"));
  const auto data = Dataset::parse(R"({"text":"a","label":"x","":"zz"})"
                                   "\n"
                                   R"({"text":"b","label":"y","":5})",
                                   "f.jsonl");
  CHECK(all(data) == Names{"a||x", "b||y"});
  CHECK_FALSE(data.has_pairs());
}

TEST_CASE("rows without texts are told once") {
  const auto warnings = [](std::string_view text, std::string_view name) {
    return Dataset::parse(text, name).warnings();
  };
  CHECK(warnings("a\tb\tx\na\t\ty\nc\t\ty\n", "f.tsv") ==
        Names{"f.tsv:2: no second text in 2 of 3 examples, here first"});
  CHECK(warnings("text,label\na,x\n,y\n", "f.csv") == Names{"f.csv:3: an empty text in 1 of 2 examples, here first"});
  CHECK(warnings("a\tx\nb\ty\n", "f.tsv").empty());
}

TEST_CASE("options that cannot be meant") {
  CHECK(
      contains(message_of<OptionError>([] { read("u,v\na,x\n", "f.csv", {.text_column = "u", .label_column = "1"}); }),
               "DatasetOptions::label_column: the column of DatasetOptions::text_column given, another one expected"));
  CHECK_THROWS_AS(read("u,v,w\na,b,x\n", "f.csv", {.text_column = "u", .pair_column = "v", .label_column = "v"}),
                  OptionError);
  CHECK_THROWS_AS(read(R"({"a": "b", "c": "d"})", "f.jsonl", {.text_column = "a", .label_column = "a"}), OptionError);
  CHECK(contains(Dataset::parse("a\tx\nb\ty\n", "f.tsv", {.split = "test"}).warnings().at(0),
                 "f.tsv: no lists of CLINC, so that DatasetOptions::split does nothing"));
}

TEST_CASE("files that were joined with their byte-order marks") {
  const std::string mark = "\xef\xbb\xbf", part = mark + "\"text\",label\na,x\n";
  const auto data = Dataset::parse(part + part, "f.csv");
  CHECK(all(data) == Names{"a||x", "a||x"});
  CHECK(data.warnings() == Names{"f.csv:3: the names of the columns once more, skipped"});
  CHECK(read("sentence\tlabel\na\tx\n" + mark + "sentence\tlabel\nb\ty\n", "f.tsv") == Names{"a||x", "b||y"});
  const std::string object = mark + R"({"text": "a", "label": 1})" + "\n";
  CHECK(read(object + object, "f.jsonl") == Names{"a||1", "a||1"});
}

TEST_CASE("blanks around quoted fields of CSV") {
  CHECK(read("text, label\n\"x, y\", \"a\"\n\"z\" , \"b \"\"c\"\"\" \n", "f.csv") == Names{"x, y||a", "z||b \"c\""});
  CHECK(read("label,text\na, \"x\" is said\n", "f.csv") == Names{" \"x\" is said||a"});
}

TEST_CASE("label, blank, text") {
  CHECK(read("0 a b \n\n12 c\n3\n", "TREC.train.all") == Names{"a b ||0", "c||12", "||3"});
  CHECK(read("DESC:manner How ?\n", "x", {.format = Format::label_text}) == Names{"How ?||DESC:manner"});
  CHECK(error_of(" a\n", "x", {.format = Format::label_text}) == "x:1: the label is missing");
}

TEST_CASE("CLINC lists") {
  const std::string text =
      "{\n \"train\": [[\"a\", \"x\"], [\"b\", \"y\"]],\n \"test\": [[\"c\", \"x\"]], \"oos_test\": [[\"d\", "
      "\"oos\"]]}";
  CHECK(read(text, "data_full.json") == Names{"a||x", "b||y"});
  CHECK(read(text, "data_full.json", {.split = "test+oos_test"}) == Names{"c||x", "d||oos"});
  CHECK(read("{\"train\": [[\"a\", \"x\"]]}", "f.json") == Names{"a||x"});
  CHECK(contains(error_of(text, "f.json", {.split = "val"}), "f.json: key 'val' is missing"));
  CHECK(
      contains(error_of(R"({"data": [{"text": "a", "label": "b"}]})", "f.json"), "an array of objects, or one a line"));
  CHECK(contains(error_of("{\n\"train\": [[\"a\", \"x\"], [\"b\"]]}", "f.json"), "f.json: train entry 2: 1 strings"));
  CHECK(contains(error_of("{\n\"train\": [[\"a\", 1]]}", "f.json"), "f.json: train entry 1[1]: 1 given, a string"));
  CHECK(contains(error_of("{\n\"train\": 1}", "f.json"), "f.json"));
  CHECK(contains(error_of("{\n\"train\": [", "f.json"), "f.json:2: "));
}

TEST_CASE("fastText lines") {
  CHECK(read("__label__x a b\n__label__y\tc\n__label__x\n", "f.txt") == Names{"a b||x", "c||y", "||x"});
  CHECK(contains(error_of("__label__x a\n__label__x __label__y b\n", "f.txt"), "f.txt:2: several labels given, one"));
  const DatasetOptions sets{.label_kind = LabelKind::set, .labels_required = false};
  CHECK(read("__label__y __label__x\t__label__y a b\n__label__x c\nd __label__y\n", "f.txt", sets) ==
        Names{"a b||x|y", "c||x", "d __label__y||"});
  CHECK(contains(error_of("__label__x|y a\n", "f.txt", sets), "f.txt:1: 'x|y' given, a name without the separator"));
  CHECK(contains(error_of("__label__x a\nb\n", "f.txt"), "f.txt:2: __label__name expected"));
  CHECK(error_of("__label__ a\n", "f.txt") == "f.txt:1: the label is missing");
  CHECK(read("__label__x a\nb\n", "f.txt", {.labels_required = false}) == Names{"a||x", "b||"});
}

TEST_CASE("formats by name, limits and undecidable files") {
  CHECK(parse_format("label_text") == Format::label_text);
  CHECK(parse_format("glue") == Format::tsv);
  CHECK_THROWS_AS(parse_format("xls"), OptionError);
  CHECK(read("a\tx\nb\ty\nc\tz\n", "f.tsv", {.limit = 2}) == Names{"a||x", "b||y"});
  CHECK(contains(error_of("some text\n", "f.txt"), "set DatasetOptions::format"));
  CHECK(read("some text\n", "f.txt", {.labels_required = false}) == Names{"some text||"});
  CHECK(read("a\tx\n", "standard input") == Names{"a||x"});
  CHECK(Dataset::parse("caf\xe9 \xff\tx\n", "f.tsv").text(0) == "caf\xef\xbf\xbd \xef\xbf\xbd");
}

TEST_CASE("encodings and byte-order marks of files") {
  const knnbert_test::TemporaryFolder folder;
  CHECK(all(Dataset::read(folder.file("a.tsv", "caf\xe9\tx\n"), {.encoding = Encoding::latin1})) ==
        Names{"caf\xc3\xa9||x"});
  CHECK_THROWS_AS(Dataset::read(folder.file("b.tsv", "caf\xe9\tx\n"), {.strict_utf8 = true}), FormatError);
  CHECK(all(Dataset::read(folder.file("c.tsv", "\xef\xbb\xbfsentence\tlabel\na\t1\n"))) == Names{"a||1"});
  CHECK_THROWS_AS(Dataset::read(folder.file("d.tsv.gz", "\x1f\x8b...")), FormatError);
  CHECK_THROWS_AS(Dataset::read(folder / "absent.tsv"), IoError);
}

TEST_CASE("every truncation of every format is read or refused") {
  const std::pair<std::string, Format> samples[] = {
      {"sentence\tlabel\na\t1\n", Format::tsv},
      {"text,label\n\"a,\"\"b\",1\n", Format::csv},
      {"{\"text\": \"a\", \"label\": 1}\n", Format::jsonl},
      {"1 a\n0 b\n", Format::label_text},
      {"{\"train\": [[\"a\", \"x\"]]}", Format::clinc},
      {"__label__x a\n", Format::fasttext},
      {"\"1\",\"a\",\"b\"\n", Format::ag_news},
      {"0\t1\t2\ta\n", Format::imdb},
  };
  int refused = 0;
  for (const auto& sample : samples)
    for (const auto format : {sample.second, Format::automatic})
      for (const bool required : {true, false})
        for (std::size_t length = 0; length <= sample.first.size(); ++length) {
          const std::vector<char> exact(sample.first.begin(), sample.first.begin() + static_cast<index_t>(length));
          try {
            Dataset::parse({exact.data(), exact.size()}, "f", {.format = format, .labels_required = required});
          } catch (const FormatError&) { ++refused; }
        }
  CHECK(refused > 100);
}
