// Tables as users have them: headers under other names, columns in any order, quotes, separators, labels of all
// spellings.
#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/text/dataset.hpp"

using namespace knnbert;
using knnbert_test::contains;
using knnbert_test::message_of;

namespace {

using Names = std::vector<std::string>;

/// Every example as "text|pair|class".
Names rows_of(const Dataset& data) {
  Names rows;
  for (index_t i = 0; i < data.size(); ++i)
    rows.push_back(data.text(i) + "|" + data.pair(i) + "|" +
                   (data.label(i) == no_label ? "" : data.classes()[static_cast<std::size_t>(data.label(i))]));
  return rows;
}

/// The same of a table that leaves no doubt.
Names plain(std::string_view text, std::string_view name, const DatasetOptions& options = {}) {
  const auto data = Dataset::parse(text, name, options);
  CHECK(data.warnings() == Names{});
  return rows_of(data);
}

std::string warning_of(std::string_view text, std::string_view name, const DatasetOptions& options = {}) {
  const auto data = Dataset::parse(text, name, options);
  REQUIRE(data.warnings().size() == 1);
  return data.warnings().front();
}

std::string failure(std::string_view text, std::string_view name, const DatasetOptions& options = {}) {
  return message_of<FormatError>([&] { Dataset::parse(text, name, options); });
}

/// `count` rows: row(i) each.
template <class Row>
std::string table(int count, Row&& row) {
  std::string text;
  for (int i = 0; i < count; ++i) text += row(i) + "\n";
  return text;
}
std::string sentence(int i) { return "this is sentence number " + std::to_string(i) + " of many"; }
std::string class_of(int i) { return i % 3 == 0 ? "joy" : i % 3 == 1 ? "fear" : "anger"; }

}  // namespace

TEST_CASE("headers under other names are no examples") {
  const Names two{"foo bar||x", "baz||y"};
  CHECK(plain("Tweet Text,Sentiment Label\nfoo bar,x\nbaz,y\n", "f.csv") == two);
  CHECK(plain("Tweet Text,Sentiment Label\nfoo bar,x\nbaz,y\n", "f.csv", {.text_column = "1", .label_column = "2"}) ==
        two);
  CHECK(plain("Tweet Text\tSentiment Label\nfoo bar\tx\nbaz\ty\n", "f.tsv",
              {.text_column = "1", .label_column = "2"}) == two);
  CHECK(plain("text\tlabel_of_it\nfoo bar\tx\nbaz\ty\n", "f.tsv") == two);
  CHECK(plain("label_of_it\ttext\nx\tfoo bar\ny\tbaz\n", "f.tsv") == two);
  CHECK(plain("sentimentLabel\ttweetText\nx\tfoo bar\ny\tbaz\n", "f.tsv") == two);
  CHECK(plain("Body,Category of it,Author id\nfoo bar,x,1\nbaz,y,2\n", "f.csv") == two);
  CHECK(plain("\xe6\x96\x87\xe6\x9c\xac,\xe6\xa0\x87\xe7\xad\xbe\nfoo bar,x\nbaz,y\n", "f.csv") == two);
  CHECK(plain(" Text , LABEL \nfoo bar,x\nbaz,y\n", "f.csv") == two);
  CHECK(plain("text,label,label_text\nfoo bar,x,X\nbaz,y,Y\n", "f.csv") == two);
  CHECK(plain("Headline\tMood\nfoo bar\t1\nbaz\t0\n", "f.tsv") ==
        Names{"foo bar||1", "baz||0"});  // numbers below a word
}

