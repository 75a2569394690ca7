#include "catch.hpp"
#include "knnbert/io/gzip.hpp"
#include "knnbert/text/dataset.hpp"

using namespace knnbert;

namespace {

/// Reads a public data set below KNNBERT_SHARED_DATA, or nothing with a warning.
std::optional<Dataset> shared(const char* name, DatasetOptions options = {}) {
  const auto folder = knnbert_test::folder("KNNBERT_SHARED_DATA");
  if (!folder || !std::filesystem::exists(*folder / name)) {
    WARN("skipped: no " << name << " below KNNBERT_SHARED_DATA");
    return std::nullopt;
  }
  options.decompress = decompress;
  return Dataset::read(*folder / name, options);
}

void check(const char* name, index_t rows, std::vector<index_t> counts, const DatasetOptions& options = {}) {
  const auto data = shared(name, options);
  if (!data) return;
  INFO(name);
  CHECK(data->size() == rows);
  CHECK(data->class_counts() == counts);
}

void check_classes(const char* name, index_t rows, index_t classes, const DatasetOptions& options = {}) {
  const auto data = shared(name, options);
  if (!data) return;
  INFO(name);
  CHECK(data->size() == rows);
  CHECK(std::ssize(data->classes()) == classes);
}

const DatasetOptions latin1{.encoding = Encoding::latin1};

}  // namespace

TEST_CASE("SST: phrases and sentences") {
  check("sst2/train.tsv.gz", 67349, {29780, 37569});
  check("sst2/dev.tsv", 872, {428, 444});
  check("sst_sentence/stsa.binary.train.gz", 6920, {3310, 3610});
  check("sst_sentence/stsa.binary.dev", 872, {428, 444});
  check_classes("sst_sentence/stsa.fine.train.gz", 8544, 5);
  check_classes("sst_sentence/stsa.fine.dev", 1101, 5);
}

TEST_CASE("MR and TREC in ISO-8859-1") {
  check("mr/rt-polarity.all.gz", 10662, {5331, 5331}, latin1);
  check("trec6/TREC.train.all", 5452, {1162, 1250, 86, 1223, 835, 896}, latin1);
  check_classes("trec6/TREC.test.all", 500, 6, latin1);
  if (const auto data = shared("trec6/TREC.train.all", latin1)) {
    for (const auto& text : data->texts()) CHECK(find_invalid_utf8(text) < 0);
    CHECK(data->text(0) == "How did serfdom develop in and then leave Russia ?");
  }
}

TEST_CASE("AG News") {
  check("ag_news/train_10k.tsv.gz", 10001, {2496, 2538, 2458, 2509});
  check("ag_news/test.csv.gz", 7600, {1900, 1900, 1900, 1900});
  const auto train = shared("ag_news/train_10k.tsv.gz");
  const auto test = shared("ag_news/test.csv.gz");
  const auto descriptions = shared("ag_news/test.csv.gz", {.text_column = "3", .label_column = "1"});
  if (!train || !test || !descriptions) return;
  CHECK(train->classes() == std::vector<std::string>{"Business", "Sci/Tech", "Sports", "World"});
  CHECK(test->text(0).starts_with("Fears for T N pension after talks Unions representing workers"));
  CHECK(train->drop_duplicates_of(*descriptions).size() == 10001 - 10);
  const auto named = test->renamed({"World", "Sports", "Business", "Sci/Tech"}).with_classes(train->classes());
  CHECK(named.classes()[static_cast<std::size_t>(named.label(0))] == "Business");
}

TEST_CASE("IMDB") {
  check_classes("imdb/train_5000.tsv.gz", 5000, 2);
  check_classes("imdb/test_2000.tsv.gz", 2000, 2);
}

TEST_CASE("Banking77 and CLINC150") {
  check_classes("banking77/train.csv", 10003, 77);
  check("banking77/test.csv", 3080, std::vector<index_t>(77, 40));
  check("clinc150/data_full.json.gz", 15000, std::vector<index_t>(150, 100));
  check("clinc150/data_full.json.gz", 3000, std::vector<index_t>(150, 20), {.split = "val"});
  check("clinc150/data_full.json.gz", 4500, std::vector<index_t>(150, 30), {.split = "test"});
  check("clinc150/data_full.json.gz", 100, {100}, {.split = "oos_train"});
  check("clinc150/data_full.json.gz", 100, {100}, {.split = "oos_val"});
  check("clinc150/data_full.json.gz", 1000, {1000}, {.split = "oos_test"});
  check_classes("clinc150/data_full.json.gz", 5500, 151, {.split = "test+oos_test"});
}

TEST_CASE("RTE and MRPC are pairs") {
  check("rte/train.tsv", 2490, {1249, 1241});
  check("rte/dev.tsv", 277, {146, 131});
  check("mrpc/train.tsv", 3668, {1194, 2474});
  check("mrpc/dev.tsv", 408, {129, 279});
  if (const auto data = shared("mrpc/dev.tsv")) {
    CHECK(data->has_pairs());
    CHECK(data->pair(0) == "\" The foodservice pie business does not fit our long-term growth strategy .");
    for (const auto& pair : data->pairs()) CHECK(!pair.empty());
  }
}

TEST_CASE("Chinese sets") {
  check("chnsenticorp/train.tsv.gz", 9600, {4801, 4799});
  check("chnsenticorp/dev.tsv", 1200, {607, 593});
  check_classes("tnews/train.tsv.gz", 53360, 15);
  check_classes("tnews/dev.tsv.gz", 10000, 15);
  check("online_shopping/online_shopping_10_cats.zip", 62774, {31046, 31728});
  check_classes("online_shopping/online_shopping_10_cats.zip", 62774, 10, {.label_column = "cat"});
  const auto train = shared("chnsenticorp/train.tsv.gz");
  const auto dev = shared("chnsenticorp/dev.tsv");
  if (train && dev) CHECK(dev->drop_duplicates_of(*train).size() == 1200 - 338);
}
