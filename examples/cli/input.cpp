#include "input.hpp"

#include <poll.h>

#include "knnbert/io/gzip.hpp"
#include "output.hpp"

namespace knnbert::cli {

namespace {

constexpr std::size_t chunk = std::size_t{1} << 16;

/// The beginnings of texts that are decoded as a whole, and the byte-order mark that others may have.
constexpr std::string_view beginnings[] = {"\x1f\x8b", "PK\x03\x04", "\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"};

bool undecided(std::string_view bytes) {
  return std::any_of(std::begin(beginnings), std::end(beginnings),
                     [&](std::string_view b) { return bytes.size() < b.size() && b.starts_with(bytes); });
}

bool needs_all(std::string_view bytes, Encoding encoding) {
  const bool marked = bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff");
  return marked || is_compressed(bytes) || encoding == Encoding::utf16le || encoding == Encoding::utf16be;
}

/// What one option has read to its end, another would find empty.
void take_input(const std::string& path) {
  static bool taken = false;
  if (path == "-" && std::exchange(taken, true))
    raise<OptionError>("standard input, -: given for two options, one expected");
}

int open_input(const std::string& path) {
  const int number =
      path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0 && errno == ENOENT && path.find(' ') != path.npos)
    raise<IoError>("{}: no such file; a text itself goes to standard input", path);
  if (number < 0) raise_io("open", input_name(path));
  return number;
}

}  // namespace

std::string_view table_kind(std::string_view path) {
  for (const std::string_view packed : {".gz", ".xz"})
    if (path.ends_with(packed)) path.remove_suffix(packed.size());
  for (const std::string_view kind : {".csv", ".jsonl", ".json", ".tsv"})
    if (path.ends_with(kind)) return kind;
  return {};
}

LineSource::LineSource(const std::string& path, Encoding encoding, bool pairs)
    : name_(input_name(path)), file_(open_input(path)), encoding_(encoding) {
  take_input(path);
  struct stat status;
  if (::fstat(file_.number(), &status) != 0) raise_io("inspect", name_);
  if (S_ISDIR(status.st_mode)) raise_io("read", name_, EISDIR);
  regular_ = S_ISREG(status.st_mode);
  const auto kind = table_kind(path);
  table_ = !kind.empty() && !(pairs && kind == ".tsv");
}

bool LineSource::next_group(std::vector<std::string>& lines, std::size_t most) {
  lines.clear();
  for (std::string line; lines.size() < most && next(line, lines.empty());) lines.push_back(std::move(line));
  return !lines.empty();
}

std::vector<std::string> LineSource::rest() {
  std::vector<std::string> lines;
  for (std::string line; next(line, true);) lines.push_back(std::move(line));
  return lines;
}

bool LineSource::next(std::string& line, bool wait) {
  if (!started_) start();
  auto end = std::string::npos;
  while ((end = buffer_.find('\n', scanned_)) == std::string::npos) {
    scanned_ = buffer_.size();
    if (fill(wait)) continue;
    if (!ended_ || at_ == buffer_.size()) return false;
    end = buffer_.size();
    break;
  }
  line.assign(buffer_, at_, end - at_);
  at_ = scanned_ = std::min(end + 1, buffer_.size());
  ++number_;
  decode(line);
  return true;
}

/// False at the end and where waiting would be needed but is not allowed.
bool LineSource::fill(bool wait) {
  if (ended_) return false;
  buffer_.erase(0, at_);
  scanned_ -= at_, at_ = 0;
  const auto filled = buffer_.size();
  for (;;) {
    pollfd state{file_.number(), POLLIN, 0};
    if (!regular_ && ::poll(&state, 1, wait ? -1 : 0) == 0) return false;
    buffer_.resize(filled + chunk);
    const auto got = ::read(file_.number(), buffer_.data() + filled, chunk);
    const int code = errno;
    buffer_.resize(filled + static_cast<std::size_t>(std::max<::ssize_t>(got, 0)));
    if (got < 0 && (code == EINTR || code == EAGAIN)) continue;
    if (got < 0) raise_io("read", name_, code);
    ended_ = got == 0;
    return !ended_;
  }
}

/// Finds out by the first bytes how the text is decoded.
void LineSource::start() {
  started_ = true;
  if (table_) print_warning(format("{}: read as lines of text, whatever the name says; `eval` reads tables", name_));
  do fill(true);
  while (!ended_ && undecided(buffer_));
  if (needs_all(buffer_, encoding_)) {
    ReadOptions reading{.encoding = encoding_, .decompress = decompress};
    while (fill(true))
      if (std::ssize(buffer_) > reading.max_bytes)
        raise<FormatError>("{}: more than {} bytes, the limit", name_, reading.max_bytes);
    buffer_ = decode_text(std::move(buffer_), name_, reading);
    encoding_ = Encoding::utf8;
  } else if (buffer_.starts_with("\xef\xbb\xbf")) {
    at_ = scanned_ = 3;
    encoding_ = Encoding::utf8;
  } else if (encoding_ == Encoding::utf8) {
    detail::require_text(buffer_, name_);
  }
}

void LineSource::decode(std::string& line) {
  if (line.ends_with('\r')) line.pop_back();
  line.erase(0, line.size() - without_mark(line).size());
  if (encoding_ == Encoding::windows1252) line = windows1252_to_utf8(line);
  if (find_invalid_utf8(line) >= 0) {
    if (!warned_)
      print_warning(format("{}:{}: malformed UTF-8, read as U+FFFD; --encoding reads other encodings", name_, number_));
    warned_ = true;
    line = repair_utf8(line);
  }
  if (ended_ && number_ == 1 && line.find('\r') != std::string::npos)
    print_warning(format("{}: no line feed but carriage returns, read as one line", name_));
}

Dataset read_data(const std::string& path, const DatasetOptions& options, bool quiet) {
  take_input(path);
  Dataset data = Dataset::read(path, options);
  if (!quiet)
    for (const auto& warning : data.warnings()) print_warning(warning);
  return data;
}

}  // namespace knnbert::cli
