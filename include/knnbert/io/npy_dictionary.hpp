#pragma once
#include <algorithm>
#include <charconv>

#include "knnbert/core/error.hpp"
#include "knnbert/io/dtype.hpp"

namespace knnbert::inline v0_1::detail {

inline constexpr index_t most_npy_dimensions = 32;  // numpy's limit

/// Reads the dictionary of a .npy header, the only Python that is understood.
class NpyDictionary {
 public:
  NpyDictionary(std::string_view text, std::string_view name) : rest_(text), name_(name) {
    expect('{');
    while (!skip('}')) {
      const auto key = quoted();
      expect(':');
      if (key == "descr") type = quoted();
      else if (key == "fortran_order") fortran_order = word() != "False";
      else if (key == "shape") read_shape();
      else fail();
      if (!skip(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (!rest_.empty()) fail();
  }

  std::string_view type;
  bool fortran_order = true;
  Shape shape;

 private:
  [[noreturn]] void fail() const {
    raise<FormatError>("{}: header is no dictionary of descr, fortran_order and shape", name_);
  }
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }
  bool skip(char c) {
    skip_blanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!skip(c)) fail();
  }
  std::string_view take(std::size_t length) {
    const auto taken = rest_.substr(0, length);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view quoted() {
    const char quote = skip('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const auto end = rest_.find(quote);
    if (end == std::string_view::npos) fail();
    const auto text = take(end);
    rest_.remove_prefix(1);
    return text;
  }
  std::string_view word() {
    skip_blanks();
    return take(std::min(rest_.find_first_of(",} \n"), rest_.size()));
  }
  void read_shape() {
    expect('(');
    while (!skip(')')) {
      const auto digits = (skip_blanks(), take(std::min(rest_.find_first_not_of("0123456789"), rest_.size())));
      index_t size = 0;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), size).ec != std::errc{}) fail();
      if (std::ssize(shape) == most_npy_dimensions) fail();
      shape.push_back(size);
      if (skip(',')) continue;
      expect(')');
      break;
    }
  }

  std::string_view rest_, name_;
};

}  // namespace knnbert::inline v0_1::detail
