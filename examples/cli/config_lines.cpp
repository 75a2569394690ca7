#include "config_lines.hpp"

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"
#include "knnbert/io/utf8.hpp"
#include "output.hpp"

namespace knnbert::cli {

namespace {

class ConfigReader {
 public:
  ConfigReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  std::vector<ConfigLine> read() {
    std::vector<ConfigLine> lines;
    std::string section;
    for (; at_ < text_.size(); end_line()) {
      skip_blanks();
      if (at_end() || skip_comment()) continue;
      if (peek() == '[') section = read_section();
      else lines.push_back(read_line(section));
    }
    return lines;
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    raise<OptionError>("{}:{}: {} expected", path_, number_, expected);
  }

  bool more() const { return at_ < text_.size(); }
  char peek() const { return more() ? text_[at_] : '\n'; }
  /// Of what a line says. Within a word # is no comment.
  bool at_end() const {
    return peek() == '\n' || (peek() == '#' && (at_ == 0 || std::string_view(" \t\r\n,[]\"'").find(text_[at_ - 1]) !=
                                                                std::string_view::npos));
  }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\r') ++at_;
  }
  /// A whole line behind a semicolon, as INI has them.
  bool skip_comment() {
    if (peek() != ';') return false;
    while (more() && text_[at_] != '\n') ++at_;
    return true;
  }
  void end_line() {
    skip_blanks();
    if (!at_end()) fail("the end of the line behind a value");
    while (more() && text_[at_] != '\n') ++at_;
    ++at_, ++number_;
  }

  static std::string_view trimmed(std::string_view part) {
    while (!part.empty() && (part.back() == ' ' || part.back() == '\t' || part.back() == '\r')) part.remove_suffix(1);
    return part;
  }

  /// A verb is the only section that there is.
  std::string read_section() {
    const auto begin = ++at_;
    while (more() && peek() != ']' && peek() != '\n') ++at_;
    const auto name = trimmed(text_.substr(begin, at_ - begin));
    if (peek() != ']' || name.empty() || name.find_first_of(".[\"'") != name.npos) fail("a section of a verb");
    ++at_;
    return std::string(name);
  }

  ConfigLine read_line(const std::string& section) {
    ConfigLine line{.section = section, .name = {}, .values = {}};
    if (peek() == '"' || peek() == '\'') {
      line.name = read_string();
      skip_blanks();
    } else {
      const auto begin = at_;
      while (peek() != '=' && !at_end()) ++at_;
      line.name = trimmed(text_.substr(begin, at_ - begin));
    }
    if (line.name.empty()) fail("a name and its value");
    if (peek() != '=') {  // a flag
      if (line.name.find(' ') != line.name.npos)
        fail(format("'{}' with its value, name = value,", printable(line.name)));
      line.values.emplace_back("true");
      return line;
    }
    ++at_;
    skip_blanks();
    if (peek() == '[') read_list(line.values);
    else if (at_end()) fail("a value behind =");
    else line.values.push_back(read_value(""));
    return line;
  }

  void read_list(std::vector<std::string>& values) {
    ++at_;
    const auto skip = [&] {
      for (skip_blanks(); more() && at_end(); skip_blanks()) end_line();
    };
    for (skip(); peek() != ']'; skip()) {
      if (!more()) fail("] behind a list");
      values.push_back(read_value(",]"));
      skip();
      if (peek() == ',') ++at_;
      else if (peek() != ']') fail(", or ] behind a value of a list");
    }
    ++at_;
  }

  /// Quoted, or up to the end of the line or one of `ends`.
  std::string read_value(std::string_view ends) {
    if (peek() == '"' || peek() == '\'') return read_string();
    if (peek() == '{' || peek() == '[') fail("a text, a number, true, false or a list of these");
    const auto begin = at_;
    while (!at_end() && ends.find(peek()) == ends.npos) ++at_;
    return std::string(trimmed(text_.substr(begin, at_ - begin)));
  }

  std::string read_string() {
    const char quote = text_[at_++];
    std::string value;
    for (; peek() != quote; ++at_) {
      if (peek() == '\n') fail("the end of a quoted value in its line");
      if (quote == '"' && peek() == '\\') value += read_escape();
      else value += peek();
    }
    ++at_;
    return value;
  }

  /// Ends at the escape's last character.
  std::string read_escape() {
    constexpr std::string_view names = "btnfr\"\\", meant = "\b\t\n\f\r\"\\";
    ++at_;
    if (const auto found = names.find(peek()); found != names.npos) return {meant[found]};
    const std::size_t digits = peek() == 'u' ? 4 : peek() == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      ++at_;
      const auto digit = std::string_view("0123456789abcdef0123456789ABCDEF").find(peek());
      if (digit == std::string_view::npos) fail("an escape of TOML");
      code = code << 4 | static_cast<std::uint32_t>(digit % 16);
    }
    if (digits == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) fail("an escape of TOML");
    std::string bytes;
    unicode::encode(static_cast<char32_t>(code), bytes);
    return bytes;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  index_t number_ = 1;
};

}  // namespace

std::vector<ConfigLine> config_lines(std::string_view text, const std::string& path) {
  return ConfigReader(text, path).read();
}

}  // namespace knnbert::cli
