#pragma once
#include <cstdio>

#include "knnbert/attack/result_json.hpp"
#include "knnbert/io/atomic_file.hpp"
#include "knnbert/io/lines.hpp"
#include "output.hpp"

namespace knnbert::cli {

/// Results of an attack as JSON lines: first {"run": {...}}, what the results depend on, then one an example, in order.
/// A file of the same run is gone on with behind its last whole line.
class AttackFile {
 public:
  /// Errors: IoError; OptionError for a file of another run, FormatError for one of something else.
  AttackFile(const std::string& path, const OrderedJson& run) : path_(path) {
    std::string kept;
    if (committed_exists(path)) kept = read_results(read_text(path), run);
    if (kept.empty()) kept = json_line(OrderedJson{{"run", run}}) + "\n";
    write_file_atomically(path, kept);
    file_ = std::fopen(path.c_str(), "abe");
    if (!file_) raise_io("write", path_);
  }
  AttackFile(const AttackFile&) = delete;
  AttackFile& operator=(const AttackFile&) = delete;
  ~AttackFile() {
    if (file_) std::fclose(file_);
  }

  /// Results that were there.
  const std::vector<OrderedJson>& found() const { return found_; }

  void add(const OrderedJson& result) {
    const std::string line = json_line(result) + "\n";
    if (std::fwrite(line.data(), 1, line.size(), file_) != line.size() || std::fflush(file_) != 0)
      raise_io("write", path_);
  }
  void close() {
    if (std::fclose(std::exchange(file_, nullptr)) != 0) raise_io("write", path_);
  }

 private:
  /// The whole lines.
  std::string read_results(std::string_view text, const OrderedJson& run) {
    text = text.substr(0, text.rfind('\n') + 1);
    for (LineReader reader(text); reader.next();) {
      const std::string where = format("{}:{}", path_, reader.number());
      const Json checked = parse_json(reader.line(), path_, reader.number());
      OrderedJson line = OrderedJson::parse(reader.line());
      if (reader.number() == 1) {
        if (!checked.is_object() || !checked.contains("run"))
          raise<FormatError>("{}: the results of an attack expected, or no file", where);
        if (line["run"] != run)
          raise<OptionError>("{}: results of another run are there ({}); another file expected, or none", path_,
                             difference(line["run"], run));
        continue;
      }
      attack_counts(checked, where);
      if (!checked.contains("example") || checked["example"] != std::ssize(found_))
        raise<FormatError>("{}: the result of example {} expected, which the lines before it lack", where,
                           std::ssize(found_));
      found_.push_back(std::move(line));
    }
    return std::string(text);
  }

  static std::string difference(const OrderedJson& theirs, const OrderedJson& ours) {
    const auto text = [](const OrderedJson& all, const auto& key) {
      return all.contains(key) ? json_line(all[key]) : std::string("nothing");
    };
    for (const auto& [key, value] : ours.items()) {
      if (!theirs.is_object() || !theirs.contains(key)) return format("no {} there", key);
      const OrderedJson& there = theirs[key];
      if (there == value) continue;
      if (there.is_array() && value.is_array() && there.size() == value.size())
        for (std::size_t i = 0; i < value.size(); ++i)
          if (there[i] != value[i]) return format("{} there, {} here", json_line(there[i]), json_line(value[i]));
      return format("{}: {} there, {} here", key, text(theirs, key), text(ours, key));
    }
    return "more settings there";
  }

  std::string path_;
  std::FILE* file_ = nullptr;
  std::vector<OrderedJson> found_;
};

}  // namespace knnbert::cli
