#include "knnbert/io/archive.hpp"

#include <fstream>

#include "catch.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

/// State of every kind, as objects name it.
struct State {
  std::int64_t count = -5;
  std::vector<std::int64_t> numbers{1, -2, std::int64_t{1} << 60};
  std::vector<float> floats{0.5f, -0.0f, 1e-40f};
  std::vector<float> fixed{1, 2, 3};

  template <class Archive>
  void archive(Archive& ar) {
    ar("count", count), ar("numbers", numbers), ar("floats", floats), ar("fixed", std::span<float>(fixed));
  }
  bool operator==(const State&) const = default;
};

}  // namespace

TEST_CASE("archive: what is written comes back, also under two scopes") {
  const TemporaryFolder folder;
  State a, b;
  b.count = 7;
  b.numbers.clear();
  b.floats.assign(1000, 3.25f);
  StateWriter writer;
  a.archive(writer);
  auto inner = writer.scope("part");
  auto deeper = inner.scope("of");
  b.archive(deeper);
  writer.write(folder / "state");

  State c, d;
  c.count = d.count = 0;
  c.numbers = {9}, c.floats = {}, c.fixed = {0, 0, 0};
  StateReader reader(folder / "state");
  c.archive(reader);
  auto same_scope = reader.scope("part").scope("of");
  d.archive(same_scope);
  CHECK(c == a);
  CHECK(std::signbit(c.floats[1]));
  CHECK(d == b);
}

TEST_CASE("archive: a value that changed on the disk is noticed") {
  const TemporaryFolder folder;
  State a;
  StateWriter writer;
  a.archive(writer);
  writer.write(folder / "state");
  std::string bytes = slurp(folder / "state");
  bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 4);
  std::ofstream(folder / "state", std::ios::binary) << bytes;
  CHECK_THROWS_AS(StateReader(folder / "state"), FormatError);
}

TEST_CASE("archive: values added by copy may change before the file is written") {
  const TemporaryFolder folder;
  StateWriter writer;
  {
    std::vector<float> gone{1, 2};
    std::vector<std::int64_t> too{3};
    writer("floats", gone);
    writer("numbers", too);
    gone[0] = 9, too[0] = 9;
  }
  writer.write(folder / "state");
  StateReader reader(folder / "state");
  std::vector<float> floats;
  std::vector<std::int64_t> numbers;
  reader("floats", floats), reader("numbers", numbers);
  CHECK(floats == std::vector<float>{1, 2});
  CHECK(numbers == std::vector<std::int64_t>{3});
}

TEST_CASE("archive: missing values, other sizes, other types, a name used twice") {
  const TemporaryFolder folder;
  State a;
  StateWriter writer;
  a.archive(writer);
  CHECK_THROWS_AS(writer("count", a.count), OptionError);
  writer.write(folder / "state");
  StateReader reader(folder / "state");
  CHECK(contains(message_of<FormatError>([&] { reader("nothing", a.count); }), "nothing"));
  CHECK(contains(message_of<FormatError>([&] { reader("numbers", a.count); }), "numbers: 3 numbers given, 1 expected"));
  std::vector<float> two(2);
  CHECK(contains(message_of<FormatError>([&] { reader("fixed", std::span<float>(two)); }),
                 "fixed: 3 numbers given, 2 expected"));
  CHECK_THROWS_AS(reader("floats", a.numbers), FormatError);
  CHECK_THROWS_AS(reader("numbers", a.floats), FormatError);
  CHECK_THROWS_AS(StateReader(folder / "nowhere"), IoError);
}
