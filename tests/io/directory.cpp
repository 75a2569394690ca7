#include "knnbert/io/directory.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstddef>

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/io/read_file.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

void put(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

/// What this library's readers find; "none" if there is no such file.
std::string found(const std::filesystem::path& path) { return committed_exists(path) ? read_file(path, 1000) : "none"; }

void write(const std::filesystem::path& target, const std::vector<std::pair<std::string, std::string>>& files,
           const std::vector<std::string>& removed = {}) {
  const DirectoryLock lock(target);
  DirectoryChange change(lock);
  for (const auto& [name, content] : files) put(change.folder() / name, content);
  for (const auto& name : removed) change.remove(name);
  change.commit("marker");
}

index_t entries(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status;
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

/// What the call does in a forked process. Returns its result, or -1 if it threw.
template <class Call>
int in_child(Call call) {
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int code = 255;
    try {
      code = call();
    } catch (...) {}
    ::_exit(code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
}

/// A system that cannot exchange names, for this process. Returns whether the filter is there.
bool forbid_exchange() {
  sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter = {std::size(code), code};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

struct Stopped {};

}  // namespace

TEST_CASE("directory: a change with its parents; other files are kept; nothing else is left behind") {
  const TemporaryFolder folder;
  const auto model = folder / "a" / "b" / "model";
  write(model, {{"one", "1"}, {"below/two", "2"}});
  CHECK(slurp(model / "one") == "1");
  CHECK(slurp(model / "below" / "two") == "2");
  put(model / "mine" / "deep", "kept");
  write(model, {{"three", "3"}}, {"one", "never there"});
  CHECK(found(model / "one") == "none");
  CHECK(slurp(model / "below" / "two") == "2");
  CHECK(slurp(model / "three") == "3");
  CHECK(slurp(model / "mine" / "deep") == "kept");
  CHECK(entries(model) == 3);
  CHECK(entries(folder / "a" / "b") == 1);
}

TEST_CASE("directory: what is unchanged is not written again, except for the marker") {
  const TemporaryFolder folder;
  const auto model = folder / "model";
  write(model, {{"one", "1"}, {"marker", "m"}});
  const auto number = [&](const char* name) {
    struct stat status;
    REQUIRE(::stat((model / name).c_str(), &status) == 0);
    return status.st_ino;
  };
  std::filesystem::create_hard_link(model / "one", folder / "one");  // their numbers stay in use
  std::filesystem::create_hard_link(model / "marker", folder / "marker");
  const auto one = number("one"), marker = number("marker");
  write(model, {{"one", "1"}, {"marker", "m"}});
  CHECK(number("one") == one);
  CHECK(number("marker") != marker);
  std::filesystem::permissions(model / "one", std::filesystem::perms(0640));
  write(model, {{"one", "2"}});
  CHECK(number("one") != one);
  CHECK(std::filesystem::status(model / "one").permissions() == std::filesystem::perms(0640));
}

TEST_CASE("directory: a failure while writing leaves the old files, and nothing else") {
  const TemporaryFolder folder;
  write(folder / "model", {{"one", "1"}});
  const auto fail = [](const std::filesystem::path& target) {
    const DirectoryLock lock(target);
    DirectoryChange change(lock);
    put(change.folder() / "one", "half");
    throw Stopped{};
  };
  CHECK_THROWS_AS(fail(folder / "model"), Stopped);
  CHECK_THROWS_AS(fail(folder / "never" / "there"), Stopped);
  CHECK(slurp(folder / "model" / "one") == "1");
  CHECK(entries(folder / "model") == 1);
  CHECK(folder.count() == 1);
}

TEST_CASE("directory: a folder in the place of a file is refused before anything changes") {
  const TemporaryFolder folder;
  write(folder / "model", {{"a", "1"}});
  std::filesystem::create_directory(folder / "model" / "b");
  CHECK_THROWS_AS(write(folder / "model", {{"a", "2"}, {"b", "2"}}), IoError);
  CHECK(found(folder / "model" / "a") == "1");
  CHECK(entries(folder / "model") == 2);
}

TEST_CASE(
    "directory: whatever part of a commit had been done, readers find all of it, and the next writer finishes it") {
  const std::vector<std::string> names{"a", "b", "below/c"};
  for (std::size_t moved = 0; moved <= names.size(); ++moved) {
    CAPTURE(moved);
    const TemporaryFolder folder;
    const auto model = folder / "model";
    for (const auto& name : {"a", "gone", "kept"}) put(model / name, "old");
    for (std::size_t i = 0; i < names.size(); ++i)
      put((i < moved ? model : model / ".knnbert-commit") / names[i], "new");
    put(model / ".knnbert-commit" / "gone.knnbert-removed", "");
    put(model / ".knnbert-new" / "a", "half");
    const auto check = [&] {
      for (const auto& name : names) CHECK(found(model / name) == "new");
      CHECK(found(model / "gone") == "none");
      CHECK(found(model / "kept") == "old");
      CHECK_THROWS_AS(read_file(model / "gone", 1000), IoError);
    };
    check();
    { const DirectoryLock lock(model); }
    check();
    for (const auto& name : names) CHECK(slurp(model / name) == "new");
    CHECK(entries(model) == 4);
  }
}

TEST_CASE("directory: one lock at a time, also in one process; it leaves no file, nor a folder that stayed empty") {
  const TemporaryFolder folder;
  {
    const DirectoryLock lock(folder / "a" / "model");
    CHECK(message_of<IoError>([&] { (void)DirectoryLock(folder / "a" / "model"); }) ==
          (folder / "a" / "model").string() + ": in use by another process that writes it");
    CHECK_THROWS_AS(DirectoryLock(folder / "a" / ".." / "a" / "model/"), IoError);
    CHECK_NOTHROW(DirectoryLock(folder / "other"));
  }
  CHECK(folder.count() == 0);
  CHECK_NOTHROW(DirectoryLock(folder / "a" / "model"));
  CHECK_THROWS_AS(DirectoryLock(folder / "a", DirectoryLock::Directory::expect), IoError);
  CHECK_THROWS_AS(DirectoryLock(""), IoError);
  CHECK(folder.count() == 0);
}

TEST_CASE("directory: the lock of a process that was killed is free, and its temporary files go") {
  const TemporaryFolder folder;
  write(folder / "model", {{"one", "1"}});
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const DirectoryLock lock(folder / "model");
    AtomicFile file(folder / "model" / "one");
    file.append("2");
    DirectoryChange change(lock);
    put(change.folder() / "one", "3");
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_AS(DirectoryLock(folder / "model"), IoError);
  AtomicFile living(folder / "model" / "page");
  CHECK(entries(folder / "model") == 5);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]), ::close(ready[1]);
  { const DirectoryLock lock(folder / "model"); }
  CHECK(entries(folder / "model") == 2);  // a file that somebody is still writing stays
  CHECK(slurp(folder / "model" / "one") == "1");
  living.commit();
}

TEST_CASE("directory: trailing slashes, relative paths, odd names and links name the same folder") {
  const TemporaryFolder folder;
  const auto model = folder / "model";
  const auto check = [&](const std::filesystem::path& name, const std::string& content) {
    write(name, {{"one", content}});
    CHECK(slurp(model / "one") == content);
    CHECK(found(name / "one") == content);
  };
  check(model, "1");
  check(model.string() + "/", "2");
  check(model / ".." / "model" / ".", "3");
  std::filesystem::create_directory_symlink(model, folder / "link");
  check(folder / "link", "4");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  const auto place = std::filesystem::current_path();
  std::filesystem::current_path(model);
  check(".", "5");
  check("../model/", "6");
  std::filesystem::create_directory("below");
  std::filesystem::current_path("below");
  check("..", "7");
  std::filesystem::current_path(place);
  for (const char* name : {"-m", "a b", "line\nbreak", " ", "~", "knnbert", ".hidden"}) {
    write(folder / name, {{"one", name}});
    CHECK(found(folder / name / "one") == name);
  }
}

TEST_CASE("directory: files, dangling links and names that are too long are refused") {
  const TemporaryFolder folder;
  const auto file = folder.file("file", "precious");
  std::filesystem::create_symlink(folder / "nowhere", folder / "dangling");
  CHECK_THROWS_AS(DirectoryLock(file), IoError);
  CHECK_THROWS_AS(DirectoryLock(file / "below"), IoError);
  CHECK_THROWS_AS(DirectoryLock(folder / "dangling"), IoError);
  CHECK_THROWS_AS(DirectoryLock(folder / "dangling" / "below"), IoError);
  CHECK_THROWS_AS(DirectoryLock(folder / std::string(300, 'x')), IoError);
  CHECK_THROWS_AS(DirectoryLock(file, DirectoryLock::Directory::expect), IoError);
  CHECK(slurp(file) == "precious");
  CHECK(folder.count() == 2);
}

TEST_CASE("directory: versions that replaced the directory itself may have died in between") {
  for (const bool there : {false, true}) {
    const TemporaryFolder folder;
    const auto model = folder / "model";
    put(folder / "model.knnbert-old" / "one", "old");
    put(folder / "model.knnbert-old" / "mine", "kept");
    put((there ? model : folder / "model.knnbert-new") / "one", "new");
    CHECK(found(model / "one") == (there ? "new" : "old"));
    write(model, {{"two", "2"}});
    CHECK(slurp(model / "one") == (there ? "new" : "old"));
    CHECK(slurp(model / "mine") == "kept");
    CHECK(folder.count() == 1);
  }
  const TemporaryFolder folder;
  for (const std::string ending : {".old", ".new", "~", ".bak"}) put(folder / ("model" + ending) / "precious", "mine");
  write(folder / "model", {{"one", "1"}});
  for (const std::string ending : {".old", ".new", "~", ".bak"})
    CHECK(slurp(folder / ("model" + ending) / "precious") == "mine");
}

TEST_CASE("directory: a reader that a change overtakes reads again") {
  const TemporaryFolder folder;
  const auto model = folder / "model";
  write(model, {{"one", "1"}, {"marker", "1"}});
  index_t calls = 0;
  const auto read = [&](auto&& in_between) {
    return read_unchanged(model, "marker", [&] {
      const std::string one = found(model / "one");
      if (calls++ == 0) in_between();
      return one + found(model / "marker");
    });
  };
  CHECK(read([] {}) == "11");
  CHECK(calls == 1);
  calls = 0;
  CHECK(read([&] { write(model, {{"one", "2"}, {"marker", "2"}}); }) == "22");
  CHECK(calls == 2);
  calls = 0;  // also where it failed because of that
  CHECK(read([&] {
          write(model, {{"one", "3"}, {"marker", "3"}});
          raise<FormatError>("a mixture");
        }) == "33");
  calls = 0;
  CHECK(read([&] {
          write(model, {{"one", "4"}, {"marker", "4"}});
          throw std::runtime_error("a mixture that a user's reader meets");
        }) == "44");
  calls = 0;
  CHECK_THROWS_AS(read([] { raise<FormatError>("a damaged file"); }), FormatError);
  CHECK(calls == 1);
  CHECK(message_of<IoError>([&] {
          read_unchanged(model, "marker", [&] { return write(model, {{"marker", std::to_string(++calls)}}), 0; });
        }) == model.string() + ": changed 100 times while it was read");
}

TEST_CASE("directory: folders in it appear and go as a whole") {
  const TemporaryFolder folder;
  const DirectoryLock lock(folder / "run");
  const auto step = [&](const std::string& content) {
    write_folder(lock, "step", [&](const std::filesystem::path& fresh) { put(fresh / content, content); });
  };
  step("1");
  step("2");
  CHECK(found(folder / "run" / "step" / "1") == "none");
  CHECK(found(folder / "run" / "step" / "2") == "2");
  CHECK_THROWS_AS(write_folder(lock, "step", [](const auto&) { throw Stopped{}; }), Stopped);
  CHECK(found(folder / "run" / "step" / "2") == "2");
  CHECK(entries(folder / "run") == 2);
  remove_folder(lock, "step");
  CHECK(entries(folder / "run") == 1);
  CHECK_THROWS_AS(remove_folder(lock, "step"), IoError);
}

TEST_CASE("directory: no name but the folder's own is ever that of a replaced folder, where names can be exchanged") {
  const TemporaryFolder folder;
  if (folder.file("a", "1"), folder.file("b", "2"); !detail::exchange_names(folder / "a", folder / "b")) {
    WARN("skipped: names cannot be exchanged here");
    return;
  }
  CHECK(slurp(folder / "a") == "2");
  const DirectoryLock lock(folder / "run");
  const auto step = [&](const char* content) {
    write_folder(lock, "step", [&](const std::filesystem::path& fresh) { put(fresh / "file", content); });
  };
  step("1");
  const FileDescriptor watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  REQUIRE(::inotify_add_watch(watch.number(), (folder / "run").c_str(), IN_MOVED_TO) >= 0);
  step("2");
  alignas(inotify_event) char events[4096];
  const auto size = ::read(watch.number(), events, sizeof events);
  std::vector<std::string> names;
  for (std::ptrdiff_t at = 0; at < size;) {
    const auto* event = reinterpret_cast<const inotify_event*>(events + at);
    names.emplace_back(event->name);
    at += static_cast<std::ptrdiff_t>(sizeof *event + event->len);
  }
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{".knnbert-new", "step"});
  CHECK(slurp(folder / "run/step/file") == "2");
  CHECK(entries(folder / "run") == 2);
}

