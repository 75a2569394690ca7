// Levenshtein's distance in characters.
#include "knnbert/text/edit_distance.hpp"

#include "catch.hpp"
#include "knnbert/core/rng.hpp"

using namespace knnbert;

namespace {

/// The recursion as it is defined.
index_t defined_distance(std::u32string_view a, std::u32string_view b) {
  if (a.empty() || b.empty()) return std::ssize(a) + std::ssize(b);
  const auto x = a.substr(1), y = b.substr(1);
  if (a[0] == b[0]) return defined_distance(x, y);
  return 1 + std::min({defined_distance(x, y), defined_distance(x, b), defined_distance(a, y)});
}

}  // namespace

TEST_CASE("edit distance counts characters, whatever their bytes") {
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "酒店") == 2);
  CHECK(edit_distance("酒店", "") == 2);
  CHECK(edit_distance("酒店很大", "酒店很大") == 0);
  CHECK(edit_distance("这家酒店很大。", "这家宾馆大。") == 3);
  CHECK(edit_distance("aa", "aaa") == 1);  // ends that are alike overlap
  CHECK(edit_distance("aba", "aa") == 1);
  CHECK(edit_distance("\xff", "\xef\xbf\xbd") == 0);
  CHECK(characters_of("a酒\xf0\x9f\x98\x80") == U"a酒\U0001F600");
}

TEST_CASE("edit distance is what its recursion defines") {
  const Rng rng(3, Stream::sample);
  std::uint64_t drawn = 0;
  const auto text = [&] {
    std::u32string t(as_size(rng.below(drawn++, 7)), U'a');
    for (auto& c : t) c += static_cast<char32_t>(rng.below(drawn++, 3));
    return t;
  };
  for (int i = 0; i < 300; ++i) {
    const auto a = text(), b = text();
    CHECK(edit_distance(a, b) == defined_distance(a, b));
  }
}

TEST_CASE("edit distance of long texts costs what differs, and is right when nearly everything does") {
  CHECK(edit_distance(std::u32string(50, U'a'), std::u32string(40, U'b')) == 50);
  CHECK(edit_distance(std::u32string(33, U'a') + U"xyz", U"xyz" + std::u32string(33, U'a')) == 6);
  CHECK(edit_distance(std::u32string(100, U'a'), std::u32string(3, U'a')) == 97);
  std::u32string text(60'000, U'a'), other = text;
  for (std::size_t i = 0; i < 40; ++i) other[1'500 * i] = U'b';
  CHECK(edit_distance(text, other) == 40);
}
