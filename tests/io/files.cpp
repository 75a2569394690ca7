#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <memory>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/atomic_file.hpp"
#include "knnbert/io/memory_map.hpp"
#include "knnbert/io/read_file.hpp"
#include "knnbert/io/require_folder.hpp"

using namespace knnbert;
using knnbert_test::contains;
using knnbert_test::message_of;
using knnbert_test::slurp;
using knnbert_test::TemporaryFolder;

TEST_CASE("a memory map shows the bytes of a file and moves") {
  const TemporaryFolder folder;
  MemoryMap map(folder.file("a", "knn"));
  CHECK(map.size() == 3);
  MemoryMap moved = std::move(map);
  REQUIRE(moved.size() == 3);
  CHECK(static_cast<char>(moved.bytes()[1]) == 'n');
  CHECK(map.bytes().empty());
  CHECK(MemoryMap(folder.file("empty", "")).bytes().empty());
}

TEST_CASE("a memory map refuses what is no file and names it") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(MemoryMap(folder.path()), IoError);
  CHECK_THROWS_AS(MemoryMap("/dev/null"), IoError);
  CHECK(contains(message_of<IoError>([&] { MemoryMap(folder / "absent.bin"); }), "absent.bin: cannot open"));
}

TEST_CASE("a pipe in place of a file is refused at once") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(contains(message_of<IoError>([&] { MemoryMap(folder / "pipe"); }), "pipe: not a regular file"));
  CHECK_NOTHROW(require_folder(folder.path(), "a folder"));  // of data
  REQUIRE(::mkfifo((folder / "config.json").c_str(), 0600) == 0);
  CHECK(contains(message_of<IoError>([&] { require_folder(folder.path(), "a folder"); }),
                 "config.json: not a regular file"));
}

TEST_CASE("read_file stops at its limit") {
  const TemporaryFolder folder;
  const auto path = folder.file("a", std::string(200000, 'x'));
  CHECK(read_file(path, 200000) == std::string(200000, 'x'));
  CHECK_THROWS_AS(read_file(path, 199999), FormatError);
  CHECK_THROWS_AS(read_file("/dev/zero", 1000), FormatError);  // endless, of unknown size
  CHECK_THROWS_AS(read_file(folder / "absent", 10), IoError);
  CHECK_THROWS_AS(read_file(folder.path(), 10), IoError);
}

TEST_CASE("an atomic file replaces the old one only on commit") {
  const TemporaryFolder folder;
  const auto path = folder.file("a", "old");
  {
    AtomicFile file(path);
    file.append("new");
    CHECK(slurp(path) == "old");
    CHECK(folder.count() == 2);
  }
  CHECK(slurp(path) == "old");
  CHECK(folder.count() == 1);
  AtomicFile file(path);
  file.append("n");
  file.append(std::string(300000, 'e'));  // larger than the buffer
  file.append("w");
  file.commit();
  CHECK(slurp(path) == "n" + std::string(300000, 'e') + "w");
  CHECK(folder.count() == 1);
}