TEST_CASE(
    "a first row whose label stands alone among labels that repeat is a header, with a warning where nothing else "
    "tells") {
  const auto rows = table(9, [](int i) { return sentence(i) + "\t" + class_of(i); });
  CHECK(Dataset::parse("Was man las\tGefallen\n" + rows, "f.tsv").classes() == Names{"anger", "fear", "joy"});
  CHECK(contains(warning_of("Was man las\tGefallen\n" + rows, "f.tsv"), "f.tsv:1: read as names of columns"));
  CHECK(contains(warning_of("Was man las\tGefallen\n" + rows, "f.tsv"), "DatasetOptions::header absent"));
  CHECK(Dataset::parse("Was man las\tGefallen\n" + rows, "f.tsv", {.header = Header::absent}).size() == 10);
  CHECK(plain("Was man las\tGefallen\n" + rows, "f.tsv",
              {.text_column = "1", .label_column = "2", .header = Header::present})
            .size() == 9);
  // Its label occurs again, or it is no name.
  CHECK(plain("rather short\tjoy\n" + rows, "f.tsv").size() == 10);
  CHECK(plain("This is bad.\tawful\n" + rows, "f.tsv").size() == 10);
  // Some other label stands alone too: an example, but one that may be meant otherwise.
  const auto rare = rows + sentence(10) + "\tdisgust\n";
  CHECK(Dataset::parse("Was man las\tGefallen\n" + rare, "f.tsv").size() == 11);
  CHECK(contains(warning_of("Was man las\tGefallen\n" + rare, "f.tsv"),
                 "f.tsv:1: read as an example, though its label occurs only here"));
}

TEST_CASE("few examples without header stay examples") {
  CHECK(contains(failure("here is a text,reply\nring me,call\n", "f.csv"), "no text column known"));
  CHECK(plain("please text me\treply\nring me\tcall\n", "f.tsv").size() == 2);
  CHECK(plain("good review\tpos\nbad\tneg\n", "f.tsv").size() == 2);
  CHECK(plain("reserve a slot\tclass_schedule\nring me\tcall\n", "f.tsv").size() == 2);
  CHECK(plain("my key is gone\tlost_key\nthe kitchen is flooded\twater_leak\n", "f.tsv").size() == 2);
  CHECK(plain("good\tpos\nbad\tneg\n", "f.tsv").size() == 2);
  CHECK(plain("good\tpos\n", "f.tsv").size() == 1);
  CHECK(plain("good\t1\nbad\t0\nodd\t2\n", "f.tsv").size() == 3);
}

TEST_CASE("classes that are numbered are no names of columns") {
  for (const std::string stem : {"class", "label_", "category", "topic ", "Label-"}) {
    CAPTURE(stem);
    const std::string rows = "good morning\t" + stem + "0\nbad night\t" + stem + "1\nold dog\t" + stem + "12\n";
    CHECK(plain(rows, "f.tsv").size() == 3);
    CHECK(plain("good morning\t" + stem + "9\n", "f.tsv").size() == 1);
  }
  CHECK(contains(failure("good morning,class70\ngood night,class71\n", "f.csv"), "no text column known"));
  CHECK(plain("sentence\tlabel1\nold dog\tpet\nold town\tplace\n", "f.tsv").size() == 2);
  const std::string rows = "old dog is here\tpet\nold town is far\tplace\nhe has a cat\tpet\nwe went to it\tplace\n";
  CHECK(contains(warning_of("Was man las\tlabel1\n" + rows, "f.tsv"), "DatasetOptions::header present"));
}

TEST_CASE("a word that names columns is a label or a text where it returns in its column") {
  for (const std::string word :
       {"question", "message", "review", "comment", "query", "post", "tweet", "text", "title"}) {
    CAPTURE(word);
    const std::string rows = "what is it\t" + word + "\nmy key is gone\tstatement\nwhere is the card\t" + word +
                             "\nthe water is blue\tstatement\n";
    CHECK(plain(rows, "f.tsv").size() == 4);
    CHECK(plain(rows, "f.tsv").front() == "what is it||" + word);
  }
  const std::string text_first = "review\tgood\nbad thing\tpoor\nreview\tgood\nso so\tpoor\n";
  CHECK(plain(text_first, "f.tsv").size() == 4);
}

