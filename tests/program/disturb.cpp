// disturb N kill|ENOSPC|EIO COMMAND...: runs a program and kills it before its N-th system call that changes files, or
// makes that call fail. Exit code: 137 if it was killed; 99 if no such call was made and the program ended well; else
// the program's.
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using Info = __ptrace_syscall_info;

bool is_write(std::uint64_t number) {
  return number == SYS_write || number == SYS_pwrite64 || number == SYS_writev || number == SYS_pwritev;
}

/// Whether a call changes files in a way that can meet a full disk.
bool adds(const Info& info) {
  const auto number = info.entry.nr;
  if (is_write(number)) return info.entry.args[0] > 2;
#ifdef SYS_open
  if (number == SYS_open) return (info.entry.args[1] & (O_CREAT | O_TRUNC)) != 0;
  if (number == SYS_mkdir || number == SYS_rename || number == SYS_creat) return true;
#endif
  if (number == SYS_openat) return (info.entry.args[2] & (O_CREAT | O_TRUNC)) != 0;
  return number == SYS_mkdirat || number == SYS_renameat || number == SYS_renameat2 || number == SYS_fsync ||
         number == SYS_fdatasync || number == SYS_ftruncate;
}

bool changes(const Info& info) {
  const auto number = info.entry.nr;
  if (adds(info) || is_write(number)) return true;
#ifdef SYS_unlink
  if (number == SYS_unlink || number == SYS_rmdir || number == SYS_chmod || number == SYS_link || number == SYS_symlink)
    return true;
#endif
  return number == SYS_unlinkat || number == SYS_fchmod || number == SYS_fchmodat || number == SYS_linkat ||
         number == SYS_flock || number == SYS_fallocate || number == SYS_copy_file_range || number == SYS_sendfile;
}

#if defined(__x86_64__)
void make_fail(pid_t thread, int error) {
  user_regs_struct registers;
  ptrace(PTRACE_GETREGS, thread, 0, &registers);
  registers.orig_rax = static_cast<unsigned long long>(-1);  // no call
  ptrace(PTRACE_SETREGS, thread, 0, &registers);
  ptrace(PTRACE_SYSCALL, thread, 0, 0);
  int status;
  waitpid(thread, &status, __WALL);
  ptrace(PTRACE_GETREGS, thread, 0, &registers);
  registers.rax = static_cast<unsigned long long>(-error);
  ptrace(PTRACE_SETREGS, thread, 0, &registers);
}
#else
void make_fail(pid_t, int) {
  std::fputs("disturb: failing calls need x86-64\n", stderr);
  std::exit(77);
}
#endif

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) return 2;
  const long wanted = std::atol(arguments[1]);
  const int error = std::strcmp(arguments[2], "ENOSPC") == 0 ? ENOSPC : std::strcmp(arguments[2], "EIO") == 0 ? EIO : 0;
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(77);
    execvp(arguments[3], arguments + 3);
    _exit(127);
  }
  int status;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return 77;  // tracing is forbidden here
  ptrace(PTRACE_SETOPTIONS, child, 0,
         PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK);
  ptrace(PTRACE_SYSCALL, child, 0, 0);
  for (long seen = 0;;) {
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0) return 3;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (thread != child) continue;
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      return code == 0 && seen < wanted ? 99 : code;
    }
    int signal = 0;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      Info info;
      std::memset(&info, 0, sizeof info);
      ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), thread, sizeof info, &info);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY && (error ? adds(info) : changes(info)) && ++seen == wanted) {
        if (error == 0) {
          kill(child, SIGKILL);
          while (waitpid(child, &status, __WALL) == child && !WIFSIGNALED(status) && !WIFEXITED(status)) {}
          return 137;
        }
        make_fail(thread, error);
      }
    } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP) {
      signal = WSTOPSIG(status);
    }
    ptrace(PTRACE_SYSCALL, thread, 0, signal);
  }
}
