#include "knnbert/text/dataset.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using knnbert_test::contains;
using knnbert_test::message_of;
using knnbert_test::TemporaryFolder;

namespace {

using Names = std::vector<std::string>;

std::vector<label_t> labels_of(const Dataset& data) { return {data.labels().begin(), data.labels().end()}; }
Names texts_of(const Dataset& data) { return {data.texts().begin(), data.texts().end()}; }

/// 10 examples of class a, 20 of b, 70 of c, interleaved; text i is its number.
Dataset hundred() {
  std::vector<Example> examples;
  for (int i = 0; i < 100; ++i) examples.push_back({std::to_string(i), "", i % 10 == 0 ? 0 : i % 10 < 3 ? 1 : 2});
  return {std::move(examples), {"a", "b", "c"}};
}

}  // namespace

TEST_CASE("a dataset of a file knows texts, labels, classes and lines") {
  const TemporaryFolder folder;
  const auto data = Dataset::read(folder.file("train.tsv", "good film\tpos\n\nbad film\tneg\n\tpos\n"));
  CHECK(data.size() == 3);
  CHECK(data.text(0) == "good film");
  CHECK(data.text(2).empty());
  CHECK(data.classes() == Names{"neg", "pos"});
  CHECK(labels_of(data) == std::vector<label_t>{1, 0, 1});
  CHECK(!data.has_pairs());
  CHECK(data.class_counts() == std::vector<index_t>{1, 2});
  CHECK(contains(data.location(1), "train.tsv:3"));
}

TEST_CASE("numeric classes sort as numbers, others by bytes, given ones stay") {
  CHECK(Dataset::parse("a\t10\nb\t9\nc\t-1\n", "f.tsv").classes() == Names{"-1", "9", "10"});
  CHECK(Dataset::parse("a\t10\nb\t9\nc\tx\n", "f.tsv").classes() == Names{"10", "9", "x"});
  CHECK(Dataset::parse("a\tB\nb\ta\n", "f.tsv").classes() == Names{"B", "a"});
  const auto given = Dataset::parse("a\tx\nb\ty\n", "f.tsv", {.classes = {"y", "z", "x"}});
  CHECK(given.classes() == Names{"y", "z", "x"});
  CHECK(labels_of(given) == std::vector<label_t>{2, 0});
  const auto unknown = [] { Dataset::parse("a\tx\nb\tw\n", "f.tsv", {.classes = {"y", "x"}}); };
  CHECK(message_of<FormatError>(unknown) == "f.tsv:2: class 'w' is not among the 2 given");
  CHECK_THROWS_AS(Dataset::parse("a\tx\n", "f.tsv", {.classes = {"x", "x"}}), OptionError);
}

TEST_CASE("a missing label names file and line") {
  CHECK(message_of<FormatError>([] { Dataset::parse("a\tx\nb\t \n", "f.tsv"); }) == "f.tsv:2: the label is missing");
  CHECK_THROWS_AS(Dataset::parse("", "f.tsv"), FormatError);
  CHECK_THROWS_AS(Dataset::parse("sentence\tlabel\n", "f.tsv"), FormatError);
  const auto data = Dataset::parse("a\tx\nb\t\n", "f.tsv", {.labels_required = false});
  CHECK(labels_of(data) == std::vector<label_t>{0, no_label});
  CHECK(Dataset::parse("", "f.tsv", {.labels_required = false}).size() == 0);
}

TEST_CASE("a dataset from memory is checked") {
  CHECK(hundred().size() == 100);
  CHECK(hundred().location(7) == "example 7");
  CHECK(Dataset({{"x", "y"}}, {}).has_pairs());
  CHECK_THROWS_AS(Dataset({{"x", "", 1}}, {"a"}), ShapeError);
  CHECK_THROWS_AS(Dataset({{"x", "", -2}}, {"a"}), ShapeError);
  CHECK_THROWS_AS(Dataset({}, {"a", "a"}), OptionError);
}

