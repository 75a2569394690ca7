#include "knnbert/io/directory.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

void put(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

void write_one(const std::filesystem::path& target, const std::string& name, const std::string& content) {
  write_directory_atomically(target, [&](const std::filesystem::path& folder) { put(folder / name, content); });
}

struct Stopped {};

}  // namespace

TEST_CASE("directory: appears as a whole, with its parents; entries that the new one lacks are kept") {
  const TemporaryFolder folder;
  write_one(folder / "a" / "b" / "model", "one", "1");
  CHECK(slurp(folder / "a" / "b" / "model" / "one") == "1");
  put(folder / "a" / "b" / "model" / "mine" / "deep", "kept");
  write_one(folder / "a" / "b" / "model", "two", "2");
  write_one(folder / "a" / "b" / "model", "one", "3");
  CHECK(slurp(folder / "a" / "b" / "model" / "one") == "3");
  CHECK(slurp(folder / "a" / "b" / "model" / "two") == "2");
  CHECK(slurp(folder / "a" / "b" / "model" / "mine" / "deep") == "kept");
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "a" / "b"), {}) == 1);
}

TEST_CASE("directory: a failure while writing leaves the old folder, and nothing beside it") {
  const TemporaryFolder folder;
  write_one(folder / "model", "one", "1");
  const auto fail = [](const std::filesystem::path& fresh) {
    put(fresh / "one", "half");
    throw Stopped{};
  };
  CHECK_THROWS_AS(write_directory_atomically(folder / "model", fail), Stopped);
  CHECK_THROWS_AS(write_directory_atomically(folder / "never", fail), Stopped);
  CHECK(slurp(folder / "model" / "one") == "1");
  CHECK(folder.count() == 1);
}

TEST_CASE("directory: the old folder is complete until the very end") {
  const TemporaryFolder folder;
  write_one(folder / "model", "one", "1");
  write_directory_atomically(folder / "model", [&](const std::filesystem::path& fresh) {
    put(fresh / "one", "2");
    CHECK(slurp(folder / "model" / "one") == "1");
  });
  CHECK(slurp(folder / "model" / "one") == "2");
}

TEST_CASE("directory: a process that died between two renamings costs nothing") {
  const TemporaryFolder folder;
  const auto dies_after = [&](bool old_moved, bool new_moved) {
    std::filesystem::remove_all(folder / "model");
    put(folder / (old_moved ? "model.knnbert-old" : "model") / "one", "old");
    put(folder / (old_moved ? "model.knnbert-old" : "model") / "mine", "kept");
    put(folder / (new_moved ? "model" : "model.knnbert-new") / "one", "new");
  };
  for (const bool new_moved : {false, true}) {
    dies_after(true, new_moved);
    // The next writer fails as well: then what the first one left is put in order, and no more.
    CHECK_THROWS_AS(write_directory_atomically(folder / "model", [](const auto&) { throw Stopped{}; }), Stopped);
    CHECK(slurp(folder / "model" / "one") == (new_moved ? "new" : "old"));
    CHECK(slurp(folder / "model" / "mine") == "kept");
    CHECK(folder.count() == 1);
    dies_after(true, new_moved);
    write_one(folder / "model", "one", "third");
    CHECK(slurp(folder / "model" / "one") == "third");
    CHECK(slurp(folder / "model" / "mine") == "kept");
    CHECK(folder.count() == 1);
  }
  dies_after(false, false);
  write_one(folder / "model", "one", "third");
  CHECK(slurp(folder / "model" / "one") == "third");
  CHECK(folder.count() == 1);
}

TEST_CASE("directory: folders of similar names belong to somebody else") {
  const TemporaryFolder folder;
  for (const std::string ending : {".old", ".new", "~", ".bak"}) put(folder / ("model" + ending) / "precious", "mine");
  write_one(folder / "model", "one", "1");
  write_one(folder / "model", "one", "2");
  for (const std::string ending : {".old", ".new", "~", ".bak"}) CHECK(slurp(folder / ("model" + ending) / "precious") == "mine");
}

TEST_CASE("directory: trailing slashes, relative paths and links name the same folder") {
  const TemporaryFolder folder;
  write_one(folder / "model", "one", "1");
  write_one((folder / "model").string() + "/", "one", "2");
  CHECK(slurp(folder / "model" / "one") == "2");
  write_one(folder / "model" / ".." / "model" / ".", "one", "3");
  CHECK(slurp(folder / "model" / "one") == "3");
  std::filesystem::create_directory_symlink(folder / "model", folder / "link");
  write_one(folder / "link", "one", "4");
  CHECK(slurp(folder / "model" / "one") == "4");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  write_one((folder / "fresh").string() + "/", "one", "5");
  CHECK(slurp(folder / "fresh" / "one") == "5");
  CHECK(folder.count() == 3);
}

TEST_CASE("directory: a file in the way is an error and stays") {
  const TemporaryFolder folder;
  const auto file = folder.file("file", "precious");
  CHECK_THROWS_AS(write_one(file, "one", "1"), IoError);
  CHECK_THROWS_AS(write_one(file / "below", "one", "1"), IoError);
  CHECK(slurp(file) == "precious");
  CHECK(folder.count() == 1);
}