TEST_CASE("other columns that could be the text are told") {
  const std::string rows = "a,the key is gone,key\nb,the water is blue,water\n";
  CHECK(contains(warning_of("title,body,category\n" + rows, "f.csv"),
                 "f.csv:1: column 'title' is read as text, 'body' is not; DatasetOptions::text_column"));
  CHECK(Dataset::parse("name,body,category\n" + rows, "f.csv").warnings().empty());
  const std::string object = R"({"title": "a", "body": "the key is gone", "label": "key"})";
  CHECK(contains(warning_of(object + "\n" + object + "\n", "f.jsonl"),
                 "f.jsonl:1: key 'title' is read as text, 'body' is not; DatasetOptions::text_column"));
  const std::string unlabeled = R"({"title": "a", "body": "the key is gone"})";
  const auto more = Dataset::parse(unlabeled + "\n" + unlabeled + "\n", "f.jsonl", {.labels_required = false});
  CHECK(more.warnings().size() == 1);
}

TEST_CASE("the label may come first") {
  const auto two = Names{"foo bar||x", "baz||y"};
  CHECK(plain("label,text\nx,foo bar\ny,baz\n", "f.csv") == two);
  const auto swapped = [](int i) { return class_of(i) + "\t" + sentence(i); };
  CHECK(Dataset::parse(table(9, swapped), "f.tsv").classes() == Names{"anger", "fear", "joy"});
  CHECK(plain(table(9, swapped), "f.tsv").front() == sentence(0) + "||joy");
  CHECK(plain("x\tfoo bar\ny\tbaz\n", "f.tsv", {.label_column = "1"}) == two);
  CHECK(plain("foo bar\tx\nbaz\ty\n", "f.tsv", {.text_column = "1"}) == two);
  CHECK(plain("x\tfoo bar\ny\tbaz\n", "f.tsv", {.text_column = "2"}) == two);
  // Too few rows to repeat a label: single words beside sentences.
  const std::string few = "water\tthe kitchen is flooded\nkey\tmy key is gone\n";
  CHECK(rows_of(Dataset::parse(few, "f.tsv")) == Names{"the kitchen is flooded||water", "my key is gone||key"});
  CHECK(contains(warning_of(few, "f.tsv"), "f.tsv:1: column 1 is read as the label"));
  CHECK(plain(few, "f.tsv", {.text_column = "1", .label_column = "2"}).front() == "water||the kitchen is flooded");
}

TEST_CASE("csv without header is read where the rows tell which column is which") {
  const auto rows = table(9, [](int i) { return sentence(i) + "," + class_of(i); });
  CHECK(plain(rows, "f.csv").size() == 9);
  CHECK(plain(table(9, [](int i) { return class_of(i) + "," + sentence(i); }), "f.csv").front() ==
        sentence(0) + "||joy");
  CHECK(contains(
      failure("0,my key is gone,lost_key\n1,the kitchen is flooded,water_leak\n2,there is water,water_leak\n", "f.csv"),
      "f.csv:1: no text column known among 3 columns without header"));
  CHECK(contains(
      failure(table(30, [](int i) { return std::to_string(i) + "," + sentence(i) + "," + class_of(i); }), "f.csv"),
      "3 columns without header"));
  CHECK(contains(
      failure(table(30, [](int i) { return std::to_string(i % 5) + "," + sentence(i) + "," + class_of(i); }), "f.csv"),
      "3 columns without header"));
  CHECK(plain("0,my key is gone,lost_key\n1,there is water,water_leak\n", "f.csv",
              {.text_column = "2", .label_column = "3"})
            .size() == 2);
  CHECK(contains(failure("0\tmy key is gone\tlost_key\n1\tthere is water\twater_leak\n", "f.tsv"),
                 "the first text would be the number '0'"));
  CHECK(
      contains(failure("0,my key is gone,lost_key\n1,there is water,water_leak\n", "f.csv", {.header = Header::absent}),
               "the number '0'"));
}

TEST_CASE("unknown names are settled by what the columns hold, with a warning") {
  const auto rows = table(9, [](int i) { return class_of(i) + "," + sentence(i) + ",,"; });
  CHECK(Dataset::parse("v1,v2,,\n" + rows, "spam.csv").classes() == Names{"anger", "fear", "joy"});
  CHECK(contains(warning_of("v1,v2,,\n" + rows, "spam.csv"),
                 "spam.csv:1: by what they hold, column 'v2' is read as text and 'v1' as label"));
  CHECK(contains(failure("Tweet\tAuthor name\tStance\nfoo\tme\tx\nbar\tyou\ty\n", "f.tsv"),
                 "no label column known among 'Tweet'"));
  CHECK(contains(failure("u,v\na,b\n", "f.csv"), "f.csv:1: no text column known among 'u', 'v'; name it"));
}