TEST_CASE("selection keeps order, classes and places") {
  const auto data = Dataset::parse("a\tx\nb\ty\nc\tz\n", "f.tsv");
  const std::vector<index_t> chosen{2, 0};
  const auto part = data.select(chosen);
  CHECK(texts_of(part) == Names{"c", "a"});
  CHECK(part.classes() == Names{"x", "y", "z"});
  CHECK(part.location(0) == "f.tsv:3");
  const std::vector<index_t> beyond{3};
  CHECK_THROWS_AS(data.select(beyond), ShapeError);
}

TEST_CASE("labels are remapped to another list of classes") {
  const auto data = Dataset::parse("a\tx\nb\ty\n", "f.tsv");
  const auto mapped = data.with_classes({"y", "q", "x"});
  CHECK(labels_of(mapped) == std::vector<label_t>{2, 0});
  CHECK(mapped.classes() == Names{"y", "q", "x"});
  CHECK(message_of<FormatError>([&] { (void)data.with_classes({"x"}); }) ==
        "f.tsv:2: class 'y' is not among the 1 given");
  CHECK(message_of<FormatError>([&] { (void)data.with_classes({"x"}, "the model's"); }) ==
        "f.tsv:2: class 'y' is not among the model's 1");
  CHECK_THROWS_AS(data.with_classes({"x", "y", "x"}), OptionError);
  CHECK(data.select(std::vector<index_t>{0}).with_classes({"x"}).size() == 1);  // y is not used
  CHECK(data.renamed({"World", "Sports"}).classes() == Names{"World", "Sports"});
  CHECK(labels_of(data.renamed({"World", "Sports"})) == labels_of(data));
  CHECK_THROWS_AS(data.renamed({"World"}), ShapeError);
}

TEST_CASE("a split divides every class and loses nothing") {
  const auto data = hundred();
  const auto [first, second] = data.split(0.3, 1);
  CHECK(first.size() == 30);
  CHECK(first.class_counts() == std::vector<index_t>{3, 6, 21});
  CHECK(second.class_counts() == std::vector<index_t>{7, 14, 49});
  std::vector<int> seen(100);
  for (const auto* part : {&first, &second}) {
    int previous = -1;
    for (index_t i = 0; i < part->size(); ++i) {
      const int number = std::stoi(part->text(i));
      CHECK(number > previous);
      previous = number;
      ++seen[static_cast<std::size_t>(number)];
    }
  }
  CHECK(seen == std::vector<int>(100, 1));
  CHECK(texts_of(data.split(0.3, 1).first) == texts_of(first));
  CHECK(texts_of(data.split(0.3, 2).first) != texts_of(first));
  CHECK(data.split(0, 1).first.size() == 0);
  CHECK(data.split(1, 1).second.size() == 0);
  CHECK(data.split(0.155, 1).first.size() == 16);
  CHECK_THROWS_AS(data.split(1.1, 1), OptionError);
  CHECK_THROWS_AS(data.split(std::nan(""), 1), OptionError);
}

TEST_CASE("few shots take as many of each class as there are") {
  const auto shots = hundred().few_shot(15, 3);
  CHECK(shots.class_counts() == std::vector<index_t>{10, 15, 15});
  CHECK(texts_of(shots) == texts_of(hundred().few_shot(15, 3)));
  CHECK(texts_of(shots) != texts_of(hundred().few_shot(15, 4)));
  CHECK(Dataset({{"x", "", no_label}}, {"a"}).few_shot(5, 1).size() == 0);
  CHECK_THROWS_AS(hundred().few_shot(-1, 1), OptionError);
}

TEST_CASE("duplicates of another dataset are dropped, pairs compared as pairs") {
  const auto data = Dataset::parse("a\tb\t0\na\tc\t1\nab\t\t0\n", "f.tsv");
  const auto other = Dataset::parse("a\tc\t0\n\tab\t1\n", "g.tsv");
  CHECK(texts_of(data.drop_duplicates_of(other)) == Names{"a", "ab"});
  CHECK(data.drop_duplicates_of(data).size() == 0);
}
