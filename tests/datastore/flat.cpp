#include "knnbert/datastore/flat.hpp"

#include <unistd.h>

#include <fstream>
#include <thread>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/safetensors_writer.hpp"
#include "knnbert/metric/euclidean.hpp"
#include "knnbert/metric/pairwise.hpp"
#include "knnbert/testing/datastore_laws.hpp"

using namespace knnbert;
using knnbert::testing::random_rows;
using Labels = std::vector<label_t>;
using Texts = std::vector<std::string>;

static_assert(Datastore<FlatDatastore<>> && Datastore<FlatDatastore<Euclidean>>);

namespace {

struct Manhattan {
  float operator()(std::span<const float> a, std::span<const float> b) const {
    float total = 0;
    for (std::size_t i = 0; i < a.size(); ++i) total -= std::abs(a[i] - b[i]);
    return total;
  }
};

struct Scratch {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("knnbert-datastore-" + std::to_string(::getpid()));
  Scratch() { std::filesystem::create_directories(folder); }
  ~Scratch() { std::filesystem::remove_all(folder); }
};

struct Forgetful : FlatDatastore<> {
  using FlatDatastore::FlatDatastore;
  index_t remove(std::span<const example_id>) { return 0; }
};

std::vector<example_id> ids_of(std::span<const Neighbor> list) {
  std::vector<example_id> ids;
  for (const Neighbor& n : list) ids.push_back(n.id);
  return ids;
}

}  // namespace

TEST_CASE("datastores keep their laws", "[datastore]") {
  const index_t width = GENERATE(3, 32);
  CHECK(testing::datastore_laws([&] { return FlatDatastore<>(width); }) == testing::BrokenLaws{});
  CHECK(testing::datastore_laws([&] { return FlatDatastore<Dot>(width); }) == testing::BrokenLaws{});
  CHECK(testing::datastore_laws([&] { return FlatDatastore<Euclidean>(width); }) == testing::BrokenLaws{});
  CHECK(testing::datastore_laws([&] { return FlatDatastore<Pairwise<Manhattan>>(width); }) == testing::BrokenLaws{});
}

TEST_CASE("the datastore laws can be broken", "[datastore]") {
  CHECK_FALSE(testing::datastore_laws([] { return Forgetful(4); }).empty());
}

TEST_CASE("equal scores are listed by id", "[datastore]") {
  FlatDatastore<Dot> store(1);
  Matrix keys(6, 1), query(1, 1);
  keys(2, 0) = keys(4, 0) = 2, keys(0, 0) = 1;
  store.add(keys, Labels(6, 0));
  query(0, 0) = 1;
  CHECK(ids_of(store.search(query, 6)[0]) == std::vector<example_id>{2, 4, 0, 1, 3, 5});
  CHECK(ids_of(store.search(query, 4)[0]) == std::vector<example_id>{2, 4, 0, 1});
  CHECK(store.search(query, 0)[0].empty());
  CHECK(store.text(2).empty());
}

TEST_CASE("zero vectors have similarity 0 to everything", "[datastore]") {
  FlatDatastore<> store(4);
  Matrix keys = random_rows(3, 4, 1), queries(1, 4);
  for (float& x : keys.row(1)) x = 0;
  store.add(keys, Labels{0, 1, 2});
  for (const Neighbor& n : store.search(queries, 3)[0]) CHECK(n.score == 0.0f);
  for (const Neighbor& n : store.search(keys, 3)[0])
    if (n.id == 1) CHECK(n.score == 0.0f);
}

TEST_CASE("filters choose by class, id and query", "[datastore]") {
  FlatDatastore<> store(8);
  const Matrix keys = random_rows(40, 8, 1);
  Labels labels;
  for (index_t i = 0; i < 40; ++i) labels.push_back(static_cast<label_t>(i % 4));
  store.add(keys, labels);
  const auto some = store.search(keys, 40, NeighborFilter{.classes = {1, 3}, .excluded = {5}});
  CHECK(some[0].size() == 19);
  for (const Neighbor& n : some[0]) CHECK((n.label % 2 == 1 && n.id != 5));
  const auto others = store.search(keys, 1, [](index_t query, example_id id, label_t) { return id != query; });
  for (index_t q = 0; q < 40; ++q) CHECK((others[q].size() == 1 && others[q][0].id != q));
  CHECK(store.search(keys, 3, [](example_id, label_t) { return false; })[7].empty());
}

