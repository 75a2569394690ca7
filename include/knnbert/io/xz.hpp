#pragma once
#include <lzma.h>

#include <new>
#include <string>
#include <string_view>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// Whether the bytes begin as an .xz file does.
inline bool is_xz(std::string_view bytes) { return bytes.starts_with(std::string_view("\xfd\x37zXZ\0", 6)); }

/// The content of an .xz file of one or more streams, by liblzma.  Errors: FormatError.
inline std::string unxz(std::string_view packed, index_t max_bytes, std::string_view name) {
  constexpr std::size_t chunk = std::size_t{1} << 20;
  lzma_stream stream = LZMA_STREAM_INIT;
  struct End {
    lzma_stream& stream;
    ~End() { lzma_end(&stream); }
  } const end{stream};
  if (lzma_stream_decoder(&stream, UINT64_MAX, LZMA_CONCATENATED) != LZMA_OK) throw std::bad_alloc();
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  std::string out;
  for (lzma_ret state = LZMA_OK; state != LZMA_STREAM_END;) {
    const auto before = out.size();
    out.resize(before + chunk);
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data() + before);
    stream.avail_out = chunk;
    state = lzma_code(&stream, LZMA_FINISH);
    out.resize(out.size() - stream.avail_out);
    if (std::ssize(out) > max_bytes)
      raise<FormatError>("{}: more than {} bytes after unpacking, the limit", name, max_bytes);
    if (state == LZMA_BUF_ERROR) raise<FormatError>("{}: compressed data ends early", name);
    if (state == LZMA_MEM_ERROR) throw std::bad_alloc();
    if (state != LZMA_OK && state != LZMA_STREAM_END) raise<FormatError>("{}: damaged compressed data", name);
  }
  return out;
}

}  // namespace knnbert::inline v0_1
