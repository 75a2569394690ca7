#pragma once
#include "knnbert/io/lines.hpp"
#include "knnbert/text/batch.hpp"
#include "knnbert/text/concept.hpp"

namespace knnbert::inline v0_1 {

/// How plain text files become sequences.
struct CorpusOptions {
  index_t max_length = 128;            ///< tokens of a sequence, special tokens included
  index_t held_out = 50;               ///< one of so many documents is held out, by its hash; 0: none
  ReadOptions reading = {};            ///< of plain text, gzip and zip
  Decompress decompress_xz = nullptr;  ///< for .xz files: unxz of io/xz.hpp; without one they are refused

  /// Errors: OptionError.
  void validate() const {
    if (max_length < 3) raise<OptionError>("CorpusOptions::max_length: {} given, at least 3 expected", max_length);
    if (held_out < 0) raise<OptionError>("CorpusOptions::held_out: {} given, at least 0 expected", held_out);
  }
};

/// Texts as token sequences [CLS] pieces [SEP], each filled up to the length limit from one document.
struct Corpus {
  Batch train, held_out;
  index_t documents = 0, held_out_documents = 0;
};

namespace detail {

/// FNV-1a, 64 bits.
constexpr std::uint64_t hash_of_text(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

inline std::string read_corpus_text(const std::filesystem::path& path, const CorpusOptions& options) {
  const std::string name = input_name(path);
  std::string bytes = read_file(path, options.reading.max_bytes);
  if (bytes.starts_with(std::string_view("\xfd\x37zXZ\0", 6))) {
    if (!options.decompress_xz)
      raise<FormatError>(
          "{}: a file packed by xz given; plain text, gzip or zip expected (reading it needs a build with liblzma)",
          name);
    bytes = options.decompress_xz(bytes, options.reading.max_bytes, name);
  }
  std::string text = decode_text(std::move(bytes), name, options.reading);
  if (text.find('\n') == text.npos) std::replace(text.begin(), text.end(), '\r', '\n');  // line ends of old Macs
  return text;
}

}  // namespace detail

/// Adds a file to a corpus: a paragraph a line, an empty line between documents. tokenizer has
/// encode_words(text, ids) and special().  Errors: IoError, FormatError, OptionError.
template <class T>
void add_corpus_file(const std::filesystem::path& path, const T& tokenizer, const CorpusOptions& options,
                     Corpus& corpus) {
  options.validate();
  const SpecialTokens special = tokenizer.special();
  const std::string text = detail::read_corpus_text(path, options);
  std::vector<token_t> pieces;
  const auto close = [&](std::string_view document) {
    pieces.clear();
    for (LineReader lines(document); lines.next();)
      tokenizer.encode_words(without_carriage_return(lines.line()), pieces);
    if (pieces.empty()) return;
    const bool held_out =
        options.held_out > 0 && detail::hash_of_text(document) % static_cast<std::uint64_t>(options.held_out) == 0;
    Batch& to = held_out ? corpus.held_out : corpus.train;
    ++(held_out ? corpus.held_out_documents : corpus.documents);
    const index_t most = options.max_length - 2;
    for (index_t first = 0; first < std::ssize(pieces); first += most) {
      const index_t last = std::min(first + most, std::ssize(pieces));
      to.ids.push_back(special.classify);
      to.ids.insert(to.ids.end(), pieces.begin() + first, pieces.begin() + last);
      to.ids.push_back(special.separate);
      to.close_text();
    }
  };
  std::size_t begin = 0, end = 0;  // of the document at hand
  for (LineReader lines(text); lines.next();) {
    const auto line = lines.line();
    const auto place = static_cast<std::size_t>(line.data() - text.data());
    const bool empty = line.find_first_not_of(" \t\r") == line.npos;
    if (empty) {
      if (end > begin) close(std::string_view(text).substr(begin, end - begin));
      begin = end = place + line.size() + 1;
    } else {
      if (end <= begin) begin = place;
      end = place + line.size();
    }
  }
  if (end > begin) close(std::string_view(text).substr(begin, end - begin));
}

}  // namespace knnbert::inline v0_1
