#pragma once
#include <type_traits>

#include "knnbert/core/type_name.hpp"
#include "knnbert/model/model_file.hpp"
#include "knnbert/voting/concept.hpp"

/// The policies of a stack in knnbert.json: each under its role by name, a user's also by its type, and the numbers
/// that users tune.
namespace knnbert::inline v0_1::detail {

/// The key of a setting; the first ones were there before policies had a prefix of their role.
inline std::string key_of_setting(std::string_view role, std::string_view name) {
  if (role == "fusion" && name == "phi") return "phi";
  const bool old = name == "temperature" || name == "closest" || name == "epsilon";
  return format("{}{}{}", role, role == "voting" && old ? "_" : ".", name);
}

inline std::string key_of_type(std::string_view role) { return format("{}_type", role); }

template <class Policy>
void put_policy_type(const char* role, ModelFile& file) {
  if (const auto type = foreign_type_name<Policy>(); !type.empty()) file.policies.emplace_back(key_of_type(role), type);
}
template <class Policy>
void put_policy(const char* role, const Policy& policy, ModelFile& file) {
  file.policies.emplace_back(role, policy_name(policy));
  put_policy_type<Policy>(role, file);
}

/// The same with the policy's numbers.
template <class Policy>
void put_policy_with_settings(const char* role, Policy policy, ModelFile& file) {
  static_assert(std::is_empty_v<Policy> || HasSettings<Policy>,
                "a vote or fusion with members: settings(visit) expected for saving, as voting/concept.hpp says");
  put_policy(role, policy, file);
  if constexpr (HasSettings<Policy>)
    policy.settings([&](std::string_view name, float& number, float, float) {
      file.numbers.emplace_back(key_of_setting(role, name), number);
    });
}

/// The value of a key; null if there is none.
template <class Value>
const Value* find_key(const std::vector<std::pair<std::string, Value>>& pairs, std::string_view key) {
  for (const auto& [known, value] : pairs)
    if (known == key) return &value;
  return nullptr;
}

inline void require_policy_name(const ModelFile& file, const char* role, const std::string& own,
                                const std::string& where) {
  if (const std::string* named = find_key(file.policies, role); named && *named != own)
    raise<FormatError>("{}: {} '{}' given, '{}' of this stack expected", where, role, *named, own);
}

/// Types as foreign_type_name() tells them: none is this library's.
inline void require_same_type(const std::string& type, const std::string& own, const char* role,
                              const std::string& where) {
  const auto of_type = [](const char* whose, const std::string& t) {
    return t.empty() ? format("{} of this library", whose) : format("{} of type '{}'", whose, t);
  };
  if (type != own) raise<FormatError>("{}: {} given, {} expected", where, of_type(role, type), of_type("one", own));
}

/// What can be said of a policy before there is one. A directory that does not name it or its type yet is accepted.
template <class Policy>
void require_policy_type(const ModelFile& file, const char* role, const std::string& where) {
  if constexpr (requires { std::string(Policy::name); })
    require_policy_name(file, role, std::string(Policy::name), where);
  if (const std::string* type = find_key(file.policies, key_of_type(role)))
    require_same_type(*type, foreign_type_name<Policy>(), role, where);
}

/// Of the head, files say only its type, if it is not this library's.
template <class Head>
void require_head_type(const ModelFile& file, const std::string& where) {
  const std::string* type = find_key(file.policies, key_of_type("head"));
  require_same_type(type ? *type : std::string(), foreign_type_name<Head>(), "head", where);
}

template <class Policy>
void require_policy(const ModelFile& file, const char* role, const Policy& policy, const std::string& where) {
  require_policy_name(file, role, policy_name(policy), where);
  require_policy_type<Policy>(file, role, where);
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
  }
  require_policy(file, role, policy, where);
  if constexpr (HasSettings<Policy>)
    policy.settings([&](std::string_view name, float& number, float least, float greatest) {
      const auto key = key_of_setting(role, name);
      const float* given = find_key(file.numbers, key);
      if (!given) return;
      if (!(*given >= least && *given <= greatest))
        raise<FormatError>("{}: {} {} given, {} to {} expected", where, key, *given, least, greatest);
      number = *given;
    });
}

}  // namespace knnbert::inline v0_1::detail
