#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert_benchmark {

/// Positional arguments and `--name value` pairs.
class Arguments {
 public:
  Arguments(int count, char** values) {
    for (int i = 1; i < count; ++i) {
      const std::string value = values[i];
      if (!value.starts_with("--")) positional_.push_back(value);
      else if (i + 1 < count) options_.emplace_back(value, values[++i]);
      else knnbert::raise<knnbert::OptionError>("{}: a value expected", value);
    }
  }

  std::string positional(std::size_t index, const char* name) const {
    if (index >= positional_.size()) knnbert::raise<knnbert::OptionError>("{} expected", name);
    return positional_[index];
  }
  std::string text(const std::string& name, const std::string& fallback) const {
    const auto found = std::find_if(options_.begin(), options_.end(), [&](const auto& o) { return o.first == name; });
    return found == options_.end() ? fallback : found->second;
  }
  knnbert::index_t number(const std::string& name, knnbert::index_t fallback) const {
    const auto given = text(name, "");
    return given.empty() ? fallback : std::stoll(given);
  }

 private:
  std::vector<std::string> positional_;
  std::vector<std::pair<std::string, std::string>> options_;
};

}  // namespace knnbert_benchmark
