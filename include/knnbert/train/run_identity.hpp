#pragma once
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "knnbert/core/parameters.hpp"
#include "knnbert/distributed/team.hpp"
#include "knnbert/text/batch.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert::inline v0_1 {

/// A setting that two runs do not share.
struct SettingDifference {
  std::string name, there, here;  ///< values as text; "nothing" where a run does not know the name
};

/// A checkpoint, or a model, of a run with other settings.
struct OtherRunError : FormatError {
  OtherRunError(const std::string& where, std::vector<SettingDifference> different);

  static std::string text_of(const std::vector<SettingDifference>& differences);

  std::string run;  ///< where it is described
  std::vector<SettingDifference> differences;
};

namespace detail {

std::uint64_t mix_bytes(std::uint64_t hash, std::span<const std::byte> bytes);

/// The first `count` hexadecimal digits of a hash.
std::string hex_digits(std::uint64_t hash, int count = 16);

}  // namespace detail

/// All that decides the result of a training run, by name: equal for a run and its continuation.
class RunIdentity {
 public:
  RunIdentity() = default;
  /// Of a JSON object: what json_text() wrote.  Errors: FormatError.
  static RunIdentity parse(std::string_view json_text, std::string_view where);

  void add(std::string_view name, float value);
  void add(std::string_view name, double value);
  template <class T>
  void add(std::string_view name, const T& value) {
    if constexpr (std::is_same_v<T, bool>) put(name, value ? "true" : "false", false);
    else if constexpr (std::is_enum_v<T>) add(name, static_cast<std::underlying_type_t<T>>(value));
    else if constexpr (std::integral<T>) put(name, std::to_string(value), false);
    else put(name, std::string(value), true);
  }

  /// A JSON object, on one line.
  std::string json_text() const;

  /// What another run, "there", has not in common with this one.
  std::vector<SettingDifference> differences(const RunIdentity& there) const;
  bool operator==(const RunIdentity& other) const { return differences(other).empty(); }

  /// A number that changes with any setting.
  std::uint64_t hash() const;

 private:
  /// A value as text: a string where JSON puts quotes around it, else the JSON of a number or anything else.
  struct Setting {
    std::string name, text;
    bool quoted;
  };

  void put(std::string_view name, std::string text, bool quoted) {
    settings_.push_back({std::string(name), std::move(text), quoted});
  }
  std::string text_of(const std::string& name) const;

  std::vector<Setting> settings_;
};

/// A text that changes with any token or label of the data.
std::string identity_of(const Batch& tokens, std::span<const label_t> labels);

/// A text that changes with any name or shape of the parameters and with the layout of weights.
std::string identity_of(const ParameterTable& table);

/// The options that decide the result: not how often checkpoints are written, nor when training may stop.
RunIdentity identity_of(const TrainerOptions& o);

/// Throws CommunicationError on all processes, unless all have the same run.
void require_same_run(const Team& team, std::string_view where, const RunIdentity& own);
/// Throws CommunicationError unless all processes have the same values.
void require_same_values(const Team& team, std::string_view what, const ParameterBlock& own);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/train/run_identity_impl.hpp"
#endif