TEST_CASE("directory: where names cannot be exchanged, the next lock finds the old folder or the new one") {
  const TemporaryFolder folder;
  const auto run = folder / "run";
  put(run / "step" / "old", "1");
  const int code = in_child([&] {
    if (!forbid_exchange()) return 77;
    const DirectoryLock lock(run);
    write_folder(lock, "step", [](const std::filesystem::path& fresh) { put(fresh / "new", "2"); });
    return entries(run) == 2 ? 0 : 1;
  });
  if (code != 77) {
    CHECK(code == 0);
    CHECK(found(run / "step" / "old") == "none");
    CHECK(slurp(run / "step" / "new") == "2");
  }
  std::filesystem::remove_all(run);
  for (const bool replaced : {false, true}) {  // where it died
    put(run / ".knnbert-kept-step" / "file", "old");
    put(run / (replaced ? "step" : ".knnbert-new") / "file", "new");
    { const DirectoryLock lock(run); }
    CHECK(found(run / "step" / "file") == (replaced ? "new" : "old"));
    CHECK(entries(run) == 1);
    std::filesystem::remove_all(run);
  }
}

TEST_CASE("directory: what replaces private files is private at every moment; what is new is as usual") {
  const TemporaryFolder folder;
  const auto model = folder / "model";
  const auto mask = ::umask(0022);
  write(model, {{"one", "1"}, {"below/two", "2"}});
  CHECK(mode_of(model / "one") == 0644);
  CHECK(mode_of(model / "below") == 0755);
  REQUIRE(::chmod((model / "one").c_str(), 0600) == 0);
  REQUIRE(::chmod((model / "below").c_str(), 0700) == 0);
  {
    const DirectoryLock lock(model);
    DirectoryChange change(lock);
    CHECK(mode_of(change.folder()) == 0700);
    write_file_atomically(change.folder() / "one", "3");
    put(change.folder() / "below" / "two", "4");
    write_file_atomically(change.folder() / "three", "5");
    change.commit("marker");
    write_folder(lock, "step", [](const std::filesystem::path& fresh) { put(fresh / "file", "1"); });
    CHECK(mode_of(model / "step") == 0755);
    REQUIRE(::chmod((model / "step").c_str(), 0750) == 0);
    REQUIRE(::chmod((model / "step" / "file").c_str(), 0600) == 0);
    write_folder(lock, "step", [](const std::filesystem::path& fresh) { put(fresh / "file", "2"); });
  }
  CHECK(slurp(model / "one") + slurp(model / "below" / "two") + slurp(model / "step" / "file") == "342");
  CHECK(mode_of(model / "one") == 0600);
  CHECK(mode_of(model / "below") == 0700);
  CHECK(mode_of(model / "three") == 0644);
  CHECK(mode_of(model / "step") == 0750);
  CHECK(mode_of(model / "step" / "file") == 0600);
  ::umask(mask);
}