TEST_CASE("a search is the same for any number of workers", "[datastore]") {
  FlatDatastore<> store(16);
  store.add(random_rows(9000, 16, 1), Labels(9000, 0));
  store.remove(std::vector<example_id>{1, 2, 8999});
  for (const index_t batch : {1, 50}) {
    const Matrix queries = random_rows(batch, 16, 2);
    CHECK(store.search(queries, 20) == store.search(queries, 20, AcceptAll{}, Workers(3)));
  }
}

TEST_CASE("queries that are prepared find what the others find", "[datastore]") {
  FlatDatastore<> store(24);
  store.add(random_rows(300, 24, 11), Labels(300, 0));
  const Matrix queries = random_rows(9, 24, 12);
  Matrix prepared = queries;
  store.metric().prepare(prepared);
  CHECK(store.snapshot()->search_prepared(prepared, 7) == store.search(queries, 7));
  CHECK_THROWS_AS(store.snapshot()->search_prepared(random_rows(2, 23, 1), 3), ShapeError);
  CHECK_THROWS_AS(store.snapshot()->search_prepared(prepared, -1), OptionError);
}

TEST_CASE("neighbors and scores of a query do not depend on the batch", "[datastore]") {
  const index_t width = GENERATE(3, 70), batch = 2500 / width;
  FlatDatastore<> store(width);
  store.add(random_rows(3001, width, 1), Labels(3001, 0));
  const Matrix queries = random_rows(batch, width, 2);
  const auto all = store.search(queries, 10);
  for (index_t q = 0; q < batch; ++q) {
    const auto one = store.search(ConstView(queries).row_range(q, 1), 10);
    REQUIRE(std::equal(one[0].begin(), one[0].end(), all[q].begin(), all[q].end()));
  }
}

TEST_CASE("scores that overflow are ranked, not lost", "[datastore]") {
  FlatDatastore<Dot> store(5);
  Matrix keys(40, 5), query(1, 5);
  for (index_t i = 0; i < 40; ++i) keys(i, 0) = static_cast<float>(i);
  keys(7, 0) = 3e38f, keys(9, 0) = -3e38f;
  keys(8, 0) = 3e38f, keys(8, 1) = -3e38f;  // inf - inf
  for (float& x : query.row(0)) x = 10;
  const auto all = store.search(query, 40)[0];
  CHECK(all.empty());
  store.add(keys, Labels(40, 0));
  CHECK(ids_of(store.search(query, 2)[0]) == std::vector<example_id>{7, 39});
  const auto list = ids_of(store.search(query, 40)[0]);
  REQUIRE(list.size() == 40);
  CHECK((list[38] == 9 && list[39] == 8));
}

TEST_CASE("a snapshot stays as it was", "[datastore]") {
  FlatDatastore<> store(5);
  const Matrix keys = random_rows(10, 5, 1);
  store.add(keys, Labels(10, 0), Texts(10, "old"));
  const auto before = store.snapshot();
  const auto found = before->search(keys, 10);
  store.remove(std::vector<example_id>{3, 4});
  store.add(keys, Labels(10, 1), Texts(10, "new"));
  CHECK(before->size() == 10);
  CHECK(before->search(keys, 10) == found);
  CHECK(before->text(3) == "old");
  CHECK(store.size() == 18);
  CHECK_FALSE(store.contains(3));
  CHECK_THROWS_AS(store.text(3), OptionError);
  CHECK(store.label(12) == 1);
  store.clear();
  CHECK(store.size() == 0);
  CHECK(before->search(keys, 10) == found);
}

TEST_CASE("copies share keys and part ways", "[datastore]") {
  FlatDatastore<Dot> one(1);
  Matrix key(1, 1), query(1, 1);
  query(0, 0) = 1;
  one.add(key, Labels{0}, Texts{"common"});
  FlatDatastore<Dot> two = one;
  key(0, 0) = 1;
  one.add(key, Labels{1}, Texts{"one"});
  key(0, 0) = 2;
  two.add(key, Labels{2}, Texts{"two"});
  two.add(key, Labels{2}, Texts{"two again"});
  CHECK((one.text(1) == "one" && one.search(query, 1)[0][0].score == 1.0f));
  CHECK((two.text(1) == "two" && two.search(query, 1)[0][0].score == 2.0f));
  CHECK(two.text(2) == "two again");
  one = two;
  CHECK((one.size() == 3 && one.text(1) == "two"));
}

