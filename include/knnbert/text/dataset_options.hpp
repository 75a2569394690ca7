#pragma once
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "knnbert/io/lines.hpp"
#include "knnbert/text/label_kind.hpp"

namespace knnbert::inline v0_1 {

/// Layouts of labeled text. `automatic` looks at the file's name and its first line.
enum class Format {
  automatic,
  tsv,    ///< text, label (or label, text) or text, pair, label separated by tabs, or any columns under a header (GLUE)
  csv,    ///< RFC 4180 with a header; separated by commas, semicolons, tabs or bars
  jsonl,  ///< one JSON object a line
  label_text,  ///< label, blank, text (TREC, SST sentences, MR)
  clinc,       ///< one JSON object of lists of [text, label]
  fasttext,    ///< __label__name text, several names for sets
  ag_news,     ///< CSV without header: class, title, description; the text is "title description"
  imdb,        ///< TSV without header: label, id, rating, text
};

/// Whether the first row of a TSV or CSV file names the columns; `automatic` knows usual names and those asked for, and
/// looks at the labels of the other rows.
enum class Header { automatic, present, absent };

/// Whether fields in double quotes lose them, as RFC 4180 says; `automatic`: in CSV, and in a TSV file in which every
/// quote was put there for that. In GLUE's files quotes are text.
enum class Quotes { automatic, none, rfc4180 };

/// How a dataset is read.
struct DatasetOptions {
  Format format = Format::automatic;
  std::string text_column = {};   ///< name of a column or JSON key, or the position of a column from 1
  std::string pair_column = {};   ///< likewise, for the second text
  std::string label_column = {};  ///< likewise
  Header header = Header::automatic;
  Quotes quotes = Quotes::automatic;
  std::string split = "train";                          ///< CLINC lists to read, such as "test+oos_test"
  std::vector<std::string> classes = {};                ///< class names in this order instead of sorted
  index_t limit = std::numeric_limits<index_t>::max();  ///< most examples to read
  LabelKind label_kind = LabelKind::name;
  std::string label_separator = "|";  ///< between the names of a set
  bool labels_required = true;        ///< otherwise a missing label becomes no_label
  Encoding encoding = Encoding::utf8;
  bool strict_utf8 = false;  ///< refuse texts with malformed UTF-8; otherwise it becomes U+FFFD with a warning. Labels
                             ///< must not have any
  index_t max_bytes = ReadOptions{}.max_bytes;
  Decompress decompress = nullptr;  ///< `decompress` of io/gzip.hpp reads gzip and zip
};

/// The format of a name as in the enumeration; "auto" and "glue" (a TSV) work too.  Errors: OptionError.
Format parse_format(std::string_view name);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/dataset_options_impl.hpp"
#endif
