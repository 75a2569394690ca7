#include <unistd.h>

#include "catch.hpp"
#include "knnbert/datastore/flat.hpp"
#include "knnbert/testing/datastore_laws.hpp"

using namespace knnbert;
using knnbert::testing::random_rows;
using Labels = std::vector<label_t>;

static_assert(Datastore<FlatDatastore<Cosine, AnyPrecision>>);

TEST_CASE("a datastore with keys in bf16 keeps the laws", "[datastore]") {
  CHECK(testing::datastore_laws([] {
          FlatDatastore<Cosine, AnyPrecision> store(9);
          store.lower();
          return store;
        }) == testing::BrokenLaws{});
}

TEST_CASE("keys in bf16 find the same neighbors with the same scores", "[datastore]") {
  const auto check = []<class M>(M metric, index_t width, const Matrix& keys) {
    FlatDatastore<M> plain(width, metric);
    FlatDatastore<M, AnyPrecision> lowered(width, metric);
    const Labels labels(static_cast<std::size_t>(keys.rows()));
    plain.add(keys, labels);
    lowered.add(ConstView(keys).row_range(0, 1000), std::span(labels).first(1000));
    lowered.lower();
    lowered.add(ConstView(keys).row_range(1000, keys.rows() - 1000), std::span(labels).subspan(1000));
    CHECK(lowered.lowered());
    for (const index_t batch : {1, 3, 6, 7, 33}) {
      CAPTURE(width, batch);
      const Matrix queries = random_rows(batch, width, 43);
      const auto even = [](example_id id, label_t) { return id % 2 == 0; };
      CHECK(lowered.search(queries, 10) == plain.search(queries, 10));
      CHECK(lowered.search(queries, 10, even, Workers(2)) == plain.search(queries, 10, even));
      CHECK(lowered.search(queries, keys.rows() + 5) == plain.search(queries, keys.rows() + 5));
    }
  };
  for (const index_t width : {3, 32, 50, 384}) {
    Matrix keys = random_rows(2500, width, 44);
    check(Cosine(), width, keys);
    for (index_t i = 0; i < keys.rows(); i += 7)
      for (float& x : keys.row(i)) x *= static_cast<float>(i);
    check(Dot(), width, keys);
    const Matrix noise = random_rows(2500, width, 45);  // differences that bf16 cannot tell
    for (index_t i = 0; i < keys.rows(); ++i)
      for (index_t c = 0; c < width; ++c)
        keys(i, c) = ConstView(noise).row(c % 2)[static_cast<std::size_t>(c)] + 1e-4f * noise(i, c);
    check(Cosine(), width, keys);
  }
}

TEST_CASE("keys in bf16 follow removals, copies and overflowing scores", "[datastore]") {
  FlatDatastore<Dot> plain(16);
  FlatDatastore<Dot, AnyPrecision> lowered(16);
  lowered.lower();
  Matrix keys = random_rows(3000, 16, 46);
  for (const index_t row : {5, 900, 2999})
    for (float& x : keys.row(row)) x *= 1e38f;
  const Matrix queries = random_rows(8, 16, 47);
  const auto fill = [&](auto& store) {
    auto ids = store.add(keys, Labels(3000));
    store.remove(std::span(ids).subspan(100, 1700));
    store.compact();
  };
  fill(plain), fill(lowered);
  const FlatDatastore<Dot, AnyPrecision> copied = lowered;
  CHECK(copied.lowered());
  CHECK(lowered.search(queries, 20) == plain.search(queries, 20));
  CHECK(copied.search(queries, 20) == plain.search(queries, 20));
  const auto file =
      std::filesystem::temp_directory_path() / ("knnbert-lowered-" + std::to_string(::getpid()) + ".safetensors");
  lowered.save(file, "print", {});
  CHECK(FlatDatastore<Dot>::load(file, "print").search(queries, 20) == plain.search(queries, 20));
  std::filesystem::remove(file);
  lowered.clear();
  CHECK(lowered.lowered());
  CHECK(lowered.size() == 0);
}
