#pragma once
#include <algorithm>
#include <optional>
#include <string>

#include "catch.hpp"
#include "knnbert/text/batch.hpp"
#include "rows.hpp"

namespace knnbert_test {

using Ids = std::vector<knnbert::token_t>;

/// Folder of the dumps of a script of tests/reference, after a warning nothing.
inline std::optional<std::filesystem::path> dumps(const std::string& name) {
  auto place = folder("KNNBERT_REFERENCE");
  if (place && std::filesystem::exists(*place / name)) return *place / name;
  WARN("skipped: KNNBERT_REFERENCE names no folder with the dumps of tests/reference/" << name << ".py");
  return std::nullopt;
}

inline std::string readable(std::span<const knnbert::token_t> ids) {
  std::string text;
  for (const auto id : ids.first(std::min<std::size_t>(ids.size(), 40))) text += std::to_string(id) + " ";
  return text;
}

inline std::string readable(std::string_view text) { return std::string(text.substr(0, 200)); }

/// Counts rows whose expectation differs from what `compute` gives; tells about the first ones.
template <class Expected, class Compute>
void compare(const std::string& name, const Expected& expected, std::size_t count, Compute compute) {
  REQUIRE(expected.size() == count);
  std::size_t mismatches = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& computed = compute(i);
    const auto wanted = expected[i];
    if (std::equal(computed.begin(), computed.end(), wanted.begin(), wanted.end())) continue;
    if (++mismatches <= 3)
      WARN(name << " row " << i << ": " << readable(computed) << "instead of " << readable(wanted));
  }
  INFO(name << ": " << count << " rows");
  CHECK(mismatches == 0);
}

/// Ids of whole texts, special tokens included.
template <class Tokenizer>
void compare_texts(const std::filesystem::path& place, const std::string& texts_name, const std::string& name,
                   const Tokenizer& tokenizer) {
  const TextRows texts(place, texts_name);
  knnbert::Batch batch;
  compare(name, Rows<knnbert::token_t>(place, name), texts.size(), [&](std::size_t i) -> const Ids& {
    batch.clear();
    tokenizer.append(texts[i], batch);
    return batch.ids;
  });
}

/// Ids of texts in `limited` and ids and segments of pairs in `pairs`, of a kind of tokenizer, each with a limit.
template <class Tokenizer>
void compare_limited(const std::filesystem::path& place, const std::string& kind, const Tokenizer& tokenizer) {
  const TextRows texts(place, "limited"), pairs(place, "pairs");
  const Rows<knnbert::token_t> limited(place, "limited." + kind), paired(place, "pairs." + kind);
  Ids row;
  knnbert::Batch batch;
  compare("limited." + kind, limited, texts.size(), [&](std::size_t i) -> const Ids& {
    batch.clear();
    tokenizer.append(texts[i], batch, limited[i][0]);
    row.assign(1, limited[i][0]);
    row.insert(row.end(), batch.ids.begin(), batch.ids.end());
    return row;
  });
  compare("pairs." + kind, paired, pairs.size() / 2, [&](std::size_t i) -> const Ids& {
    batch.clear();
    tokenizer.append(pairs[2 * i], pairs[2 * i + 1], batch, paired[i][0]);
    row.assign(1, paired[i][0]);
    row.insert(row.end(), batch.ids.begin(), batch.ids.end());
    row.insert(row.end(), batch.segments.begin(), batch.segments.end());
    return row;
  });
}

/// All code points but surrogates.
inline std::vector<char32_t> code_points() {
  std::vector<char32_t> codes;
  for (char32_t c = 0; c < 0x110000; ++c)
    if (c < 0xd800 || c >= 0xe000) codes.push_back(c);
  return codes;
}

/// As token_rows.py's SOME_CODE_POINTS.
inline std::vector<char32_t> some_code_points() {
  auto codes = code_points();
  std::erase_if(codes, [](char32_t c) { return c >= 0x40000 && c >> 16 != 14 && c % 97 != 0; });
  return codes;
}

/// Names of the data sets whose texts were dumped.
inline std::vector<std::string> data_sets(const std::filesystem::path& place) {
  std::vector<std::string> sets;
  for (const auto& entry : std::filesystem::directory_iterator(place)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("data.") && std::count(name.begin(), name.end(), '.') == 3)
      sets.push_back(name.substr(0, name.find(".rows")));
  }
  return sets;
}

}  // namespace knnbert_test
