#pragma once
#include <string>
#include <vector>

#include "options.hpp"

namespace knnbert::cli {

/// The arguments of a command line, and behind them the options that its --config FILE names and the line does not
/// give. FILE is TOML or INI, `batch-size = 16`, perhaps in a section [train], or JSON, such as a training.json. Names
/// may have underscores for dashes.  Errors: OptionError for a file that cannot be read and for a key that is no option
/// of the verb.
std::vector<std::string> with_config(const CLI::App& app, std::vector<std::string> arguments);

/// The --config file with a colon, if a message speaks of an option that with_config() put behind the given ones; else
/// nothing.
std::string origin_of(const std::vector<std::string>& given, const std::vector<std::string>& all,
                      std::string_view message);

/// Every option of a verb by its name, as the command line or the default has it, but for those that say nothing of the
/// result (help, config, json, profile, resume).
OrderedJson options_of(const CLI::App& verb);

/// Training terms whose options begin with a word of their own: their type, their name in the identity of a run, and
/// what the options begin with.
struct TermPrefix {
  std::string_view type, term, prefix;
};
inline constexpr TermPrefix term_prefixes[] = {{"Smoothness", "smoothness", "smart-"},
                                               {"Proximal", "proximal", "proximal-"},
                                               {"ContrastiveAdversarial", "cat", "cat-"},
                                               {"SelfDistillation", "distillation", "distill-"},
                                               {"ValueAverage", "average", "average-"}};

/// A library's message in the words of the program: members of C++ structures as the verb's options, without the names
/// of functions: "TrainerOptions::batch_size: 0 given" is "--batch-size: 0 given".
std::string in_words_of_the_program(std::string_view message);
/// Whose verb messages are about, once it has parsed the command line.
void set_program(const CLI::App& app);
/// Prints a failure as one line on standard error and returns the exit code: 2 for bad usage, 1 for a failed run.
/// who: in front of the message, such as "knnbert: ".
int report_failure(const std::exception& error, std::string_view who);

}  // namespace knnbert::cli
