#pragma once
#include "knnbert/config.hpp"
#include "knnbert/core/rng.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/train/run_identity.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline constexpr const char* no_setting = "nothing";  // the value of a name that a run does not know

}  // namespace detail

KNNBERT_INLINE OtherRunError::OtherRunError(const std::string& where, std::vector<SettingDifference> different)
    : FormatError(where + text_of(different)), run(where), differences(std::move(different)) {}

KNNBERT_INLINE std::string OtherRunError::text_of(const std::vector<SettingDifference>& differences) {
  std::string text = ": of another run: ";
  for (std::size_t i = 0; i < differences.size(); ++i)
    text +=
        format("{}{} {} there, {} here", i ? "; " : "", differences[i].name, differences[i].there, differences[i].here);
  return text;
}

KNNBERT_INLINE std::uint64_t detail::mix_bytes(std::uint64_t hash, std::span<const std::byte> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word = word << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    if (i % 8 == 7 || i + 1 == bytes.size()) hash = mix_bits(hash ^ word), word = 0;
  }
  return mix_bits(hash ^ bytes.size());
}

KNNBERT_INLINE std::string detail::hex_digits(std::uint64_t hash, int count) {
  std::string digits;
  for (int shift = 60; shift > 60 - 4 * count; shift -= 4) digits += "0123456789abcdef"[(hash >> shift) & 15];
  return digits;
}

KNNBERT_INLINE RunIdentity RunIdentity::parse(std::string_view json_text, std::string_view where) {
  const Json json = parse_json(json_text, where);
  if (!json.is_object()) raise<FormatError>("{}: run: an object of settings expected", where);
  RunIdentity run;
  for (const auto& [name, value] : json.items())
    run.put(name, value.is_string() ? value.get<std::string>() : value.dump(), value.is_string());
  return run;
}

KNNBERT_INLINE void RunIdentity::add(std::string_view name, float value) { add(name, detail::shortest_decimal(value)); }
KNNBERT_INLINE void RunIdentity::add(std::string_view name, double value) { put(name, Json(value).dump(), false); }

KNNBERT_INLINE std::string RunIdentity::json_text() const {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, text, quoted] : settings_) json[name] = quoted ? OrderedJson(text) : OrderedJson::parse(text);
  return json.dump();
}

KNNBERT_INLINE std::vector<SettingDifference> RunIdentity::differences(const RunIdentity& there) const {
  std::vector<SettingDifference> found;
  for (const Setting& own : settings_)
    if (const auto other = there.text_of(own.name); other != own.text) found.push_back({own.name, other, own.text});
  for (const Setting& other : there.settings_)
    if (const auto own = text_of(other.name); own == detail::no_setting) found.push_back({other.name, other.text, own});
  return found;
}

KNNBERT_INLINE std::uint64_t RunIdentity::hash() const {
  const std::string text = json_text();
  return detail::mix_bytes(0, std::as_bytes(std::span(text)));
}

KNNBERT_INLINE std::string RunIdentity::text_of(const std::string& name) const {
  for (const Setting& own : settings_)
    if (own.name == name) return own.text;
  return detail::no_setting;
}

KNNBERT_INLINE std::string identity_of(const Batch& tokens, std::span<const label_t> labels) {
  std::uint64_t hash = detail::mix_bytes(0, std::as_bytes(std::span(tokens.ids)));
  for (const auto part :
       {std::as_bytes(std::span(tokens.segments)), std::as_bytes(std::span(tokens.offsets)), std::as_bytes(labels)})
    hash = detail::mix_bytes(hash, part);
  return format("{} examples, {}", tokens.size(), detail::hex_digits(hash));
}

KNNBERT_INLINE std::string identity_of(const ParameterTable& table) {
  std::uint64_t hash = table.weights() == Layout::panels ? 0 : 1;
  for (const Parameter& p : table.all()) {
    const index_t shape[] = {p.rows, p.cols};
    hash =
        detail::mix_bytes(detail::mix_bytes(hash, std::as_bytes(std::span(p.name))), std::as_bytes(std::span(shape)));
  }
  return format("{} numbers, {}", table.size(), detail::hex_digits(hash));
}

KNNBERT_INLINE RunIdentity identity_of(const TrainerOptions& o) {
  RunIdentity run;
  for (const auto& [name, value] : o.settings) run.add(name, value);
  run.add("epochs", o.epochs);
  run.add("batch_size", o.batch_size);
  run.add("part_size", o.part_size);
  run.add("updates_per_batch", o.updates_per_batch);
  run.add("learning_rate", o.learning_rate);
  run.add("head_learning_rate", o.head_learning_rate);
  run.add("schedule", schedule_names[static_cast<int>(o.schedule)]);
  run.add("warmup", o.warmup);
  run.add("weight_decay", o.weight_decay);
  if (o.adam_epsilon != TrainerOptions{}.adam_epsilon) run.add("adam_epsilon", o.adam_epsilon);
  run.add("clip_norm", o.clip_norm);
  run.add("dropout", o.dropout);
  if (o.frozen_layers > 0) run.add("frozen_layers", o.frozen_layers);
  run.add("seed", o.seed);
  run.add("selection", o.select_any ? "any" : predictor_names[static_cast<int>(o.selection)]);
  run.add("metric", score_names[static_cast<int>(o.metric)]);
  run.add("positive", o.positive);
  run.add("sampling", sampling_names[static_cast<int>(o.sampling)]);
  run.add("rebuild_store", o.rebuild_store);
  return run;
}

KNNBERT_INLINE void require_same_values(const Team& team, std::string_view what, const ParameterBlock& own) {
  if (team.size() == 1) return;
  require_same(team, what, detail::mix_bytes(0, std::as_bytes(std::span(own.data(), as_size(own.size())))));
}

KNNBERT_INLINE void require_same_run(const Team& team, std::string_view where, const RunIdentity& own) {
  std::string text = own.json_text();
  text.resize(static_cast<std::size_t>(broadcast_value(team, std::ssize(text))));
  team.broadcast(std::as_writable_bytes(std::span(text)));
  const auto different = own.differences(RunIdentity::parse(text, where));
  const std::string mine = different.empty() ? std::string() : OtherRunError::text_of(different);
  const index_t size = std::ssize(mine);
  const auto sizes = gather_values(team, std::span<const index_t>(&size, 1));
  const auto texts = gather_values(team, std::span<const char>(mine));
  const char* next = texts.data();
  for (std::size_t rank = 0; rank < sizes.size(); next += sizes[rank++])
    if (sizes[rank])
      raise<CommunicationError>("{}: rank {}{}; as on rank 0, there, expected", where, rank,
                                std::string_view(next, static_cast<std::size_t>(sizes[rank])));
}

}  // namespace knnbert::inline v0_1
