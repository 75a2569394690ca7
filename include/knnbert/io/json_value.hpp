#pragma once
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"
#include "knnbert/io/utf8.hpp"

namespace knnbert::inline v0_1 {

using Json = nlohmann::json;                 ///< keys sorted, fast lookup: for reading
using OrderedJson = nlohmann::ordered_json;  ///< keys in the order of insertion: for writing

/// The value as a T: bool, an integer (range checked), a floating-point number (finite), std::string, Json, or a
/// std::vector of these.  `what` names it in errors.  Errors: FormatError.
template <class T>
T json_as(const Json& value, std::string_view what);

namespace detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

[[noreturn]] inline void raise_json_type(const Json& value, std::string_view what, std::string_view expected) {
  constexpr std::size_t longest = 60;
  const auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  raise<FormatError>("{}: {} given, {} expected", what, first_characters(text, longest), expected);
}

template <class T>
T json_integer(const Json& value, std::string_view what) {
  bool in_range = value.is_number_integer();
  if (in_range && value.is_number_unsigned()) in_range = std::in_range<T>(value.get<std::uint64_t>());
  else if (in_range) in_range = std::in_range<T>(value.get<std::int64_t>());
  if (!in_range) {
    using Limits = std::numeric_limits<T>;
    raise_json_type(value, what, format("an integer from {} to {}", Limits::min(), Limits::max()));
  }
  return value.get<T>();
}

template <class T>
T json_array(const Json& value, std::string_view what) {
  if (!value.is_array()) raise_json_type(value, what, "an array");
  T elements;
  for (const auto& element : value)
    elements.push_back(json_as<typename T::value_type>(element, format("{}[{}]", what, elements.size())));
  return elements;
}

}  // namespace detail

template <class T>
T json_as(const Json& value, std::string_view what) {
  if constexpr (std::is_same_v<T, Json>) {
    return value;
  } else if constexpr (detail::is_vector<T>) {
    return detail::json_array<T>(value, what);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) detail::raise_json_type(value, what, "true or false");
    return value.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    return detail::json_integer<T>(value, what);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number() || !(std::abs(value.get<double>()) <= double{std::numeric_limits<T>::max()}))
      detail::raise_json_type(value, what, "a finite number");
    return value.get<T>();
  } else {
    static_assert(std::is_same_v<T, std::string>,
                  "json_as knows bool, numbers, std::string, Json and vectors of these");
    if (!value.is_string()) detail::raise_json_type(value, what, "a string");
    return value.get<std::string>();
  }
}

/// The value of a key that must exist; `where` names file and object.  Errors: FormatError naming where and key.
template <class T>
T require(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) detail::raise_json_type(object, where, "an object");
  const auto found = object.find(std::string(key));
  if (found == object.end()) raise<FormatError>("{}: key '{}' is missing", where, key);
  return json_as<T>(*found, format("{}: {}", where, key));
}

/// As require, with a value for a key that is absent or null.
template <class T>
T optional_value(const Json& object, std::string_view key, T fallback, std::string_view where) {
  if (!object.is_object()) detail::raise_json_type(object, where, "an object");
  const auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return fallback;
  return json_as<T>(*found, format("{}: {}", where, key));
}

}  // namespace knnbert::inline v0_1
