#include "pairs.hpp"

#include "knnbert/io/safetensors.hpp"
#include "knnbert/model/model_file.hpp"
#include "output.hpp"

namespace knnbert::cli {

void add_pairs(CLI::App& verb, PairOptions& options) {
  auto* const yes = verb.add_flag("--pairs", options.yes,
                                  "lines are pairs of texts with a tab between them; without --pairs and --no-pairs "
                                  "they are if the model's examples are");
  verb.add_flag("--no-pairs", options.no, "lines are single texts, whatever tabs are in them")->excludes(yes);
}

bool takes_pairs(const PairOptions& options, const std::filesystem::path& directory) {
  if (options.yes || options.no) return options.yes;
  if (const auto file = directory / "knnbert.json"; committed_exists(file))
    if (const auto pairs = read_model_file(file).task.pairs) return *pairs;
  const auto store = directory / "datastore.safetensors";  // of a model that does not say so itself
  return committed_exists(store) && SafeTensors(store).find("pair").has_value();
}

void warn_of_other_pairs(const Dataset& data, const std::string& path, const std::filesystem::path& directory) {
  const auto file = directory / "knnbert.json";
  if (data.size() == 0 || !committed_exists(file)) return;
  if (const auto pairs = read_model_file(file).task.pairs)
    warn_of_other_pairs(data, path, *pairs, "the model's examples");
}

void warn_of_other_pairs(const Dataset& data, const std::string& path, bool pairs, const char* whose) {
  if (data.size() == 0 || pairs == data.has_pairs()) return;
  constexpr const char* names[] = {"single texts", "pairs of texts"};
  print_warning(format("{}: {} given, {} are {}", input_name(path), names[!pairs], whose, names[pairs]));
}

std::vector<std::string> split_pairs(std::vector<std::string>& lines, const std::string& name, bool& warned) {
  std::vector<std::string> pairs;
  for (std::string& line : lines) {
    const auto tab = std::min(line.find('\t'), line.size());
    if (tab == line.size() && !std::exchange(warned, true))
      print_warning(format("{}: '{}' given, pairs of texts with a tab between them expected", name,
                           printable(first_characters(line, 60))));
    pairs.push_back(line.substr(std::min(tab + 1, line.size())));
    line.resize(tab);
  }
  return pairs;
}

std::string both_texts(const std::string& text, const std::string& pair) {
  return pair.empty() ? text : text + " | " + pair;
}

}  // namespace knnbert::cli
