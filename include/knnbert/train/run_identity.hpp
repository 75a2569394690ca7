#pragma once
#include <string>
#include <utility>
#include <vector>

#include "knnbert/core/parameters.hpp"
#include "knnbert/distributed/team.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/text/training_data.hpp"
#include "knnbert/train/options.hpp"

namespace knnbert {

/// A setting that two runs do not share.
struct SettingDifference {
  std::string name, there, here;  ///< values as text; "nothing" where a run does not know the name
};

/// A checkpoint, or a model, of a run with other settings.
struct OtherRunError : FormatError {
  OtherRunError(const std::string& where, std::vector<SettingDifference> different)
      : FormatError(where + text_of(different)), place(where), differences(std::move(different)) {}

  static std::string text_of(const std::vector<SettingDifference>& differences) {
    std::string text = ": of another run: ";
    for (std::size_t i = 0; i < differences.size(); ++i)
      text += format("{}{} {} there, {} here", i ? "; " : "", differences[i].name, differences[i].there,
                     differences[i].here);
    return text;
  }

  std::string place;
  std::vector<SettingDifference> differences;
};

namespace detail {

inline std::uint64_t mix_bytes(std::uint64_t hash, std::span<const std::byte> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word = word << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    if (i % 8 == 7 || i + 1 == bytes.size()) hash = mix_bits(hash ^ word), word = 0;
  }
  return mix_bits(hash ^ bytes.size());
}

/// The first `count` hexadecimal digits of a hash.
inline std::string hex_digits(std::uint64_t hash, int count = 16) {
  std::string digits;
  for (int shift = 60; shift > 60 - 4 * count; shift -= 4) digits += "0123456789abcdef"[(hash >> shift) & 15];
  return digits;
}

}  // namespace detail

/// All that decides the result of a training run, by name: equal for a run and its continuation.
class RunIdentity {
 public:
  RunIdentity() = default;
  /// Errors: FormatError.
  RunIdentity(const Json& json, const std::string& where) {
    if (!json.is_object()) raise<FormatError>("{}: run: an object of settings expected", where);
    for (const auto& [name, value] : json.items()) settings_.emplace_back(name, value);
  }

  void add(std::string_view name, float value) { add(name, detail::shortest_decimal(value)); }
  template <class T>
  void add(std::string_view name, const T& value) {
    settings_.emplace_back(std::string(name), value);
  }

  OrderedJson json() const {
    OrderedJson json = OrderedJson::object();
    for (const auto& [name, value] : settings_) json[name] = value;
    return json;
  }

  /// What another run, "there", has not in common with this one.
  std::vector<SettingDifference> differences(const RunIdentity& there) const {
    std::vector<SettingDifference> found;
    for (const auto& [name, value] : settings_)
      if (const auto other = there.text_of(name), own = text_of(value); other != own)
        found.push_back({name, other, own});
    for (const auto& [name, value] : there.settings_)
      if (const auto own = text_of(name); own == nothing) found.push_back({name, text_of(value), own});
    return found;
  }
  bool operator==(const RunIdentity& other) const { return differences(other).empty(); }

  /// A number that changes with any setting.
  std::uint64_t hash() const {
    const std::string text = json().dump();
    return detail::mix_bytes(0, std::as_bytes(std::span(text)));
  }

 private:
  static constexpr const char* nothing = "nothing";

  static std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }
  std::string text_of(const std::string& name) const {
    for (const auto& [own, value] : settings_)
      if (own == name) return text_of(value);
    return nothing;
  }

  std::vector<std::pair<std::string, Json>> settings_;
};

/// A text that changes with any token or label of the data.
inline std::string identity_of(const Batch& tokens, std::span<const label_t> labels) {
  std::uint64_t hash = detail::mix_bytes(0, std::as_bytes(std::span(tokens.ids)));
  for (const auto part :
       {std::as_bytes(std::span(tokens.segments)), std::as_bytes(std::span(tokens.offsets)), std::as_bytes(labels)})
    hash = detail::mix_bytes(hash, part);
  return format("{} examples, {}", tokens.size(), detail::hex_digits(hash));
}

/// A text that changes with any name or shape of the parameters and with the layout of weights.
inline std::string identity_of(const ParameterTable& table) {
  std::uint64_t hash = table.weights() == Layout::panels ? 0 : 1;
  for (const Parameter& p : table.all()) {
    const index_t shape[] = {p.rows, p.cols};
    hash =
        detail::mix_bytes(detail::mix_bytes(hash, std::as_bytes(std::span(p.name))), std::as_bytes(std::span(shape)));
  }
  return format("{} numbers, {}", table.size(), detail::hex_digits(hash));
}

/// The options that decide the result: not how often checkpoints are written, nor when training may stop.
inline RunIdentity identity_of(const TrainerOptions& o) {
  RunIdentity run;
  for (const auto& [name, value] : o.settings) run.add(name, value);
  run.add("epochs", o.epochs);
  run.add("batch_size", o.batch_size);
  run.add("part_size", o.part_size);
  run.add("learning_rate", o.learning_rate);
  run.add("head_learning_rate", o.head_learning_rate);
  run.add("schedule", schedule_names[static_cast<int>(o.schedule)]);
  run.add("warmup", o.warmup);
  run.add("weight_decay", o.weight_decay);
  run.add("clip_norm", o.clip_norm);
  run.add("dropout", o.dropout);
  run.add("seed", o.seed);
  run.add("selection", predictor_names[static_cast<int>(o.selection)]);
  run.add("rebuild_store", o.rebuild_store);
  return run;
}

/// Throws CommunicationError on all processes, unless all have the same run.
inline void require_same_run(const Team& team, std::string_view where, const RunIdentity& own) {
  std::string text = own.json().dump();
  text.resize(static_cast<std::size_t>(broadcast_value(team, std::ssize(text))));
  team.broadcast(std::as_writable_bytes(std::span(text)));
  std::string mine = OtherRunError::text_of(own.differences(RunIdentity(parse_json(text, where), std::string(where))));
  if (own == RunIdentity(parse_json(text, where), std::string(where))) mine.clear();
  std::vector<std::string> all;
  const index_t size = std::ssize(mine);
  const auto sizes = gather_values(team, std::span<const index_t>(&size, 1));
  const auto texts = gather_values(team, std::span<const char>(mine));
  const char* next = texts.data();
  for (std::size_t rank = 0; rank < sizes.size(); next += sizes[rank++])
    if (sizes[rank])
      raise<CommunicationError>("{}: rank {}{}; as on rank 0, there, expected", where, rank,
                                std::string_view(next, static_cast<std::size_t>(sizes[rank])));
}

}  // namespace knnbert
