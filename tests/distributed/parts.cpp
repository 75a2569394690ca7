#include <fstream>

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
    PartFiles parts(folder / "x.npy", 23, 4, "a run", c);
    const auto fail_on_second = [&](Range rows) {
      if (c.rank() == 1) throw std::runtime_error("power failure");
      return some(rows);
    };
    if (c.rank() == 1) require_error_in_team<std::runtime_error>([&] { parts.run(fail_on_second); });
    else require_error_in_team<OtherProcessError>([&] { parts.run(fail_on_second); });
    if (c.rank() == 0)
      require_error_in_team<FormatError>([&] { PartFiles(folder / "x.npy", 23, 4, "another run", c); });
    else require_error_in_team<OtherProcessError>([&] { PartFiles(folder / "x.npy", 23, 4, "another run", c); });
  });
}
