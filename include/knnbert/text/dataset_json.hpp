#pragma once
#include <cmath>

#include "knnbert/io/jsonl.hpp"
#include "knnbert/text/dataset_columns.hpp"
#include "knnbert/text/dataset_rows.hpp"

namespace knnbert::inline v0_1::detail {

/// A label of a JSON object: a string, an integer, true or false; where numbers are asked for any number, where sets
/// are a list of these; null is a missing one.
inline std::string json_label(const Json& value, std::string_view what, const DatasetOptions& options) {
  if (value.is_null()) return {};
  if (value.is_number() && options.label_kind == LabelKind::number) return value.dump();
  if (value.is_array() && options.label_kind == LabelKind::set) {
    std::string set = options.label_separator;
    for (const Json& one : value) {
      const std::string name = json_label(one, what, options);
      if (name.find(options.label_separator) != std::string::npos)
        raise<FormatError>("{}: '{}' given, a name without the separator '{}' expected", what, name,
                           options.label_separator);
      set += name + options.label_separator;
    }
    return set;
  }
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer() || value.is_boolean()) return value.dump();
  if (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()) &&
      std::abs(value.get<double>()) < 1e15)
    return std::to_string(static_cast<std::int64_t>(value.get<double>()));
  raise_json_type(value, what, "a string, an integer, true or false");
}

/// The keys of an example, empty where there is none, and what to warn of.
struct JsonKeys {
  std::string text, pair, label, other_text;
};

inline JsonKeys find_keys(const Json& object, std::string_view where, const DatasetOptions& options) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  if (keys.empty()) raise<FormatError>("{}: empty object given, text and label expected", where);
  const auto named = named_columns(keys);
  const auto columns = ColumnFinder(keys, std::ssize(keys), where, options).find(named);
  const auto key = [&](index_t column) { return column < 0 ? std::string() : keys[static_cast<std::size_t>(column)]; };
  return {key(columns.text), key(columns.pair), key(columns.label), other_text(keys, named, options)};
}

inline void read_jsonl(std::string_view text, std::string_view name, const DatasetOptions& options, RowCollector& out) {
  JsonKeys keys;
  for_each_json_line(text, name, [&](const Json& object, index_t line) {
    if (out.full()) return false;
    const auto where = format("{}{}", out.source(), line);
    if (!object.is_object()) raise_json_type(object, where, "an object");
    if (const bool first = keys.text.empty(); first || keys.label.empty()) {
      keys = find_keys(object, where, options);
      if (first && !keys.other_text.empty()) out.warn(format("{}: key {}", where, keys.other_text));
      out.set_origin({format("key '{}'", keys.label)});
    }
    const auto label = object.find(keys.label);
    out.add(require<std::string>(object, keys.text, where), optional_value<std::string>(object, keys.pair, "", where),
            label == object.end() ? std::string() : json_label(*label, format("{}: {}", where, keys.label), options),
            line);
    return true;
  });
}

/// [text, label] of the lists that options.split names, joined by '+'.
inline void read_clinc(std::string_view text, std::string_view name, const DatasetOptions& options, RowCollector& out) {
  const Json content = parse_json(text, name);
  index_t number = 0;
  for (std::string_view rest = options.split; !rest.empty();) {
    const auto end = std::min(rest.find('+'), rest.size());
    const auto list = require<Json>(content, rest.substr(0, end), name);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!list.is_array()) raise_json_type(list, name, "a list of [text, label]");
    for (const auto& entry : list) {
      if (out.full()) return;
      const auto pair = json_as<std::vector<std::string>>(entry, format("{}{}", out.source(), ++number));
      if (pair.size() != 2)
        raise<FormatError>("{}{}: {} strings given, [text, label] expected", out.source(), number, pair.size());
      out.add(pair[0], {}, pair[1], number);
    }
  }
}

}  // namespace knnbert::inline v0_1::detail
