/* usage: measure MEGABYTES COMMAND...: runs a command, says what it took, and fails if it needed more memory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char** arguments) {
  if (count < 3) return 2;
  const pid_t child = fork();
  if (child == 0) {
    execvp(arguments[2], arguments + 2);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 2;
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  const double seconds = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                         1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  const long megabytes = used.ru_maxrss / 1024, most = strtol(arguments[1], NULL, 10);
  printf("%.1f s of the processor, %ld MB\n", seconds, megabytes);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;
  if (megabytes <= most) return 0;
  printf("at most %ld MB expected\n", most);
  return 1;
}
