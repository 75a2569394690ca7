#pragma once
#include <filesystem>
#include <string>

#include "knnbert/io/json.hpp"

namespace knnbert::inline v0_1::detail {

/// Reads parser events of a tokenizer.json until the type of its model is known, which as a rule is before the
/// vocabulary.
class ModelTypeReader {
 public:
  const std::string& type() const { return type_; }  ///< empty: the model has none
  bool has_merges() const { return has_merges_; }    ///< counts only if it has none

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(Json::number_integer_t) { return true; }
  bool number_unsigned(Json::number_unsigned_t) { return true; }
  bool number_float(Json::number_float_t, const std::string&) { return true; }
  bool binary(Json::binary_t&) { return true; }
  bool string(const std::string& value) {
    if (in_model() && is_type_) type_ = value;
    return type_.empty();
  }
  bool key(const std::string& name) {
    if (depth_ == 1) is_model_ = name == "model";
    if (in_model()) is_type_ = name == "type", has_merges_ |= name == "merges";
    return true;
  }
  bool start_object(std::size_t) { return ++depth_ < deepest; }
  bool start_array(std::size_t) { return ++depth_ < deepest; }
  bool end_object() { return --depth_, true; }
  bool end_array() { return --depth_, true; }
  template <class Exception>
  bool parse_error(std::size_t, const std::string&, const Exception&) {
    return false;
  }

 private:
  static constexpr int deepest = 64;

  bool in_model() const { return is_model_ && depth_ == 2; }

  int depth_ = 0;
  bool is_model_ = false, is_type_ = false, has_merges_ = false;
  std::string type_;
};

/// The type of the model in a tokenizer.json; files from before that key have merges if it is BPE. What else is wrong
/// with a file is for its reader to say.  Errors: IoError, FormatError.
inline std::string tokenizer_model_type(const std::filesystem::path& path) {
  const auto text = read_text(path);
  refuse_placeholder(text, path.string());
  ModelTypeReader reader;
  Json::sax_parse(text, &reader);
  if (!reader.type().empty()) return reader.type();
  return reader.has_merges() ? "BPE" : "WordPiece";
}

}  // namespace knnbert::inline v0_1::detail
