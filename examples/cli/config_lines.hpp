#pragma once
#include <string>
#include <string_view>
#include <vector>

/// What of TOML and INI files sets options: sections, and names with values. `title = Two words` is a value as in INI,
/// quoted strings with their escapes, and lists in brackets, over several lines too, are those of TOML.
namespace knnbert::cli {

struct ConfigLine {
  std::string section, name;
  std::vector<std::string> values;  ///< as they would be typed
};

/// Errors: OptionError with file and line.
std::vector<ConfigLine> config_lines(std::string_view text, const std::string& path);

}  // namespace knnbert::cli
