#pragma once
#include <sys/file.h>

#include <algorithm>

#include "knnbert/attack/result_json.hpp"
#include "knnbert/io/file_descriptor.hpp"
#include "knnbert/io/lines.hpp"
#include "output.hpp"

namespace knnbert::cli {

/// Results of an attack as JSON lines: first {"run": {...}}, what the results depend on, then one an example, in order.
/// A file of the same run is gone on with behind its last whole line.
class AttackFile {
 public:
  /// Errors: IoError, also while another process writes the file; OptionError for a file of another run, FormatError
  /// for one of something else.
  AttackFile(const std::string& path, const OrderedJson& run)
      : path_(path), file_(path, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, 0666) {
    struct stat status;
    if (::fstat(file_.number(), &status) != 0) raise_io("inspect", path_);
    if (!S_ISREG(status.st_mode))
      raise<IoError>("{}: a pipe or device given, a file that can be gone on with expected", path_);
    if (::flock(file_.number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) raise<IoError>("{}: in use by another process that writes it", path_);
      raise_io("lock", path_);
    }
    const std::string first = json_line(OrderedJson{{"run", run}}) + "\n", text = read_text(path_);
    const bool begun = !first.starts_with(text);  // else it was cut off within its first line
    const std::size_t kept = begun ? read_results(text, run) : 0;
    if (::ftruncate(file_.number(), static_cast<off_t>(kept)) != 0) raise_io("write", path_);
    if (!begun) write(first);
  }

  /// Results that were there.
  const std::vector<OrderedJson>& found() const { return found_; }

  void add(const OrderedJson& result) { write(json_line(result) + "\n"); }

 private:
  void write(std::string_view line) {
    while (!line.empty()) {
      const auto written = ::write(file_.number(), line.data(), line.size());
      if (written < 0 && errno != EINTR) raise_io("write", path_);
      line.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
  }

  /// Length of the whole lines.
  std::size_t read_results(std::string_view text, const OrderedJson& run) {
    const std::size_t whole = text.rfind('\n') + 1;
    if (whole == 0) raise<FormatError>("{}:1: the results of an attack expected, or no file", path_);
    text = text.substr(0, whole);
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
    return whole;
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
  FileDescriptor file_;
  std::vector<OrderedJson> found_;
};

}  // namespace knnbert::cli
