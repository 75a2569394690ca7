#pragma once
#include <string>
#include <vector>

#include "knnbert/io/lines.hpp"
#include "knnbert/text/dataset.hpp"

namespace knnbert::cli {

/// The ending that names a table (".csv", ".jsonl", ".json" or ".tsv", compressed or not); empty for others.
std::string_view table_kind(std::string_view path);

/// Lines of a file or, for "-", of standard input: cut at \n only, a \r before it dropped; decoded as labeled files
/// are. What is no UTF-8 becomes U+FFFD, and one line on standard error says so, as where the name is that of a table;
/// .tsv is one unless lines hold pairs of texts.  Errors: IoError, FormatError.
class LineSource {
 public:
  LineSource(const std::string& path, Encoding encoding, bool pairs = false);

  /// Waits for a line, then takes those that are there without waiting, `most` together. False at the end.
  bool next_group(std::vector<std::string>& lines, std::size_t most);
  /// All lines that are left.
  std::vector<std::string> rest();
  const std::string& name() const { return name_; }  ///< for messages

 private:
  bool next(std::string& line, bool wait);
  bool fill(bool wait);
  void start();
  void decode(std::string& line);

  std::string name_, buffer_;
  FileDescriptor file_;
  Encoding encoding_;
  std::size_t at_ = 0, scanned_ = 0;  // bytes of the buffer that were given away, and that hold no line end behind them
  index_t number_ = 0;
  bool regular_ = false, table_ = false, started_ = false, ended_ = false, warned_ = false;
};

/// A labeled file; what is doubtful about it is said on standard error.  Errors: IoError, FormatError, OptionError.
Dataset read_data(const std::string& path, const DatasetOptions& options, bool quiet = false);

}  // namespace knnbert::cli
