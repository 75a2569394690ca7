#pragma once
#include <algorithm>

#include "knnbert/io/utf8.hpp"
#include "knnbert/text/normalizer.hpp"
#include "knnbert/text/unicode.hpp"

namespace knnbert::inline v0_1 {

template <class Sink>
inline void Normalizer::operator()(std::string_view text, Sink& sink) const {
  Marks marks;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end && !sink.full()) {
    if (const auto byte = static_cast<unsigned char>(*at); byte < 0x80) {
      ++at;
      if (ascii_[byte].is_dropped) continue;
      if (!marks.empty()) release(marks, sink);
      sink.push(ascii_[byte].character, ascii_[byte].properties);
    } else {
      add(unicode::decode(at, end), marks, sink);
    }
  }
  release(marks, sink);
}

template <class Sink>
inline void Normalizer::add(char32_t c, Marks& marks, Sink& sink) const {
  const auto properties = unicode::properties(c);
  if (options_.clean_text && properties & unicode::dropped) return;
  if (options_.clean_text && properties & unicode::space) return add_starter(U' ', unicode::space, marks, sink);
  const bool is_set_apart = options_.chinese_characters && properties & unicode::chinese;
  if (is_set_apart) add_starter(U' ', unicode::space, marks, sink);
  if (!strips_) give(c, properties, sink);
  else if (!(properties & unicode::decomposes)) add_decomposed(c, properties, marks, sink);
  else unicode::decompose(c, [&](char32_t part) { add_decomposed(part, unicode::properties(part), marks, sink); });
  if (is_set_apart) add_starter(U' ', unicode::space, marks, sink);
}

template <class Sink>
inline void Normalizer::add_decomposed(char32_t c, std::uint8_t properties, Marks& marks, Sink& sink) const {
  const auto combining = properties & unicode::decomposes ? unicode::combining_class(c) : std::uint8_t{0};
  if (combining == 0) release(marks, sink);
  if (properties & unicode::mark) return;
  if (combining == 0) give(c, properties, sink);
  else marks.emplace_back(combining, c);
}

template <class Sink>
inline void Normalizer::add_starter(char32_t c, std::uint8_t properties, Marks& marks, Sink& sink) const {
  release(marks, sink);
  give(c, properties, sink);
}

template <class Sink>
inline void Normalizer::release(Marks& marks, Sink& sink) const {
  if (marks.empty()) return;
  std::stable_sort(marks.begin(), marks.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [combining, c] : marks) give(c, unicode::properties(c), sink);
  marks.clear();
}

template <class Sink>
inline void Normalizer::give(char32_t c, std::uint8_t properties, Sink& sink) const {
  if (options_.lowercase && properties & unicode::upper)
    unicode::to_lower(c, [&](char32_t lower) { sink.push(lower, unicode::properties(lower)); });
  else sink.push(c, properties);
}

}  // namespace knnbert::inline v0_1
