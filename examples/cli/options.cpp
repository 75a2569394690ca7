#include "options.hpp"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "knnbert/io/gzip.hpp"
#include "knnbert/model/model_file.hpp"
#include "knnbert/text/dataset_labels.hpp"

namespace knnbert::cli {

void add_common(CLI::App& verb, CommonOptions& options) {
  verb.add_option("--threads", options.threads,
                  "threads of a process; 0: all of the machine, shared by the processes that mpirun starts on it")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  verb.add_option("--precision", options.precision,
                  "numbers that the encoder's products multiply; default: fp32, or as the model was saved")
      ->check(CLI::IsMember({"fp32", "bf16", "int8"}));
  verb.add_option("--backend", options.backend,
                  "what computes: this library's own kernels, or LibTorch if the program was built with it")
      ->capture_default_str()
      ->check(CLI::IsMember({"native", "torch"}));
  verb.add_option("--device", options.device, "where LibTorch computes: cpu, cuda or cuda:N")->capture_default_str();
  verb.add_flag("--json", options.json, "print JSON");
  add_config(verb, options.config);
}

void add_config(CLI::App& verb, std::string& path) {
  const char* own = verb.get_name() == "train" ? ", such as a training.json" : "";
  verb.add_option("--config", path,
                  format("read options that the command line does not give from a TOML, INI or JSON file{}", own));
}

void add_data(CLI::App& verb, DataOptions& options) {
  verb.add_option("--format", options.format, "layout of data files")
      ->capture_default_str()
      ->check(CLI::IsMember(
          {"automatic", "tsv", "csv", "jsonl", "glue", "label_text", "clinc", "fasttext", "ag_news", "imdb"}));
  verb.add_option("--text-column", options.text_column, "name or number of the text's column");
  verb.add_option("--pair-column", options.pair_column, "name or number of the second text's column");
  verb.add_option("--label-column", options.label_column, "name or number of the label's column");
  verb.add_option("--header", options.header, "whether the first row names the columns")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "present", "absent"}));
  verb.add_option("--split", options.split, "lists to read from a CLINC file, such as test+oos_test")
      ->capture_default_str();
  verb.add_option("--quotes", options.quotes,
                  "whether fields of TSV and CSV files in double quotes lose them, as RFC 4180 says; automatic: in "
                  "CSV, and where a TSV file was written so")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "none", "rfc4180"}));
  add_encoding(verb, options.encoding);
}

void add_input(CLI::App& verb, std::string& input, std::string& encoding) {
  verb.add_option("input,--input", input, "file of texts, one a line, - for standard input")->capture_default_str();
  add_encoding(verb, encoding);
}

void add_encoding(CLI::App& verb, std::string& encoding) {
  const auto known = [](const std::string& name) {
    try {
      parse_encoding(name);
      return std::string();
    } catch (const OptionError& error) { return std::string(error.what()); }
  };
  verb.add_option("--encoding", encoding,
                  "of texts without byte-order mark: utf8, windows-1252 (latin1 means the same), utf16le or utf16be")
      ->capture_default_str()
      ->check(known);
}

void require_no_model(const std::string& output) {
  if (committed_exists(std::filesystem::path(output) / "knnbert.json"))
    raise<OptionError>("--output: {} is a model directory, one for an encoder expected", output);
}

void require_own_folder(const std::string& output, const char* own) {
  const std::filesystem::path folder = output;
  if (committed_exists(folder / own)) return;
  constexpr const char* written[] = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                                     "vocab.txt",   "vocab.json",        "merges.txt",     "modules.json"};
  std::error_code missing;
  for (const char* name : written)
    if (std::filesystem::exists(folder / name, missing))
      raise<OptionError>(
          "--output: {} is there, but no {}: a folder without files of others that would be replaced "
          "expected",
          (folder / name).string(), own);
}

void require_other_file(const char* option, const std::string& output, const std::string& input) {
  std::error_code missing;
  if (std::filesystem::equivalent(output, input, missing))
    raise<OptionError>("{}: {} is what is read, another place expected", option, output);
}

void require_no_file_of(const char* option, const std::filesystem::path& output, const std::string& directory) {
  std::error_code missing;
  if (!std::filesystem::exists(output, missing)) return;
  const auto place = std::filesystem::canonical(output, missing),
             folder = std::filesystem::canonical(directory, missing);
  const auto kind = place.extension();
  const bool inside = std::mismatch(folder.begin(), folder.end(), place.begin(), place.end()).first == folder.end();
  if (inside && (kind == ".json" || kind == ".safetensors" || kind == ".txt" || place.filename() == "metrics.jsonl"))
    raise<OptionError>("{}: {} is a file of the model, another place expected", option, output.string());
}

label_t class_named(const std::vector<std::string>& classes, const std::string& name, const char* option) {
  auto found = std::find(classes.begin(), classes.end(), name);
  if (found == classes.end()) found = std::find(classes.begin(), classes.end(), detail::canonical_label(name));
  if (found == classes.end()) raise<OptionError>("{}: '{}' given, a class of the data expected", option, name);
  return static_cast<label_t>(found - classes.begin());
}

index_t usable_cores() {
#ifdef __linux__  // where std::thread::hardware_concurrency() may count the cores of the machine
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
#endif
  return static_cast<index_t>(std::thread::hardware_concurrency());
}

index_t threads_of(const CommonOptions& options) {
  if (options.threads > 0) return options.threads;
  const index_t usable = usable_cores();
  const char* neighbors = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");  // processes of one launcher that share the
                                                                      // machine
  const bool bound = usable < ::sysconf(_SC_NPROCESSORS_ONLN);        // the launcher has shared it out already
  return std::max<index_t>(1, usable / (neighbors && !bound ? std::max(1, std::atoi(neighbors)) : 1));
}

std::optional<Precision> precision_of(const CommonOptions& options) {
  return options.precision.empty() ? std::nullopt : std::optional(precision_from(options.precision));
}

DatasetOptions dataset_options(const DataOptions& options, bool labels) {
  DatasetOptions result;
  result.format = parse_format(options.format);
  result.text_column = options.text_column;
  result.pair_column = options.pair_column;
  result.label_column = options.label_column;
  result.header = options.header == "present"  ? Header::present
                  : options.header == "absent" ? Header::absent
                                               : Header::automatic;
  result.split = options.split;
  result.quotes = options.quotes == "none"      ? Quotes::none
                  : options.quotes == "rfc4180" ? Quotes::rfc4180
                                                : Quotes::automatic;
  result.encoding = parse_encoding(options.encoding);
  result.labels_required = labels;
  result.decompress = decompress;
  return result;
}

TaskSettings task_of(const std::filesystem::path& model) {
  const auto file = model / "knnbert.json";
  return committed_exists(file) ? read_model_file(file).task : TaskSettings();
}

DatasetOptions dataset_options(const DataOptions& options, const std::filesystem::path& model) {
  const TaskSettings task = task_of(model);
  DatasetOptions result = dataset_options(options);
  result.label_kind = label_kind(task.task);
  result.label_separator = task.separator;
  return result;
}

}  // namespace knnbert::cli
