#pragma once
#include <limits>

#include "knnbert/core/type_name.hpp"
#include "knnbert/model/model_file.hpp"

/// The policies of a stack in knnbert.json: each under its role by name, with the numbers that users tune.
namespace knnbert::inline v0_1::detail {

/// Calls visit(key, number, least, greatest) for the numbers that a policy has, under the names of the file.
template <class Policy, class Visit>
void for_each_setting(Policy& policy, Visit&& visit) {
  constexpr float smallest = std::numeric_limits<float>::min(), largest = std::numeric_limits<float>::max();
  if constexpr (requires { policy.phi; }) visit("phi", policy.phi, 0.0f, 1.0f);
  if constexpr (requires { policy.temperature; }) visit("voting_temperature", policy.temperature, smallest, largest);
  if constexpr (requires { policy.closest; }) visit("voting_closest", policy.closest, -largest, largest);
  if constexpr (requires { policy.epsilon; }) visit("voting_epsilon", policy.epsilon, smallest, largest);
}

template <class Policy>
void put_policy(const char* role, const Policy& policy, ModelFile& file) {
  file.policies.emplace_back(role, policy_name(policy));
  for_each_setting(policy,
                   [&](const char* key, float number, float, float) { file.numbers.emplace_back(key, number); });
}

/// The value of a key; null if there is none.
template <class Value>
const Value* find_key(const std::vector<std::pair<std::string, Value>>& pairs, std::string_view key) {
  for (const auto& [known, value] : pairs)
    if (known == key) return &value;
  return nullptr;
}

/// A directory that does not name the policy yet is accepted.
inline void require_policy(const ModelFile& file, const char* role, const std::string& own, const std::string& where) {
  if (const std::string* named = find_key(file.policies, role); named && *named != own)
    raise<FormatError>("{}: {} '{}' given, '{}' of this stack expected", where, role, *named, own);
}

/// Sets the numbers of a policy; one that can be chosen by name, by a member bool set_name(name), becomes the named
/// one.
template <class Policy>
void take_policy(const ModelFile& file, const char* role, const std::string& where, Policy& policy) {
  if constexpr (requires {
                  { policy.set_name(std::string()) } -> std::same_as<bool>;
                }) {
    if (const std::string* named = find_key(file.policies, role); named && !policy.set_name(*named))
      raise<FormatError>("{}: {} '{}' given, a known one expected", where, role, *named);
  } else {
    require_policy(file, role, policy_name(policy), where);
  }
  for_each_setting(policy, [&](const char* key, float& number, float least, float greatest) {
    const float* given = find_key(file.numbers, key);
    if (!given) return;
    if (!(*given >= least && *given <= greatest))
      raise<FormatError>("{}: {} {} given, {} to {} expected", where, key, *given, least, greatest);
    number = *given;
  });
}

}  // namespace knnbert::inline v0_1::detail
