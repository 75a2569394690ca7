#pragma once
#include "knnbert/core/type_name.hpp"
#include "knnbert/io/json.hpp"

/// The policies of a stack in knnbert.json: each under its role by name, with the numbers that users tune.
namespace knnbert::detail {

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
void write_policy(OrderedJson& json, const char* role, const Policy& policy) {
  json[role] = policy_name(policy);
  for_each_setting(policy, [&](const char* key, float number, float, float) { json[key] = shortest_decimal(number); });
}

/// A directory that does not name the policy yet is accepted.
inline void require_policy(const Json& json, const char* role, const std::string& own, const std::string& where) {
  if (!json.contains(role)) return;
  if (const auto named = require<std::string>(json, role, where); named != own)
    raise<FormatError>("{}: {} '{}' given, '{}' of this stack expected", where, role, named, own);
}

/// Reads the numbers of a policy; one that can be chosen by name, by a member bool set_name(name), becomes the named
/// one.
template <class Policy>
void read_policy(const Json& json, const char* role, const std::string& where, Policy& policy) {
  if constexpr (requires {
                  { policy.set_name(std::string()) } -> std::same_as<bool>;
                }) {
    if (json.contains(role) && !policy.set_name(require<std::string>(json, role, where)))
      raise<FormatError>("{}: {} '{}' given, a known one expected", where, role,
                         require<std::string>(json, role, where));
  } else {
    require_policy(json, role, policy_name(policy), where);
  }
  for_each_setting(policy, [&](const char* key, float& number, float least, float greatest) {
    const auto given = optional_value<float>(json, key, number, where);
    if (!(given >= least && given <= greatest))
      raise<FormatError>("{}: {} {} given, {} to {} expected", where, key, given, least, greatest);
    number = given;
  });
}

}  // namespace knnbert::detail