TEST_CASE("AG News is few small numbers and two texts") {
  const auto news = table(12, [](int i) {
    return "\"" + std::to_string(i % 4 + 1) + "\",\"Title " + std::to_string(i) + "\",\"" + sentence(i) + "\"";
  });
  CHECK(plain(news, "test.csv").size() == 12);
  CHECK(
      plain("\"1\",\"T\",\"A long description here\"\n\"2\",\"T\",\"Another description here\"\n", "test.csv").size() ==
      2);
  CHECK(contains(
      failure("1,Great phone,pos\n5,Bad one indeed,neg\n2,Not so good a phone,neg\n4,Good value for me,pos\n", "f.csv"),
      "3 columns without header"));
  CHECK(contains(failure("101,a,b\n205,c,d\n", "f.csv"), "3 columns without header"));
  CHECK(contains(failure("0\t1545\t3\ta\n1\t2\t10\tb\n2\t3\t4\tc\n", "f.tsv"), "4 columns without header"));
}

TEST_CASE("columns that would make a class of every row are refused or named") {
  const auto numbered = table(30, [](int i) { return sentence(i) + "\t" + std::to_string(i); });
  CHECK(contains(failure(numbered, "f.tsv"),
                 "f.tsv: by column 2, 30 of 30 examples would have a class of their own: it numbers the rows"));
  CHECK(contains(failure(numbered, "f.tsv"), "DatasetOptions::label_column"));
  CHECK(contains(warning_of(numbered, "f.tsv", {.label_column = "2"}), "by column 2, 30 of 30"));
  CHECK(contains(warning_of("text\tlabel\n" + numbered, "f.tsv"), "by column 'label', 30 of 30"));
  const auto texts = table(30, [](int i) { return sentence(i) + "\t" + sentence(i + 100); });
  CHECK(contains(failure(texts, "f.tsv"), "it holds texts"));
  const auto shots = table(30, [](int i) { return sentence(i) + "\tclass_" + std::to_string(i * 7 % 30); });
  CHECK(contains(warning_of(shots, "f.tsv"), "30 of 30 examples"));  // one example of each class is possible
  CHECK(contains(
      warning_of(table(30, [](int i) { return "{\"text\": \"a\", \"label\": " + std::to_string(i) + "}"; }), "f.jsonl"),
      "by key 'label', 30 of 30"));
  CHECK(contains(failure(table(30, [](int i) { return std::to_string(i) + " " + sentence(i); }), "list.txt"),
                 "it numbers the rows"));
  CHECK(plain(numbered, "f.tsv",
              {.classes =
                   [] {
                     Names n;
                     for (int i = 0; i < 30; ++i) n.push_back(std::to_string(i));
                     return n;
                   }()})
            .size() == 30);
}

TEST_CASE("labels have one spelling in all formats") {
  CHECK(plain("text,label\na b,1.0\nc d,2.0\ne f,10.0\n", "f.csv") ==
        plain("{\"text\":\"a b\",\"label\":1.0}\n{\"text\":\"c d\",\"label\":\"2\"}\n{\"text\":\"e f\",\"label\":10}\n",
              "f.jsonl"));
  CHECK(Dataset::parse("text,label\na,10.0\nb,2.0\nc,-1\n", "f.csv").classes() == Names{"-1", "2", "10"});
  CHECK(Dataset::parse("a\t0.5\nb\t10\nc\t2.25\n", "f.tsv").classes() == Names{"0.5", "2.25", "10"});
  CHECK(Dataset::parse("a\tTrue\nb\tFALSE\nc\ttrue\n", "f.tsv").classes() == Names{"false", "true"});
  CHECK(Dataset::parse("a\t1.10\nb\t1.1\n", "f.tsv").classes() == Names{"1.1", "1.10"});
  CHECK(Dataset::parse("a\tspam\nb\t spam \nc\t\xc2\xa0spam\xe3\x80\x80\nd\tham\xef\xbb\xbf\ne\tham\r\n", "f.tsv")
            .classes() == Names{"ham", "spam"});
  CHECK(Dataset::parse("text,label\na,\"spam\r\"\nb,spam\n", "f.csv").classes() == Names{"spam"});
  CHECK(plain("__label__1.0 a\n__label__1 b\n", "f.txt") == Names{"a||1", "b||1"});
  // A model that has another spelling knows what is meant.
  const auto data = Dataset::parse("a\t1\nb\t2.0\n", "f.tsv");
  CHECK(data.with_classes({"1.0", "2.0"}).label(1) == 1);
  CHECK(plain("a\t1.0\nb\tTrue\n", "f.tsv", {.classes = {"True", "1.0"}}) == Names{"a||1.0", "b||True"});
}