TEST_CASE("directory: who may read the directory may read what is committed but not in its place yet") {
  const TemporaryFolder folder;
  const auto model = folder / "model";
  const auto mask = ::umask(0077);
  write(model, {{"below/one", "1"}});
  REQUIRE(::chmod(model.c_str(), 0755) == 0);
  const DirectoryLock lock(model);
  DirectoryChange change(lock);
  put(change.folder() / "below" / "one", "2");
  std::filesystem::remove_all(model / "below");  // so that the commit stops in the middle
  std::filesystem::create_directories(model / "below" / "one" / "in the way");
  CHECK_THROWS_AS(change.commit("marker"), IoError);
  std::filesystem::remove_all(model / "below");
  put(model / "below", "a file");
  CHECK(message_of<IoError>([&] { change.commit("marker"); }) ==
        (model / "below").string() + ": a file given, a folder expected");
  std::filesystem::remove(model / "below");
  REQUIRE(::mkdir((model / "below").c_str(), 0700) == 0);
  ::umask(mask);
  std::filesystem::create_directory(model / ".knnbert-commit");  // in the way of the one rename
  put(model / ".knnbert-commit" / "x", "");
  CHECK_THROWS_AS(change.commit("marker"), IoError);
  CHECK(mode_of(change.folder()) == 0755);
}

