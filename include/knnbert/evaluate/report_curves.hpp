#pragma once
#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/evaluate/report_data.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline Curve& curve_of(std::vector<Curve>& curves, const std::string& panel, const std::string& name,
                       const std::string& axis) {
  const auto found = std::find_if(curves.begin(), curves.end(),
                                  [&](const Curve& c) { return c.panel == panel && c.name == name && c.axis == axis; });
  if (found != curves.end()) return *found;
  return curves.emplace_back(Curve{panel, name, {}, axis});
}

}  // namespace detail

/// Curves from the rows of metrics.jsonl, in order of appearance. A number becomes a curve in a panel of its own name,
/// an object of numbers a panel with a curve for each; null is a gap; anything else and the keys in `skip` are ignored.
/// The position is the row's "step", else its "epoch", else its place. Rows: a sequence of Json or OrderedJson.
template <class Rows>
std::vector<Curve> curves_from_rows(const Rows& rows, std::initializer_list<std::string_view> skip = {}) {
  std::vector<Curve> curves;
  double place = 0;
  for (const auto& row : rows) {
    const auto has = [&](const char* key) { return row.is_object() && row.contains(key) && row[key].is_number(); };
    const std::string axis = has("step") ? "step" : has("epoch") ? "epoch" : "row";
    const double at = axis == "row" ? place : row[axis].template get<double>();
    const auto add = [&](const std::string& panel, const std::string& name, const auto& value) {
      if (!value.is_number() && !value.is_null()) return;
      const double y = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.template get<double>();
      detail::curve_of(curves, panel, name, axis).points.emplace_back(at, y);
    };
    if (row.is_object())
      for (const auto& [key, value] : row.items()) {
        if (key == "step" || key == "epoch" || std::find(skip.begin(), skip.end(), key) != skip.end()) continue;
        if (!value.is_object()) add(key, key, value);
        else
          for (const auto& [name, part] : value.items()) add(key, name, part);
      }
    ++place;
  }
  return curves;
}

}  // namespace knnbert::inline v0_1