TEST_CASE("what tools write for no label is none") {
  for (const char* label : {"nan", "NaN", "<NA>", "#N/A", " ", "\\N"})
    CHECK(failure("text\tlabel\na\tx\nb\t" + std::string(label) + "\n", "f.tsv") == "f.tsv:3: the label is missing");
  CHECK(failure("text\tlabel\na\t1.0\nb\tNone\nc\t0\n", "f.tsv") == "f.tsv:3: the label is missing");
  CHECK(plain("text\tlabel\na\tpositive\nb\tnone\n", "f.tsv") == Names{"a||positive", "b||none"});
  CHECK(plain("text\tlabel\na\t1\nb\tNA\n", "f.tsv", {.labels_required = false}) == Names{"a||1", "b||"});
}

TEST_CASE("quotes are taken off where they were put on, and are text elsewhere") {
  CHECK(plain("text\tlabel\n\"he said \"\"hi\"\" to me\"\ta\nplain\tb\n", "q.tsv") ==
        Names{"he said \"hi\" to me||a", "plain||b"});
  CHECK(plain("text\tlabel\n\"two\nlines\"\ta\nplain\tb\n", "q.tsv") == Names{"two\nlines||a", "plain||b"});
  CHECK(plain("text\tlabel\n\"a\ttab\"\ta\nplain\tb\n", "q.tsv") == Names{"a\ttab||a", "plain||b"});
  CHECK(plain("\"text\"\t\"label\"\n\"all\"\t\"a\"\n\"of them\"\t\"b\"\n", "q.tsv") == Names{"all||a", "of them||b"});
  CHECK(plain("\"texts only\"\t1\n\"of them\"\t0\n", "q.tsv") == Names{"texts only||1", "of them||0"});
  CHECK(plain("text\tlabel\n\"one, two\"\ta\nplain\tb\n", "excel.tsv") == Names{"one, two||a", "plain||b"});
  // A lone quote anywhere: nothing was quoted.
  CHECK(plain("\"Foo\" is \"bar\"\ta\n\"whole\"\tb\nit's 5\" long\ta\n12\" pizza\tb\n", "g.tsv") ==
        Names{"\"Foo\" is \"bar\"||a", "\"whole\"||b", "it's 5\" long||a", "12\" pizza||b"});
  CHECK(plain("\"open\ta\nshut\"\tb\n", "g.tsv") == Names{"\"open||a", "shut\"||b"});
  // Doubtful: kept, and said.
  const std::string doubtful = "text\tlabel\n\"all of it\"\ta\nplain, plain\tb\n";
  CHECK(rows_of(Dataset::parse(doubtful, "q.tsv")).front() == "\"all of it\"||a");
  CHECK(contains(warning_of(doubtful, "q.tsv"),
                 "q.tsv: the quotes around 1 fields are kept as text; DatasetOptions::quotes"));
  CHECK(plain(doubtful, "q.tsv", {.quotes = Quotes::rfc4180}).front() == "all of it||a");
  CHECK(plain(doubtful, "q.tsv", {.quotes = Quotes::none}).front() == "\"all of it\"||a");
  CHECK(plain("text,label\n\"a\",b\n", "f.csv", {.quotes = Quotes::none}) == Names{"\"a\"||b"});
  CHECK(contains(warning_of("text\tlabel\n\"he said \\\"hi\\\"\"\ta\nplain\tb\n", "r.tsv"), "kept as text"));
}