TEST_CASE("directory: a forked process neither ends a lock nor removes what its parent writes") {
  const TemporaryFolder folder;
  const auto model = folder / "model";
  auto lock = std::make_unique<DirectoryLock>(model);
  auto change = std::make_unique<DirectoryChange>(*lock);
  put(change->folder() / "one", "1");
  CHECK(in_child([&] {
          change.reset();
          lock.reset();
          return 0;
        }) == 0);
  CHECK_THROWS_AS(DirectoryLock(model), IoError);
  CHECK_NOTHROW(change->commit("one"));
  lock.reset();
  CHECK(slurp(model / "one") == "1");
  CHECK(entries(model) == 1);
}

TEST_CASE("directory: links in the place of the lock or of a change lead to nobody else's files") {
  const TemporaryFolder folder;
  const auto model = folder / "model";
  put(model / "one", "1");
  put(folder / "mine" / "precious", "mine");
  std::filesystem::create_symlink(folder / "nowhere", model / ".knnbert-lock");
  CHECK(message_of<IoError>([&] { (void)DirectoryLock(model); }) ==
        (model / ".knnbert-lock").string() + ": a link given, a file expected");
  CHECK_FALSE(std::filesystem::exists(folder / "nowhere"));
  std::filesystem::remove(model / ".knnbert-lock");
  std::filesystem::create_directory_symlink(folder / "mine", model / ".knnbert-commit");
  CHECK(message_of<IoError>([&] { (void)DirectoryLock(model); }) ==
        (model / ".knnbert-commit").string() + ": a link given, a folder expected");
  std::filesystem::remove(model / ".knnbert-commit");
  std::filesystem::create_directory_symlink(folder / "mine", folder / "model.knnbert-old");
  CHECK_NOTHROW(DirectoryLock(model));
  CHECK(slurp(folder / "mine" / "precious") == "mine");
}

