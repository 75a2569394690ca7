#pragma once
#include <cmath>
#include <optional>
#include <unordered_set>

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
      if (one.is_null() || one.is_array()) raise_json_type(one, what, "a string, an integer, true or false");
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
  raise_json_type(value, what, value.is_array() ? "one label" : "a string, an integer, true or false");
}

/// The keys of an example, and what to warn of. A key that is there may be empty.
struct JsonKeys {
  std::string text;
  std::optional<std::string> pair, label;
  std::string other_text;
};

/// The keys of all rows, those of the first row in front.
class SeenKeys {
 public:
  void add(const Json& object) {
    for (const auto& item : object.items())
      if (known_.insert(item.key()).second) keys_.push_back(item.key());
    if (first_ == 0) first_ = keys_.size();
  }

  const std::vector<std::string>& all() const { return keys_; }

  /// Where usual names are: what the first row shows is kept, and others add what it lacks.
  Columns named() const {
    const auto all = named_columns(keys_);
    auto columns = named_columns({keys_.begin(), keys_.begin() + static_cast<index_t>(first_)});
    if (columns.text < 0) return all;
    if (columns.label < 0) columns.label = all.label;
    if (all.text == columns.text && columns.label != all.pair) columns.pair = all.pair;
    return columns;
  }

 private:
  std::vector<std::string> keys_;
  std::unordered_set<std::string> known_;
  std::size_t first_ = 0;
};

inline JsonKeys find_keys(const SeenKeys& seen, std::string_view where, const DatasetOptions& options) {
  const auto& keys = seen.all();
  if (keys.empty()) raise<FormatError>("{}: empty object given, text and label expected", where);
  const auto named = seen.named();
  const auto columns = ColumnFinder(keys, std::ssize(keys), where, options).find(named);
  const auto key = [&](index_t column) {
    return column < 0 ? std::nullopt : std::optional(keys[static_cast<std::size_t>(column)]);
  };
  return {key(columns.text).value_or(""), key(columns.pair), key(columns.label), other_text(keys, named, options)};
}

/// Objects in lines: each(visit) calls visit(object, place) for all of them until that returns false.
template <class Each>
void read_objects(Each each, const DatasetOptions& options, RowCollector& out) {
  SeenKeys seen;
  index_t first = 0, count = 0;
  each([&](const Json& object, index_t place) {
    if (count == options.limit) return false;
    if (!object.is_object()) raise_json_type(object, format("{}{}", out.source(), place), "an object");
    if (count++ == 0) first = place;
    seen.add(object);
    return true;
  });
  if (count == 0) return;
  const auto beginning = format("{}{}", out.source(), first);
  const JsonKeys keys = find_keys(seen, beginning, options);
  if (!keys.other_text.empty()) out.warn(format("{}: key {}", beginning, keys.other_text));
  out.set_origin({format("key '{}'", keys.label.value_or(""))});
  each([&](const Json& object, index_t place) {
    if (out.full()) return false;
    const auto where = format("{}{}", out.source(), place);
    const auto label = keys.label ? object.find(*keys.label) : object.end();
    out.add(require<std::string>(object, keys.text, where),
            keys.pair ? optional_value<std::string>(object, *keys.pair, "", where) : std::string(),
            label == object.end() ? std::string() : json_label(*label, format("{}: {}", where, *keys.label), options),
            place);
    return true;
  });
}

/// Whether a text is one JSON array, of objects as it must be, and not one object a line.
inline bool is_json_array(std::string_view text) { return trim(text).starts_with('['); }

/// One object a line, or one array of objects.
inline void read_jsonl(std::string_view text, std::string_view name, const DatasetOptions& options, RowCollector& out) {
  if (!is_json_array(text))
    return read_objects([&](auto visit) { for_each_json_line(text, name, visit); }, options, out);
  const Json rows = parse_json(text, name);
  out.set_source(format("{}: entry ", name));
  read_objects(
      [&](auto visit) {
        index_t place = 0;
        for (const Json& row : rows)
          if (!visit(row, ++place)) return;
      },
      options, out);
}

/// [text, label] of the lists that options.split names, joined by '+'.
inline void read_clinc(std::string_view text, std::string_view name, const DatasetOptions& options, RowCollector& out) {
  const Json content = parse_json(text, name);
  index_t number = 0;
  for (std::string_view rest = options.split; !rest.empty();) {
    const auto end = std::min(rest.find('+'), rest.size());
    if (content.is_object() && !content.contains(rest.substr(0, end)))
      raise<FormatError>(
          "{}: key '{}' is missing, of a list of [text, label]; an array of objects, or one a line, is read too", name,
          rest.substr(0, end));
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