TEST_CASE("a writer that throws leaves the old file") {
  const TemporaryFolder folder;
  const auto path = folder.file("a", "old");
  const auto fail = [](AtomicFile& file) {
    file.append(std::string(200000, 'x'));
    throw std::runtime_error("midway");
  };
  CHECK_THROWS_AS(write_file_atomically(path, fail), std::runtime_error);
  CHECK(slurp(path) == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("a full disk leaves the old file") {
  const TemporaryFolder folder;
  const auto path = folder.file("a", "old");
  struct rlimit usual;
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &usual) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // write then fails with EFBIG
  const struct rlimit tight = {100000, usual.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &tight);
  const auto message = message_of<IoError>([&] { write_file_atomically(path, std::string(200000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(message, "cannot write"));
  CHECK(slurp(path) == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("a rename that fails removes the temporary file") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a");
  file.append("new");
  std::filesystem::create_directories(folder / "a/child");
  CHECK(contains(message_of<IoError>([&] { file.commit(); }), "cannot replace"));
  CHECK(std::filesystem::is_directory(folder / "a/child"));
}

TEST_CASE("a folder that is missing or a target that is no file is an IoError") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(write_file_atomically(folder / "absent/a", "x"), IoError);
  CHECK_THROWS_AS(write_file_atomically(folder.path(), "x"), IoError);
  CHECK_THROWS_AS(write_file_atomically("/dev/null", "x"), IoError);
  CHECK(std::filesystem::is_character_file("/dev/null"));
  CHECK(folder.count() == 0);
}

TEST_CASE("a read-only folder keeps its files") {
  if (::geteuid() == 0) {
    WARN("skipped: permissions do not bind the superuser");
    return;
  }
  const TemporaryFolder folder;
  const auto path = folder.file("a", "old");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  CHECK_THROWS_AS(write_file_atomically(path, "new"), IoError);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  CHECK(slurp(path) == "old");
}

TEST_CASE("an atomic file keeps permissions and follows a symbolic link") {
  const TemporaryFolder folder;
  const auto path = folder.file("a", "old");
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::create_symlink(path, folder / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(slurp(path) == "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  struct stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("an atomic file is as private as the one it replaces from the beginning; a new one is as usual") {
  const TemporaryFolder folder;
  const auto mode_of = [](const std::filesystem::path& path) {
    struct stat status;
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
  };
  const auto mask = ::umask(0022);
  for (const mode_t mode : {0600u, 0640u, 0666u, 0200u}) {
    CAPTURE(mode);
    const auto path = folder.file("a", "old");
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    AtomicFile file(path);
    file.append("new");
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      if (entry.path() != path) CHECK((mode_of(entry.path()) & ~mode & 0077u) == 0);
    file.commit();
    CHECK(mode_of(path) == mode);
    std::filesystem::remove(path);
  }
  write_file_atomically(folder / "new", "x");
  CHECK(mode_of(folder / "new") == 0644);
  AtomicFile file(folder / "new");
  REQUIRE(::chmod((folder / "new").c_str(), 0600) == 0);
  file.commit();
  CHECK(mode_of(folder / "new") == 0600);
  ::umask(mask);
}

TEST_CASE("an atomic file is not its writer's child's to remove") {
  const TemporaryFolder folder;
  auto file = std::make_unique<AtomicFile>(folder / "a");
  file->append("new");
  if (const auto child = ::fork(); child == 0) {
    file.reset();
    ::_exit(0);
  } else {
    REQUIRE(::waitpid(child, nullptr, 0) == child);
  }
  CHECK_NOTHROW(file->commit());
  CHECK(slurp(folder / "a") == "new");
}

TEST_CASE("a folder .knnbert-old in the working directory hides no file there") {
  const TemporaryFolder folder;
  folder.file("bare", "here");
  std::filesystem::create_directory(folder / ".knnbert-old");
  const auto place = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  CHECK(read_file("bare", 10) == "here");
  CHECK_THROWS_AS(require_folder("", "a model"), IoError);
  std::filesystem::current_path(place);
}

TEST_CASE("an atomic file makes what a symbolic link leads to") {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("second", folder / "first");
  std::filesystem::create_symlink(folder / "target", folder / "second");
  write_file_atomically(folder / "first", "new");
  CHECK(slurp(folder / "target") == "new");
  CHECK(std::filesystem::is_symlink(folder / "first"));
  CHECK(std::filesystem::is_symlink(folder / "second"));
  std::filesystem::create_symlink("circle", folder / "circle");
  CHECK_THROWS_AS(write_file_atomically(folder / "circle", "new"), IoError);
}

TEST_CASE("two atomic files for one path do not disturb each other") {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a"), second(folder / "a");
  first.append("first");
  second.append("second");
  first.commit();
  CHECK(slurp(folder / "a") == "first");
  second.commit();
  CHECK(slurp(folder / "a") == "second");
  CHECK(folder.count() == 1);
}
