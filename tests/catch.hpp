#pragma once
// One spelling for Catch2 2 (single header, Debian 12) and Catch2 3 (split headers).
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
namespace knnbert_test {
using Catch::Approx;
}
#else
#include <catch2/catch.hpp>
namespace knnbert_test {
using Catch::Detail::Approx;
}
#endif

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace knnbert_test {

/// Approximate equality for CHECK(a == approx(b)).
inline Approx approx(double value) { return Approx(value); }

/// Folder named by an environment variable, or nothing; the caller warns and returns.
inline std::optional<std::filesystem::path> folder(const char* variable) {
  const char* value = std::getenv(variable);
  if (!value || !*value) return std::nullopt;
  return std::filesystem::path(value);
}

}  // namespace knnbert_test
