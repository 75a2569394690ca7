#pragma once
#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "knnbert/core/error.hpp"

namespace knnbert::inline v0_1::testing {

/// The smallest archive: keeps what archive(ar) names in memory and gives it back after rewind().
class MemoryArchive {
 public:
  void operator()(std::string_view name, std::vector<float>& values) { exchange(floats_, name, values); }
  void operator()(std::string_view name, std::span<float> values) {
    std::vector<float> copy(values.begin(), values.end());
    exchange(floats_, name, copy);
    if (copy.size() != values.size())
      raise<FormatError>("MemoryArchive: {} has {} numbers, {} expected", name, copy.size(), values.size());
    std::copy(copy.begin(), copy.end(), values.begin());
  }
  void operator()(std::string_view name, std::vector<std::int64_t>& values) { exchange(integers_, name, values); }
  void operator()(std::string_view name, std::int64_t& value) {
    std::vector<std::int64_t> one{value};
    exchange(integers_, name, one);
    value = one.at(0);
  }

  /// The same under names that begin with NAME.
  auto scope(std::string_view name) { return Scope{*this, std::string(name) + "."}; }

  /// From now on values are given back instead of stored.
  void rewind() { restoring_ = true; }

  std::vector<float>& floats(const std::string& name) { return floats_.at(name); }
  std::vector<std::int64_t>& integers(const std::string& name) { return integers_.at(name); }
  bool operator==(const MemoryArchive& other) const { return floats_ == other.floats_ && integers_ == other.integers_; }

 private:
  struct Scope {
    MemoryArchive& all;
    std::string prefix;
    template <class Values>
    void operator()(std::string_view name, Values&& values) {
      all(prefix + std::string(name), std::forward<Values>(values));
    }
    Scope scope(std::string_view name) { return {all, prefix + std::string(name) + "."}; }
  };

  template <class Values>
  void exchange(std::map<std::string, Values>& kept, std::string_view name, Values& values) {
    if (!restoring_) {
      if (!kept.emplace(name, values).second) raise<FormatError>("MemoryArchive: {} named twice", name);
      return;
    }
    const auto found = kept.find(std::string(name));
    if (found == kept.end()) raise<FormatError>("MemoryArchive: nothing named {}", name);
    values = found->second;
  }

  std::map<std::string, std::vector<float>> floats_;
  std::map<std::string, std::vector<std::int64_t>> integers_;
  bool restoring_ = false;
};

}  // namespace knnbert::inline v0_1::testing
