#include <atomic>
#include <chrono>
#include <fstream>
#include <optional>

#include "distributed/thread_team.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/distributed/parts.hpp"
#include "knnbert/io/npy.hpp"
#include "knnbert/testing/laws.hpp"

using namespace knnbert_test;

namespace {

const Matrix all = testing::random_rows(23, 5, 1);

Matrix some(Range rows) {
  Matrix part(rows.end - rows.begin, 5);
  copy(ConstView(all).row_range(rows.begin, rows.end - rows.begin), part);
  return part;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("parts: the file of one process, for any team and size of parts") {
  const TemporaryFolder folder;
  write_npy(folder / "whole.npy", ConstView(all));
  for (const index_t size : {1, 2, 4})
    for (const index_t rows : {1, 4, 23, 100}) {
      CAPTURE(size, rows);
      run_team(size, [&](ThreadCommunicator& c) { PartFiles(folder / "joined.npy", 23, rows, "a run", c).run(some); });
      CHECK(bytes_of(folder / "joined.npy") == bytes_of(folder / "whole.npy"));
      CHECK_FALSE(std::filesystem::exists(folder / "joined.npy.parts"));
    }
}

TEST_CASE("parts: the size that nobody gives leaves work for all; parts that are there keep theirs") {
  const TemporaryFolder folder;
  const auto size_of = [&](index_t rows, index_t processes) {
    index_t size = 0;
    run_team(processes, [&](ThreadCommunicator& c) {
      const PartFiles parts(folder / "sized.npy", rows, 0, "a run", c);
      c.barrier();
      if (c.rank() == 0) size = parts.rows_a_part();
    });
    return size;
  };
  CHECK(size_of(4000, 4) == 250);
  CHECK(size_of(100, 4) == 64);
  CHECK(size_of(1 << 20, 2) == 1024);
  CHECK(size_of(9000, 2) == 900);  // five rounds of two parts
  CHECK_THROWS(PartFiles(folder / "x.npy", 300, 70, "a run", {}).run([&](Range rows) {
    if (rows.begin > 0) throw std::runtime_error("power failure");
    return Matrix(rows.end - rows.begin, 5);
  }));
  CHECK(PartFiles(folder / "x.npy", 300, 0, "a run", {}).rows_a_part() == 70);
}

TEST_CASE("parts: one run at a time; a folder without parts is nobody's") {
  const TemporaryFolder folder;
  {
    const PartFiles first(folder / "x.npy", 23, 4, "a run", {});
    const auto message = message_of<IoError>([&] { PartFiles(folder / "x.npy", 23, 4, "a run", {}); });
    CHECK(message.find("x.npy.parts: in use by another process") != std::string::npos);
  }
  CHECK(PartFiles(folder / "x.npy", 23, 5, "another run", {}).run(some) == 5);
}

TEST_CASE("parts: processes meet behind every part") {
  const TemporaryFolder folder;
  std::atomic<index_t> begun = 0, most_ahead = 0;
  run_team(3, [&](ThreadCommunicator& c) {
    index_t own = 0;
    PartFiles(folder / "x.npy", 23, 2, "a run", c).run([&](Range rows) {
      ++begun, ++own;
      if (c.rank() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (const index_t ahead = 3 * own - begun; ahead > most_ahead) most_ahead = ahead;
      return some(rows);
    });
  });
  CHECK(most_ahead <= 2);
}

TEST_CASE("parts: what is finished is not computed again; another run's parts are refused") {
  const TemporaryFolder folder;
  write_npy(folder / "whole.npy", ConstView(all));
  index_t calls = 0;
  const auto fail_later = [&](Range rows) {
    if (++calls == 4) throw std::runtime_error("power failure");
    return some(rows);
  };
  CHECK_THROWS_AS(PartFiles(folder / "x.npy", 23, 4, "a run", {}).run(fail_later), std::runtime_error);
  CHECK_FALSE(std::filesystem::exists(folder / "x.npy"));
  CHECK_THROWS_AS(PartFiles(folder / "x.npy", 23, 4, "another run", {}), FormatError);
  CHECK_THROWS_AS(PartFiles(folder / std::string(300, 'x') / "x.npy", 23, 4, "a run", {}), IoError);
  CHECK_THROWS_AS(PartFiles(folder / "x.npy", 23, 5, "a run", {}), FormatError);
  CHECK(PartFiles(folder / "x.npy", 23, 4, "a run", {}).run(some) == 3);
  CHECK(bytes_of(folder / "x.npy") == bytes_of(folder / "whole.npy"));
}

TEST_CASE("parts: no rows are a file without rows; where one process fails, none goes on") {
  const TemporaryFolder folder;
  write_npy(folder / "whole.npy", ConstView(Matrix(0, 5)));
  for (const index_t size : {1, 3}) {
    run_team(size, [&](ThreadCommunicator& c) { PartFiles(folder / "none.npy", 0, 4, "a run", c).run(some); });
    CHECK(bytes_of(folder / "none.npy") == bytes_of(folder / "whole.npy"));
  }
  run_team(2, [&](ThreadCommunicator& c) {
    std::optional<PartFiles> parts(std::in_place, folder / "x.npy", 23, 4, "a run", c);
    const auto fail_on_second = [&](Range rows) {
      if (c.rank() == 1) throw std::runtime_error("power failure");
      return some(rows);
    };
    if (c.rank() == 1) require_error_in_team<std::runtime_error>([&] { parts->run(fail_on_second); });
    else require_error_in_team<OtherProcessError>([&] { parts->run(fail_on_second); });
    parts.reset();  // as one run at a time may
    if (c.rank() == 0)
      require_error_in_team<FormatError>([&] { PartFiles(folder / "x.npy", 23, 4, "another run", c); });
    else require_error_in_team<OtherProcessError>([&] { PartFiles(folder / "x.npy", 23, 4, "another run", c); });
  });
}