TEST_CASE("separators of csv files") {
  const auto guessed = [](std::string_view text, std::string_view name) {
    CHECK(contains(warning_of(text, name), "between columns"));
    return rows_of(Dataset::parse(text, name));
  };
  const Names two{"foo, bar||x", "baz||y"};
  CHECK(guessed("text;label\nfoo, bar;x\nbaz;y\n", "f.csv") == two);
  CHECK(guessed("text\tlabel\nfoo, bar\tx\nbaz\ty\n", "f.csv") == two);
  CHECK(guessed("text|label\nfoo, bar|x\nbaz|y\n", "f.csv") == two);
  CHECK(plain("sep=;\r\ntext;label\r\nfoo, bar;x\r\nbaz;y\r\n", "f.csv") == two);
  CHECK(guessed("\"text\";\"label\"\n\"foo; bar\";x\nbaz;y\n", "f.csv") == Names{"foo; bar||x", "baz||y"});
  CHECK(plain("text,label\nfoo; bar,x\nbaz,y\n", "f.csv") == Names{"foo; bar||x", "baz||y"});
  CHECK(guessed("text;label\nfoo, bar;x\nbaz;y\n", "-") == two);
  CHECK(failure("text;label\nfoo;x;z\n", "f.csv") == "f.csv:2: 3 columns given, 2 expected");
  CHECK(plain("u;w\nfoo, bar;x\nbaz;y\n", "f.csv", {.text_column = "u", .label_column = "w"}) == two);
}

TEST_CASE("line ends, blank lines and marks of all kinds") {
  const Names two{"a||x", "b||y"};
  CHECK(plain("text,label\ra,x\rb,y\r", "mac.csv") == two);
  CHECK(plain("a\tx\rb\ty", "mac.tsv") == two);
  CHECK(plain("{\"text\":\"a\",\"label\":\"x\"}\r{\"text\":\"b\",\"label\":\"y\"}\r", "mac.jsonl") == two);
  CHECK(plain("a 5\" pipe\tx\rb\ty\r", "mac.tsv") == Names{"a 5\" pipe||x", "b||y"});
  // within quotes a line feed ends no line, nor does a carriage return where line feeds do
  CHECK(plain("text,label\rone,x\r\"two\nlines\",y\r", "mac.csv").size() == 2);
  CHECK(plain("\"one\tx\ntwo\r more\ty\n", "f.tsv").size() == 2);
  CHECK(plain("text,label\r\n\r\na,x\r\n   \r\nb,y\r\n,\r\n", "excel.csv") == two);
  CHECK(plain("\n\na\tx\n\t\n \nb\ty\n\n", "f.tsv") == two);
  CHECK(failure("a\tx\nb\ty\nc\n", "f.tsv") == "f.tsv:3: 1 columns given, 2 expected");
  CHECK(failure("text,label\r\n\r\na,x\r\nb\r\n", "f.csv") == "f.csv:4: 1 columns given, 2 expected");
}

TEST_CASE("columns by number, and names that occur twice") {
  CHECK(plain("id,text,label\n7,a,x\n8,b,y\n", "f.csv", {.text_column = "2", .label_column = "3"}) ==
        Names{"a||x", "b||y"});
  CHECK(plain("id,TEXT,Label\n7,a,x\n8,b,y\n", "f.csv", {.text_column = "text", .label_column = "label"}) ==
        Names{"a||x", "b||y"});
  CHECK(contains(failure("text,label,label\na,x,1\n", "f.csv"), "f.csv:1: several columns 'label'"));
  CHECK(contains(failure("text,label,label\na,x,1\n", "f.csv", {.label_column = "label"}), "give its number"));
  CHECK(plain("text,label,label\na,x,1\n", "f.csv", {.label_column = "2"}) == Names{"a||x"});
}

