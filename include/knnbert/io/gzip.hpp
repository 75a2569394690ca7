#pragma once
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// One zlib stream that unpacks into a string of bounded size.
class Inflater {
 public:
  /// window_bits as in inflateInit2: 31 for gzip, -15 for a bare stream.
  Inflater(std::string_view packed, int window_bits, index_t max_bytes, std::string_view name)
      : rest_(packed), name_(name), max_bytes_(max_bytes) {
    if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  /// Appends the next compressed member to `out`.
  void unpack_member(std::string& out) {
    inflateReset(&stream_);
    for (int state = Z_OK; state != Z_STREAM_END;) {
      const auto before = out.size();
      out.resize(before + chunk);
      const auto produced = step(out.data() + before, state);
      out.resize(before + produced);
      if (std::ssize(out) > max_bytes_)
        raise<FormatError>("{}: more than {} bytes after unpacking, the limit", name_, max_bytes_);
      if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
        raise<FormatError>("{}: damaged compressed data", name_);
      if (state != Z_STREAM_END && produced == 0 && rest_.empty())
        raise<FormatError>("{}: compressed data ends early", name_);
    }
  }

  std::string_view rest() const { return rest_; }

 private:
  static constexpr std::size_t chunk = std::size_t{1} << 18;

  std::size_t step(char* out, int& state) {
    const auto offered = std::min<std::size_t>(rest_.size(), std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));  // zlib only reads it
    stream_.avail_in = static_cast<uInt>(offered);
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(chunk);
    state = inflate(&stream_, Z_NO_FLUSH);
    rest_.remove_prefix(offered - stream_.avail_in);
    return chunk - stream_.avail_out;
  }

  std::string_view rest_, name_;
  index_t max_bytes_;
  z_stream stream_{};
};

/// Little-endian number of `bytes` bytes at `offset`.
inline std::size_t zip_number(std::string_view file, std::size_t offset, std::size_t bytes, std::string_view name) {
  if (offset > file.size() || bytes > file.size() - offset) raise<FormatError>("{}: zip archive ends early", name);
  std::size_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(file[offset + i]);
  return value;
}

}  // namespace detail

/// The content of a gzip file of one or more members.  Errors: FormatError.
inline std::string gunzip(std::string_view packed, index_t max_bytes, std::string_view name) {
  detail::Inflater inflater(packed, 31, max_bytes, name);
  std::string out;
  do inflater.unpack_member(out);
  while (inflater.rest().starts_with("\x1f\x8b"));
  if (inflater.rest().find_first_not_of('\0') != std::string_view::npos)  // tapes pad with zeros
    raise<FormatError>("{}: {} bytes after the end of the gzip data", name, inflater.rest().size());
  return out;
}

namespace detail {

/// Where the directory of a zip archive describes its only file; folders and what macOS adds are none.
inline std::size_t only_zip_entry(std::string_view packed, std::string_view name) {
  const auto end = packed.rfind("PK\x05\x06");
  if (end == std::string_view::npos) raise<FormatError>("{}: zip archive without directory", name);
  std::size_t found = 0, files = 0, at = zip_number(packed, end + 16, 4, name);
  for (auto left = zip_number(packed, end + 10, 2, name); left > 0; --left) {
    const auto length = zip_number(packed, at + 28, 2, name);
    const auto more = zip_number(packed, at + 30, 2, name) + zip_number(packed, at + 32, 2, name);
    const auto path = packed.substr(std::min(at + 46, packed.size()), length);
    if (!path.ends_with('/') && !path.starts_with("__MACOSX/")) found = at, ++files;
    at += 46 + length + more;
  }
  if (files != 1) raise<FormatError>("{}: {} files in the archive, 1 expected", name, files);
  return found;
}

}  // namespace detail

/// The only file of a zip archive (stored or deflated; no zip64, no encryption).  Errors: FormatError.
inline std::string unzip_only_file(std::string_view packed, index_t max_bytes, std::string_view name) {
  const auto number = [&](std::size_t offset, std::size_t bytes) {
    return detail::zip_number(packed, offset, bytes, name);
  };
  const auto entry = detail::only_zip_entry(packed, name);
  const auto flags = number(entry + 8, 2), method = number(entry + 10, 2), crc = number(entry + 16, 4);
  const auto size = number(entry + 20, 4), local = number(entry + 42, 4);
  const auto begin = local + 30 + number(local + 26, 2) + number(local + 28, 2);
  if (flags & 1 || (method != 0 && method != 8)) raise<FormatError>("{}: encrypted or unknown zip entry", name);
  if (begin > packed.size() || size > packed.size() - begin) raise<FormatError>("{}: zip archive ends early", name);
  std::string out;
  if (method == 0) {
    out = packed.substr(begin, size);
    if (std::ssize(out) > max_bytes) raise<FormatError>("{}: more than {} bytes, the limit", name, max_bytes);
  } else {
    detail::Inflater(packed.substr(begin, size), -15, max_bytes, name).unpack_member(out);
  }
  if (crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size()) != crc)
    raise<FormatError>("{}: checksum of the zip entry does not match", name);
  return out;
}

/// Unpacks a gzip file or a zip archive of one file; for ReadOptions::decompress.  Errors: FormatError.
inline std::string decompress(std::string_view packed, index_t max_bytes, std::string_view name) {
  return packed.starts_with("PK") ? unzip_only_file(packed, max_bytes, name) : gunzip(packed, max_bytes, name);
}

}  // namespace knnbert::inline v0_1
