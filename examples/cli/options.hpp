#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "input.hpp"
#include "knnbert/core/precision.hpp"
#include "knnbert/model/target_table.hpp"
#include "output.hpp"

/// What several verbs share. A verb's options are an object that its callback keeps alive.
namespace knnbert::cli {

/// Thrown by a verb that ended early, in good order, because a signal asked it to: the exit code is 128 + signal.
struct Stopped {
  int signal;
};

struct CommonOptions {
  index_t threads = 0;    ///< 0: as many as the machine has
  std::string precision;  ///< empty: the model's own
  bool json = false;
  std::string backend = "native", device = "cpu", config;
};

struct DataOptions {
  std::string format = "automatic", text_column, pair_column, label_column, header = "automatic", quotes = "automatic",
              split = "train", encoding = "utf8";
};

void add_common(CLI::App& verb, CommonOptions& options);
void add_config(CLI::App& verb, std::string& path);
void add_data(CLI::App& verb, DataOptions& options);
void add_encoding(CLI::App& verb, std::string& encoding);
/// The texts that a verb works on, as an argument or behind --input, and their encoding.
void add_input(CLI::App& verb, std::string& input, std::string& encoding);

/// Cores that a launcher, taskset or a container leaves this process.
index_t usable_cores();
index_t threads_of(const CommonOptions& options);
std::optional<Precision> precision_of(const CommonOptions& options);
/// How files are read; `labels` says whether a label is required.
DatasetOptions dataset_options(const DataOptions& options, bool labels = true);
/// The same for the task of the model in a directory; where there is none, loading it will say so.
/// Errors: FormatError.
DatasetOptions dataset_options(const DataOptions& options, const std::filesystem::path& model);
TaskSettings task_of(const std::filesystem::path& model);

/// Errors: OptionError where an encoder would replace a classifier.
void require_no_model(const std::string& output);
/// Errors: OptionError for an output that is the input, under any name.
void require_other_file(const char* option, const std::string& output, const std::string& input);
/// Refuses an output folder with files that would be replaced although none of this program's runs made them. own: a
/// file that such a run leaves.  Errors: OptionError.
void require_own_folder(const std::string& output, const char* own);

/// Errors: OptionError for an output that is a file of the model in a directory.
void require_no_file_of(const char* option, const std::filesystem::path& output, const std::string& directory);

/// The position of a class.  Errors: OptionError, which names the option, for a name that none has.
label_t class_named(const std::vector<std::string>& classes, const std::string& name, const char* option);

// One function a verb: declares its options and what it does.
void add_train(CLI::App& app);
void add_eval(CLI::App& app);
void add_predict(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_embed(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_index(CLI::App& app);
void add_add(CLI::App& app);
void add_remove(CLI::App& app);
void add_report(CLI::App& app);
void add_poison(CLI::App& app);
void add_audit(CLI::App& app);
void add_scan(CLI::App& app);
void add_pretrain(CLI::App& app);
void add_attack(CLI::App& app);

}  // namespace knnbert::cli