TEST_CASE("malformed UTF-8 is refused in labels and counted in texts, with the line") {
  CHECK(contains(failure("a\tx\ncaf\xe9\tcaf\xe9\n", "f.tsv"),
                 "f.tsv:2: malformed UTF-8 in the label 'caf\xef\xbf\xbd'; DatasetOptions::encoding"));
  const std::string texts = "ok\tx\nth\x92s\ty\ncaf\xe9\tx\n";
  CHECK(rows_of(Dataset::parse(texts, "f.tsv")) == Names{"ok||x", "th\xef\xbf\xbds||y", "caf\xef\xbf\xbd||x"});
  CHECK(warning_of(texts, "f.tsv") ==
        "f.tsv:2: malformed UTF-8, read as U+FFFD, in 2 of 3 texts, here first; DatasetOptions::encoding reads other "
        "encodings");
  CHECK(contains(warning_of("a\xff\tb\xff\tx\n", "f.tsv"), "in 1 of 1 texts"));
  CHECK(plain("id\xff,text,label\n\xfe,a,x\n", "f.csv") == Names{"a||x"});  // in a column that nobody reads
  CHECK_THROWS_AS(Dataset({{"a", "", 0}}, {"caf\xe9"}), OptionError);
  using namespace std::string_literals;
  CHECK(plain("a\0b\tx\n"s, "f.tsv") == Names{"a\0b||x"s});
}

TEST_CASE("names of columns that come once more, as where files are joined, are skipped with a warning") {
  const Names two{"foo bar||x", "baz||y"};
  for (const std::string separator : {",", "\t"}) {
    const auto name = separator == "," ? "f.csv" : "f.tsv";
    const std::string header = "text" + separator + "label\n", first = "foo bar" + separator + "x\n",
                      second = "baz" + separator + "y\n";
    CHECK(warning_of(header + first + header + second, name) ==
          std::string(name) + ":3: the names of the columns once more, skipped");
    CHECK(rows_of(Dataset::parse(header + first + header + second, name)) == two);
  }
}

TEST_CASE("layouts without header may have one") {
  const std::string rows = "1,Markets rise,Shares rose on all markets today\n2,Team wins,The team won the final game\n";
  CHECK(plain("Class Index,Title,Description\n" + rows, "f.csv", {.format = Format::ag_news}) ==
        Names{"Markets rise Shares rose on all markets today||1", "Team wins The team won the final game||2"});
  CHECK(plain(rows, "f.csv", {.format = Format::ag_news, .header = Header::present}) ==
        Names{"Team wins The team won the final game||2"});
  CHECK(plain("label\tid\trating\ttext\n0\t7\t2\tno good film\n", "f.tsv", {.format = Format::imdb}) ==
        Names{"no good film||0"});
}

TEST_CASE("CoLA's table is known by its columns") {
  CHECK(plain("gj04\t1\t\tOur friends will not buy this.\ngj04\t0\t*\tThey drank the pub.\n", "train.tsv") ==
        Names{"Our friends will not buy this.||1", "They drank the pub.||0"});
}

TEST_CASE("classes that differ in what nobody sees are warned of") {
  const auto warned = [](const std::string& a, const std::string& b) {
    return contains(warning_of("text\tlabel\none two\t" + a + "\nthree four\t" + b + "\n", "f.tsv"),
                    "classes '" + std::min(a, b) + "' and '" + std::max(a, b) + "' differ in case, blanks or forms");
  };
  CHECK(warned("caf\u00e9", "cafe\u0301"));
  CHECK(warned("lost key", "lost\u00a0key"));
  CHECK(warned("lost key", "lost  key"));
  CHECK(warned("KEY", "key"));
  CHECK(warned("\uff4b\uff45\uff59", "key"));
  plain("text\tlabel\none two\tlost key\nthree four\tlostkey\n", "f.tsv");
}

TEST_CASE("sets that are separated otherwise are warned of") {
  const std::string rows = "text\tlabels\none two\ta, b\nthree four\tc\n";
  CHECK(contains(warning_of(rows, "f.tsv", {.label_kind = LabelKind::set}), "no label has '|', 1 of 2 have ','"));
  plain(rows, "f.tsv", {.label_kind = LabelKind::set, .label_separator = ","});
  plain("text\tlabels\none two\ta, b|d\nthree four\tc\n", "f.tsv", {.label_kind = LabelKind::set});
}
