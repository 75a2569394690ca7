#pragma once
#include <algorithm>
#include <vector>

#include "knnbert/io/encoding.hpp"
#include "knnbert/io/read_file.hpp"

namespace knnbert::inline v0_1 {

/// Unpacks a compressed file of the given name into at most max_bytes; `decompress` of io/gzip.hpp is one.
using Decompress = std::string (*)(std::string_view packed, index_t max_bytes, std::string_view name);

/// How text is read.
struct ReadOptions {
  Encoding encoding = Encoding::utf8;    ///< of a text without byte-order mark; others become UTF-8
  bool strict_utf8 = false;              ///< refuse malformed UTF-8 instead of passing the bytes on
  index_t max_bytes = index_t{2} << 30;  ///< of the file and of its unpacked content
  Decompress decompress = nullptr;       ///< for gzip and zip; without one, compressed files are refused
};

/// Number of the line that contains the byte, from 1.
inline index_t line_of(std::string_view text, index_t offset) {
  return 1 + std::count(text.begin(), text.begin() + std::min(offset, std::ssize(text)), '\n');
}

/// Whether the bytes are what a Decompress unpacks.
inline bool is_compressed(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b") || bytes.starts_with("PK\x03\x04");
}

namespace detail {

/// Refuses what is no text in UTF-8 by its first bytes.
inline void require_text(std::string_view bytes, std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> others[] = {{"\xfd\x37zXZ", "a file packed by xz"},
                                                                      {"BZh", "a file packed by bzip2"},
                                                                      {"\x28\xb5\x2f\xfd", "a file packed by zstd"},
                                                                      {"PAR1", "a Parquet file"},
                                                                      {"ARROW1", "an Arrow file"},
                                                                      {"SQLite format 3", "a database"},
                                                                      {"%PDF-", "a PDF file"},
                                                                      {"\x89PNG", "a PNG image"},
                                                                      {"GIF8", "a GIF image"},
                                                                      {"\xff\xd8\xff", "a JPEG image"},
                                                                      {"7z\xbc\xaf", "a file packed by 7-Zip"},
                                                                      {"Rar!", "a file packed by RAR"},
                                                                      {"\xd0\xcf\x11\xe0", "an old Office file"}};
  const auto beginning = bytes.substr(0, 4096);
  const auto is_control = [](char c) { return c >= 0 && c < '\t'; };
  const auto is_binary = [&] {
    return find_invalid_utf8(beginning) >= 0 || std::any_of(beginning.begin(), beginning.end(), is_control);
  };
  for (const auto& [magic, what] : others)
    if (bytes.starts_with(magic) && is_binary())
      raise<FormatError>("{}: {} given; plain text, gzip or zip expected", name, what);
  constexpr std::size_t tar_magic = 257;
  if (bytes.size() > tar_magic && bytes.substr(tar_magic).starts_with("ustar"))
    raise<FormatError>("{}: a tar archive given; plain text, gzip or zip of one file expected", name);
  if (is_utf32(bytes)) raise<FormatError>("{}: UTF-32 given, UTF-8 expected", name);
  if (const auto utf16 = guess_utf16(bytes))
    raise<FormatError>("{}: UTF-16 without byte-order mark given, UTF-8 expected; ReadOptions::encoding {} reads it",
                       name, utf16 == Encoding::utf16le ? "utf16le" : "utf16be");
}

inline void require_utf8(std::string_view text, std::string_view name) {
  const auto bad = find_invalid_utf8(text);
  if (bad >= 0) raise<FormatError>("{}:{}: malformed UTF-8 at byte {}", name, line_of(text, bad), bad);
}

}  // namespace detail

/// Unpacked bytes of a text file as UTF-8, without byte-order mark.  Errors: FormatError.
inline std::string decode_text(std::string bytes, std::string_view name, const ReadOptions& options = {}) {
  if (is_compressed(bytes)) {
    if (!options.decompress)
      raise<FormatError>("{}: compressed file given, plain text expected (or set decompress from io/gzip.hpp)", name);
    bytes = options.decompress(bytes, options.max_bytes, name);
  }
  if (bytes.starts_with("\xef\xbb\xbf")) {
    bytes.erase(0, 3);
  } else if (!is_utf32(bytes) && (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff"))) {
    return utf16_to_utf8(std::string_view(bytes).substr(2), bytes.starts_with("\xfe"), name);
  } else if (options.encoding == Encoding::windows1252) {
    return windows1252_to_utf8(bytes);
  } else if (options.encoding != Encoding::utf8) {
    return utf16_to_utf8(bytes, options.encoding == Encoding::utf16be, name);
  }
  detail::require_text(bytes, name);
  if (options.strict_utf8) detail::require_utf8(bytes, name);
  return bytes;
}

/// The text of a file, or of standard input for "-".  Errors: IoError, FormatError.
inline std::string read_text(const std::filesystem::path& path, const ReadOptions& options = {}) {
  return decode_text(read_file(path, options.max_bytes), input_name(path), options);
}

/// Walks through the lines of a text, split at '\n' only; a last line without '\n' counts.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  /// False at the end; otherwise line() and number() describe the next line.
  bool next() {
    if (rest_.empty()) return false;
    const auto end = std::min(rest_.find('\n'), rest_.size());
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    return true;
  }

  std::string_view line() const { return line_; }
  index_t number() const { return number_; }  ///< from 1

 private:
  std::string_view rest_, line_;
  index_t number_ = 0;
};

/// The line without the '\r' of a CRLF ending.
inline std::string_view without_carriage_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The line without a byte-order mark, which files leave at the start of a line when they are joined.
inline std::string_view without_mark(std::string_view line) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  if (line.starts_with(mark)) line.remove_prefix(mark.size());
  return line;
}

/// All lines of a file, or of standard input for "-".  Errors: IoError, FormatError.
inline std::vector<std::string> read_lines(const std::filesystem::path& path, const ReadOptions& options = {}) {
  const auto text = read_text(path, options);
  std::vector<std::string> lines;
  for (LineReader reader(text); reader.next();) lines.emplace_back(without_carriage_return(reader.line()));
  return lines;
}

}  // namespace knnbert::inline v0_1