TEST_CASE("removal drops memory and keeps ids", "[datastore]") {
  FlatDatastore<> store(3);
  const Matrix keys = random_rows(1000, 3, 1);
  Texts texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(std::to_string(i));
  const auto ids = store.add(keys, Labels(1000, 0), texts);
  for (std::size_t i = 0; i < 1000; i += 100) CHECK(store.remove(std::span(ids).subspan(i, 97)) == 97);
  CHECK(store.size() == 30);
  CHECK(store.ids().size() == 30);
  for (const example_id id : store.ids()) CHECK(store.text(id) == std::to_string(id));
  const auto list = store.search(ConstView(keys).row_range(97, 1), 30);
  CHECK((list[0].size() == 30 && list[0][0].id == 97));
  store.remove(std::vector<example_id>{97});
  store.compact();
  CHECK((store.size() == 29 && !store.contains(97) && store.contains(98)));
  CHECK(store.add(ConstView(keys).row_range(0, 1), Labels{0}).at(0) == 1000);
}

TEST_CASE("the datastore refuses what does not fit and stays as it was", "[datastore]") {
  FlatDatastore<> store(3);
  store.add(random_rows(2, 3, 1), Labels{0, 1});
  CHECK_THROWS_AS(store.add(Matrix(1, 3), Labels{}), ShapeError);
  CHECK_THROWS_AS(store.add(Matrix(1, 4), Labels{0}), ShapeError);
  CHECK_THROWS_AS(store.add(Matrix(1, 3), Labels{-1}), ShapeError);
  CHECK_THROWS_AS(store.add(Matrix(1, 3), Labels{0}, Texts(2)), ShapeError);
  CHECK_THROWS_AS(store.search(Matrix(1, 2), 1), ShapeError);
  CHECK_THROWS_AS(store.search(Matrix(1, 3), -1), OptionError);
  Matrix bad(1, 3);
  bad(0, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(store.search(bad, 1), NonFiniteError);
  CHECK_THROWS_AS(FlatDatastore<>(0), OptionError);
  CHECK(store.size() == 2);
}

TEST_CASE("a datastore survives the disk bit for bit", "[datastore]") {
  const Scratch scratch;
  const auto path = scratch.folder / "datastore.safetensors";
  const Texts classes{"cat", "d\"og", "鳥"};
  FlatDatastore<> store(7);
  const Matrix keys = random_rows(5000, 7, 1), queries = random_rows(9, 7, 2);
  Labels labels;
  Texts texts;
  for (index_t i = 0; i < 5000; ++i)
    labels.push_back(static_cast<label_t>(i % 3)), texts.push_back(i % 5 ? "täxt " + std::to_string(i) : "");
  store.add(keys, labels, texts);
  store.remove(std::vector<example_id>{0, 77, 4999});
  store.save(path, "encoder-1", classes);
  auto loaded = FlatDatastore<>::load(path, "encoder-1", classes);
  CHECK(loaded.size() == store.size());
  CHECK(loaded.search(queries, 50) == store.search(queries, 50));
  CHECK(loaded.ids() == store.ids());
  CHECK(loaded.text(76) == "täxt 76");
  CHECK(loaded.add(ConstView(keys).row_range(0, 1), Labels{0}).at(0) == 5000);  // 4999 was removed, but once given
  CHECK_NOTHROW(FlatDatastore<>::load(path, "encoder-1"));
  CHECK_THROWS_AS(FlatDatastore<>::load(path, "encoder-2"), FormatError);
  CHECK_THROWS_AS(FlatDatastore<>::load(path, "encoder-1", Texts{"cat", "dog"}), FormatError);
  CHECK_THROWS_AS(FlatDatastore<Euclidean>::load(path, "encoder-1"), FormatError);
  CHECK_THROWS_AS(FlatDatastore<>::load(scratch.folder / "none", "encoder-1"), IoError);
  FlatDatastore<> empty(7);
  empty.save(path, "encoder-1", classes);
  CHECK(FlatDatastore<>::load(path, "encoder-1", classes).size() == 0);
}

TEST_CASE("a datastore file of which any byte changed is refused, or means the same", "[datastore]") {
  const Scratch scratch;
  const auto path = scratch.folder / "datastore.safetensors";
  FlatDatastore<> store(3);
  store.add(random_rows(4, 3, 1), Labels{0, 1, 0, 1}, Texts{"one", "", "three", "four"});
  store.remove(std::vector<example_id>{1});
  store.save(path, "encoder-1", Texts{"cat", "dog"});
  const std::string whole = knnbert_test::slurp(path);
  const Matrix queries = random_rows(2, 3, 2);
  const auto found = store.search(queries, 3);
  index_t same = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    std::ofstream(path, std::ios::binary) << changed;
    try {
      const auto loaded = FlatDatastore<>::load(path, "encoder-1", Texts{"cat", "dog"});
      CHECK(loaded.search(queries, 3) == found);
      CHECK(loaded.ids() == store.ids());
      CHECK(loaded.text(2) == "three");
      ++same;
    } catch (const FormatError&) {}
  }
  INFO(same << " of " << whole.size());
  CHECK(same < 20);  // the checksum's own name, blanks of the header
}

