#include "output.hpp"

#include <locale.h>
#include <unistd.h>
#include <wchar.h>

#include <cerrno>
#include <cstdio>

#include "config.hpp"
#include "knnbert/io/json.hpp"

namespace knnbert::cli {

namespace {

bool warns = true;

[[noreturn]] void raise_output(int code) { raise_io("write", "standard output", code); }

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) raise_output(errno);
}

void print_json(const OrderedJson& value) { print(json_line(value) + "\n"); }

void flush_output() {
  if (std::fflush(stdout) != 0) raise_output(errno);
}

void finish_output() {
  flush_output();
  if (std::ferror(stdout)) raise<IoError>("standard output: cannot write");
  const int copy = ::dup(STDOUT_FILENO);
  if (copy < 0 || ::close(copy) != 0) raise_output(errno);  // some file systems tell only when a file is closed
}

void print_warning(std::string_view text) {
  if (warns) std::fprintf(stderr, "knnbert: warning: %s\n", printable(in_words_of_the_program(text)).c_str());
}

void leave_warnings_to_others() { warns = false; }

void require_writable(const std::filesystem::path& path) { const AtomicFile file(path); }

std::string printable(std::string_view text) {
  std::string out;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const char32_t code = unicode::decode(at, end);
    const bool blank = code == '\n' || code == '\r' || code == '\t' || code == 0x2028 || code == 0x2029;
    const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    const bool turning =
        (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);  // the rest of a line
    unicode::encode(blank ? U' ' : control || turning ? unicode::replacement_character : code, out);
  }
  return out;
}

std::string two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

std::size_t columns_of(std::string_view text) {
  const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
  const locale_t before = ::uselocale(utf8);  // null, which changes nothing, where there is none
  std::size_t columns = 0;
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    const auto character = static_cast<wchar_t>(unicode::decode(at, end));
    const int width = utf8 ? ::wcwidth(character) : 1;
    columns += width < 0 ? 1 : static_cast<std::size_t>(width);
  }
  ::uselocale(before);
  if (utf8) ::freelocale(utf8);
  return columns;
}

std::string padded(std::string text, std::size_t columns) {
  const std::size_t used = columns_of(text);
  return text.append(columns - std::min(columns, used), ' ');
}

std::string right_aligned(std::string text, std::size_t columns) {
  const std::size_t used = columns_of(text);
  return text.insert(0, columns - std::min(columns, used), ' ');
}

bool on_terminal() { return isatty(STDERR_FILENO) != 0; }

}  // namespace knnbert::cli
