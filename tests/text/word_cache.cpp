#include "knnbert/text/word_cache.hpp"

#include <string>

#include "catch.hpp"

using namespace knnbert;

namespace {

WordKey key(std::string_view word, bool lowercase = true) { return WordKey::of(word, lowercase); }

std::vector<token_t> pieces(const WordCache::Entry* entry) {
  if (entry == nullptr) return {-1};
  return {entry->ids.begin(), entry->ids.begin() + static_cast<index_t>(entry->count())};
}

}  // namespace

TEST_CASE("keys differ where words do") {
  CHECK(key("abc") == key("abc"));
  CHECK_FALSE(key("abc") == key("abcd"));
  CHECK_FALSE(key("abc") == key(std::string_view("abc\0", 4)));
  CHECK_FALSE(key("\xff") == key("\xff\xff"));
  CHECK_FALSE(key("12345678") == key("1234567812345678"));
  CHECK_FALSE(key("123456781") == key("12345678 1"));
  CHECK(key("") == WordKey{});
  CHECK(WordKey::of("abcdefghijklmnopq", 3, false) == key("abc", false));  // what is behind the word does not count
}

TEST_CASE("keys ignore the case of ASCII letters, and of nothing else, if asked for") {
  for (int byte = 0; byte < 256; ++byte) {
    if (byte == ' ') continue;
    const std::string word(11, static_cast<char>(byte));
    const bool is_upper = byte >= 'A' && byte <= 'Z';
    const std::string lower(11, static_cast<char>(is_upper ? byte + 32 : byte));
    CHECK(key(word) == key(lower));
    CHECK((key(word, false) == key(lower, false)) == !is_upper);
    const auto text = key(word).text();
    CHECK(std::string_view(text.data(), text.size()) == lower + "     ");
  }
}

TEST_CASE("the cache gives back what was added, never something else") {
  WordCache cache;
  CHECK(pieces(cache.find(key(""))).empty());
  CHECK(cache.find(key("a")) == nullptr);
  const std::vector<token_t> one{7}, four{0, 3, 2, 1}, five{1, 2, 3, 4, 5};
  cache.add(key("a"), one);
  cache.add(key("b"), four);
  cache.add(key("c"), five);
  cache.add(key("d"), {});
  CHECK(pieces(cache.find(key("a"))) == one);
  CHECK(pieces(cache.find(key("b"))) == four);
  CHECK(cache.find(key("c")) == nullptr);  // too many to remember
  CHECK(pieces(cache.find(key("d"))).empty());
  std::size_t known = 0;
  const token_t count = 200'000;  // many more than there are places
  for (token_t i = 0; i < count; ++i) {
    const std::vector<token_t> ids{i};
    if (cache.find(key(std::to_string(i))) == nullptr) cache.add(key(std::to_string(i)), ids);
  }
  for (token_t i = 0; i < count; ++i) {
    const auto* const found = cache.find(key(std::to_string(i)));
    if (found == nullptr) continue;
    ++known;
    REQUIRE(pieces(found) == std::vector<token_t>{i});
  }
  CHECK(known > 16'000);
}

TEST_CASE("words that come again outlast words that come once") {
  WordCache cache;
  const std::vector<token_t> id{5};
  cache.add(key("often"), id);
  for (int i = 0; i < 300'000; ++i) {
    if (i < 1000) REQUIRE(cache.find(key("often")) != nullptr);
    const auto once = key("x" + std::to_string(i));
    if (cache.find(once) == nullptr) cache.add(once, id);
  }
  CHECK(cache.find(key("often")) != nullptr);
}
