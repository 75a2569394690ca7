#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "knnbert/text/dataset.hpp"
#include "options.hpp"

/// Lines that hold two texts: `text <tab> second text`.
namespace knnbert::cli {

struct PairOptions {
  bool yes = false, no = false;  ///< neither: as the examples of a model directory are
};

void add_pairs(CLI::App& verb, PairOptions& options);

/// Whether lines are pairs for a model or encoder directory.  Errors: IoError, FormatError.
bool takes_pairs(const PairOptions& options, const std::filesystem::path& directory);

/// Warns where labeled data have a second text and the examples of the model in a directory have none, or the reverse.
void warn_of_other_pairs(const Dataset& data, const std::string& path, const std::filesystem::path& directory);
/// The same where those that they are compared with are pairs or none. whose: "the model's examples".
void warn_of_other_pairs(const Dataset& data, const std::string& path, bool pairs, const char* whose);

/// Cuts lines at their first tab.  Returns the second texts, empty where a line has none; `warned` turns true with the
/// first such line, of which standard error tells then. name: of the input.
std::vector<std::string> split_pairs(std::vector<std::string>& lines, const std::string& name, bool& warned);

/// For people and for pages that show one text: both, in one line.
std::string both_texts(const std::string& text, const std::string& pair);

}  // namespace knnbert::cli