TEST_CASE("directory: what another user left who died is in nobody's way") {
  if (::geteuid() != 0) {
    WARN("skipped: only the superuser can be two users");
    return;
  }
  const TemporaryFolder folder;
  const auto model = folder / "model";
  put(model / ".knnbert-new" / "one", "half");
  REQUIRE(::chmod((model / ".knnbert-new").c_str(), 0700) == 0);
  REQUIRE(::chmod(model.c_str(), 0777) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0711) == 0);
  CHECK(in_child([&] {
          constexpr uid_t nobody = 65534;
          if (::setuid(nobody) != 0) return 1;
          write(model, {{"one", "1"}});
          return 0;
        }) == 0);
  CHECK(slurp(model / "one") == "1");
  { const DirectoryLock lock(model); }
  CHECK(entries(model) == 1);
}

TEST_CASE("directory: a lock is of its folder also when the working directory changes") {
  const TemporaryFolder folder;
  for (const char* name : {"one", "two"}) std::filesystem::create_directories(folder / name / "model");
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder / "one");
  {
    auto first = std::make_unique<DirectoryLock>("model");
    std::filesystem::current_path(folder / "two");
    const DirectoryLock second("model");
    DirectoryChange change(*first);
    put(change.folder() / "file", "of one");
    change.commit("file");
    first.reset();
    CHECK(contains(message_of<IoError>([] { DirectoryLock third("model"); }), "model: in use by another process"));
  }
  std::filesystem::current_path(here);
  CHECK(found(folder / "one/model/file") == "of one");
  CHECK(entries(folder / "one/model") == 1);
  CHECK(entries(folder / "two/model") == 0);
}
