// knnbert VERB [options]: the library as a program.
#include <fcntl.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "config.hpp"
#include "distributed.hpp"
#include "knnbert/core/error.hpp"
#include "knnbert/text/edit_distance.hpp"
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

/// Loading a model takes and drops buffers of a few megabytes; what one had, the next one gets, in place of fresh pages
/// from the system each time, which are a tenth of a short run.
void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int most = 4 << 20, trim = 16 << 20;
  ::mallopt(M_MMAP_THRESHOLD, most);
  ::mallopt(M_TRIM_THRESHOLD, trim);
#endif
}

struct Verb {
  std::string_view name;
  void (*add)(CLI::App&);
};

constexpr Verb verbs[] = {
    {"train", cli::add_train},         {"eval", cli::add_eval},     {"predict", cli::add_predict},
    {"calibrate", cli::add_calibrate}, {"embed", cli::add_embed},   {"tokenize", cli::add_tokenize},
    {"index", cli::add_index},         {"add", cli::add_add},       {"remove", cli::add_remove},
    {"report", cli::add_report},       {"poison", cli::add_poison}, {"audit", cli::add_audit},
    {"scan", cli::add_scan},           {"attack", cli::add_attack}, {"pretrain", cli::add_pretrain}};

/// Declares the verb that is asked for and its options; those of all others would be most of what a short run does
/// before it reads a file. All verbs where none is asked for, or where a configuration file may have sections for more.
void add_verbs(CLI::App& app, const std::vector<std::string>& arguments) {
  const bool configured = std::any_of(arguments.begin(), arguments.end(),
                                      [](const std::string& word) { return word.starts_with("--config"); });
  const Verb* const asked = std::find_if(std::begin(verbs), std::end(verbs), [&](const Verb& verb) {
    return !arguments.empty() && verb.name == arguments.front();
  });
  for (const Verb& verb : verbs)
    if (configured || asked == std::end(verbs) || asked == &verb) verb.add(app);
}

/// What is wrong with a real number, if anything. type: of its option, with what the option asks for.
std::string wrong_real(const std::string& text, const std::string& type) {
  char* end = nullptr;
  errno = 0;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != 0) return {};  // which the parser tells
  const auto single = static_cast<float>(value);
  if (!std::isfinite(single) || errno == ERANGE || (single == 0 && value != 0))
    return text + " given, a finite number of single precision expected";
  if (type.ends_with(":POSITIVE") && value <= 0) return text + " given, a number above 0 expected";
  if (type.ends_with(":NONNEGATIVE") && value < 0) return text + " given, a number from 0 expected";
  return {};
}

/// What is wrong with an integer, if anything; zeros in front, which the parser takes for a sign of base 8, go.
std::string wrong_integer(std::string& text, bool is_signed) {
  if (!is_signed && text.starts_with('-')) return text + " given, a number from 0 expected";
  const std::size_t first = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  if (text.size() > first && text.find_first_not_of("0123456789", first) != text.npos)
    return text + " given, a decimal integer expected";
  while (text.size() > first + 1 && text[first] == '0') text.erase(first, 1);
  errno = 0;
  if (is_signed) (void)!std::strtoll(text.c_str(), nullptr, 10);
  else (void)!std::strtoull(text.c_str(), nullptr, 10);
  return errno == ERANGE ? text + " given, an integer of 64 bits expected" : std::string();
}

/// Numbers that are given are finite, none becomes 0 in single precision, and none wraps around.
void require_finite_numbers(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands(nullptr))
    for (CLI::Option* option : verb->get_options()) {
      const std::string type = option->get_type_name();
      const auto check_first = [&](auto wrong) { option->transform(CLI::Validator(wrong, "")); };
      if (type.starts_with("FLOAT")) check_first([type](std::string& text) { return wrong_real(text, type); });
      else if (type.starts_with("UINT")) check_first([](std::string& text) { return wrong_integer(text, false); });
      else if (type.starts_with("INT")) check_first([](std::string& text) { return wrong_integer(text, true); });
    }
}

/// Whether the first word is none of the verbs, which are then named on standard error.
bool unknown_verb(const CLI::App& app, const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front().starts_with('-')) return false;
  std::string names;
  for (const CLI::App* verb : app.get_subcommands(nullptr)) {
    if (verb->get_name() == arguments.front()) return false;
    names += (names.empty() ? "" : ", ") + verb->get_name();
  }
  std::fprintf(stderr, "knnbert: '%s' given, one of %s expected\n", cli::printable(arguments.front()).c_str(),
               names.c_str());
  return true;
}

/// The option of the verb whose name is at most two letters away from this one, else nothing.
std::string similar_option(const CLI::App& verb, const std::string& name) {
  std::string similar;
  index_t least = 3;
  for (const CLI::Option* option : verb.get_options())
    for (const std::string& other : option->get_lnames())
      if (const index_t distance = edit_distance(name, "--" + other); distance < least)
        least = distance, similar = "--" + other;
  return similar;
}

/// What is wrong with a command line, words that the verb does not know before options that it misses.
std::string message_of(const CLI::App& app, const CLI::ParseError& error) {
  const auto asked = app.get_subcommands();
  const auto unknown = asked.empty() ? std::vector<std::string>() : asked.front()->remaining();
  if (unknown.empty()) return error.what();
  const std::string verb = asked.front()->get_name();
  for (const std::string& word : unknown) {
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(0, word.find('=')), similar = similar_option(*asked.front(), name);
    return format("{}: not an option of {}{}", name, verb, similar.empty() ? "" : ", which has " + similar);
  }
  const std::string place = format("'{}': given to {} without the name of an option", unknown.front(), verb);
  return error.get_name() == "RequiredError" ? format("{}; {}", place, error.what()) : place;
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
  const std::vector<std::string> given(argv + 1, argv + argc);
  std::vector<std::string> all;  // with those of --config
  add_verbs(app, given);
  require_finite_numbers(app);
  cli::refuse_teams(app);
  cli::set_program(app);
  try {
    if (given.empty()) {
      std::fputs(app.help().c_str(), stderr);
      return 2;
    }
    if (unknown_verb(app, given)) return 2;
    all = cli::with_config(app, given);
    app.parse(std::vector<std::string>(all.rbegin(), all.rend()));  // as the parser wants them
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // of --help and --version
    const std::string message = message_of(app, error);
    std::fprintf(stderr, "%s%s\nRun with --help for more information.\n", cli::origin_of(given, all, message).c_str(),
                 cli::printable(message).c_str());
    return 2;
  } catch (const cli::Stopped& stopped) {
    std::fflush(stdout);
    return 128 + stopped.signal;
  } catch (const std::exception& error) { return cli::report_failure(error, "knnbert: "); }
}

}  // namespace

int main(int argc, char** argv) {
  hold_closed_streams();
  keep_freed_memory();
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