TEST_CASE("damaged datastore files are refused", "[datastore]") {
  const Scratch scratch;
  const auto path = scratch.folder / "bad.safetensors";
  std::vector<float> keys{1, 0, 0, 1};
  std::vector<std::int64_t> labels{0, 1}, ids{3, 8}, offsets{0, 1, 3};
  std::vector<std::uint8_t> text{'a', 'b', 'c'};
  std::string next_id = "9", schema = "knnbert-datastore-1";
  const auto write = [&] {
    SafeTensorsWriter writer;
    writer.metadata("schema", schema)
        .metadata("metric", "cosine")
        .metadata("fingerprint", "f")
        .metadata("classes", "[]")
        .metadata("next_id", next_id);
    writer.add("keys", {2, 2}, std::span<const float>(keys));
    writer.add("labels", {std::ssize(labels)}, std::span<const std::int64_t>(labels));
    writer.add("ids", {2}, std::span<const std::int64_t>(ids));
    writer.add("text", {3}, std::span<const std::uint8_t>(text));
    writer.add("text_offsets", {3}, std::span<const std::int64_t>(offsets));
    writer.write(path);
  };
  const auto spoil = [&](auto& place, auto value) {
    const auto old = place;
    place = value;
    write();
    CHECK_THROWS_AS(FlatDatastore<>::load(path, "f"), FormatError);
    place = old;
  };
  write();
  CHECK(FlatDatastore<>::load(path, "f").text(8) == "bc");
  spoil(keys[1], std::numeric_limits<float>::quiet_NaN());
  spoil(labels[0], std::int64_t{-1});
  spoil(labels[1], std::int64_t{1} << 40);
  spoil(labels, std::vector<std::int64_t>{0});
  spoil(ids[1], std::int64_t{3});
  spoil(ids[1], std::int64_t{9});
  spoil(ids[0], std::int64_t{-1});
  spoil(offsets[0], std::int64_t{1});
  spoil(offsets[2], std::int64_t{2});
  spoil(offsets, std::vector<std::int64_t>{0, 0, 0});
  spoil(offsets[2], std::int64_t{4});
  spoil(offsets[1], std::int64_t{-1});
  spoil(offsets[1], std::int64_t{1} << 62);
  spoil(next_id, std::string("x"));
  spoil(next_id, std::string(""));
  spoil(next_id, std::string("9223372036854775807"));
  spoil(schema, std::string("another"));
}

TEST_CASE("readers and a writer work at the same time", "[datastore][thread]") {
  FlatDatastore<> store(6);
  const Matrix keys = random_rows(64, 6, 1);
  store.add(keys, Labels(64, 0), Texts(64, "first"));
  std::atomic<bool> done{false};
  std::atomic<int> broken{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r)
    readers.emplace_back([&] {
      while (!done) {
        const auto view = store.snapshot();
        const auto lists = view->search(ConstView(keys).row_range(0, 4), 10);
        for (index_t q = 0; q < 4; ++q) {
          broken += !testing::detail::sorted_by_score_then_id(lists[q]);
          for (const Neighbor& n : lists[q]) broken += view->text(n.id).empty() || view->label(n.id) != n.label;
        }
        broken += store.size() < 64 / 2;
      }
    });
  std::vector<example_id> added;
  for (int round = 0; round < 200; ++round) {
    const auto ids = store.add(ConstView(keys).row_range(round % 60, 3), Labels(3, 1), Texts(3, "more"));
    added.insert(added.end(), ids.begin(), ids.end());
    if (round % 3 == 2) {
      store.remove(std::span(added).first(added.size() / 2));
      added.erase(added.begin(), added.begin() + std::ssize(added) / 2);
    }
  }
  done = true;
  for (auto& reader : readers) reader.join();
  CHECK(broken == 0);
  CHECK(store.size() == 64 + std::ssize(added));
}
