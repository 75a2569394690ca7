// knnbert VERB [options]: the library as a program.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "config.hpp"
#include "distributed.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/version.hpp"
#include "options.hpp"
#include "session.hpp"

namespace {

using namespace knnbert;

/// Standard streams that are closed stay so for this program: the next file it opens must not take their place.
void hold_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0) (void)!::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/// Whether the first word is none of the verbs, which are then named on standard error.
bool unknown_verb(const CLI::App& app, const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front().starts_with('-')) return false;
  std::string verbs;
  for (const CLI::App* verb : app.get_subcommands(nullptr)) {
    if (verb->get_name() == arguments.front()) return false;
    verbs += (verbs.empty() ? "" : ", ") + verb->get_name();
  }
  std::fprintf(stderr, "knnbert: '%s' given, one of %s expected\n", cli::printable(arguments.front()).c_str(),
               verbs.c_str());
  return true;
}

int run(int argc, char** argv) {
  CLI::App app("Text classifiers with a nearest-neighbor classifier beside the linear head");
  app.name("knnbert");
  app.set_version_flag("--version", [] {
    std::string backends = cli::session_of({}).description();
    const cli::Session* const torch = cli::torch_session();
    backends += "; " + (torch ? torch->description() : "without LibTorch");
    return format("knnbert {}.{}.{} ({})", KNNBERT_VERSION_MAJOR, KNNBERT_VERSION_MINOR, KNNBERT_VERSION_PATCH,
                  backends);
  });
  app.require_subcommand(1);
  app.fallthrough(false);
  for (const auto add : {cli::add_train, cli::add_eval, cli::add_predict, cli::add_calibrate, cli::add_embed,
                         cli::add_tokenize, cli::add_index, cli::add_add, cli::add_remove, cli::add_report,
                         cli::add_poison, cli::add_audit, cli::add_scan, cli::add_attack, cli::add_pretrain})
    add(app);
  cli::refuse_teams(app);
  cli::set_program(app);
  try {
    const std::vector<std::string> given(argv + 1, argv + argc);
    if (unknown_verb(app, given)) return 2;
    auto arguments = cli::with_config(app, given);
    std::reverse(arguments.begin(), arguments.end());  // as the parser wants them
    app.parse(std::move(arguments));
    return 0;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const cli::Stopped& stopped) {
    std::fflush(stdout);
    return 128 + stopped.signal;
  } catch (const std::exception& error) { return cli::report_failure(error, "knnbert: "); }
}

}  // namespace

int main(int argc, char** argv) {
  hold_closed_streams();
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is an error like a full disk
  const int code = run(argc, argv);
  try {
    knnbert::cli::finish_output();
    return code;
  } catch (const std::exception& error) {
    if (code != 0) return code;
    std::fprintf(stderr, "knnbert: %s\n", error.what());
    return 1;
  }
}
