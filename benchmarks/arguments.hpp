#pragma once
#include <algorithm>
#include <cstdio>
#include <exception>
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

/// The body of main(): run(arguments), an error on standard error and exit code 1.
template <class Run>
int run_program(int count, char** values, Run run) {
  try {
    return run(Arguments(count, values));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

}  // namespace knnbert_benchmark
