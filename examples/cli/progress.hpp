#pragma once
#include <chrono>
#include <cmath>
#include <cstdio>

#include "knnbert/io/json.hpp"
#include "knnbert/train/report.hpp"
#include "options.hpp"
#include "output.hpp"
#include "profile.hpp"
#include "signals.hpp"

namespace knnbert::cli {

namespace detail_of_progress {

/// Steps whose rows wait for a device at most.
inline constexpr index_t most_unread = 32;

/// The rows of a run up to a step: it may have gone on behind its checkpoint, and have been killed in the middle of a
/// row. None where more steps are missing than a kill can lose: another run, which was begun meanwhile, wrote there.
inline std::string rows_until(std::string_view text, index_t step) {
  std::string kept;
  index_t last = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == text.npos) break;
    const auto line = text.substr(0, end + 1);
    Json row;
    try {
      row = parse_json(line, "metrics.jsonl");
    } catch (const FormatError&) { break; }
    if (!row.is_object() ||
        (row.contains("step") && (!row["step"].is_number_integer() || row["step"].get<index_t>() > step)))
      break;
    if (row.contains("step")) last = row["step"].get<index_t>();
    kept += line;
    text.remove_prefix(line.size());
  }
  return step - last <= most_unread ? kept : std::string();
}

}  // namespace detail_of_progress

/// Writes metrics.jsonl, a progress bar on a terminal, and a line an epoch on standard output; without a path nothing.
class TrainingLog {
 public:
  /// Goes on behind the rows of the first `done` steps, or anew.
  TrainingLog(const std::filesystem::path& path, index_t done, bool json, std::string metric)
      : path_(path), file_(path.empty() ? nullptr : open(path, done)), json_(json), metric_(std::move(metric)) {}
  TrainingLog(const TrainingLog&) = delete;
  TrainingLog& operator=(const TrainingLog&) = delete;
  ~TrainingLog() {
    if (!file_) return;
    try {
      close();
    } catch (const std::exception&) {  // a run that failed says why itself
    }
  }

  /// Writes what is left.  Errors: IoError.
  void close() {
    if (!file_) return;
    write_steps();
    if (std::fclose(std::exchange(file_, nullptr)) != 0) raise_io("write", path_);
  }

  /// Steps whose numbers a device is still computing are written many at once: it would have to be waited for.
  void step(const StepReport& s) {
    if (!file_) return;
    profile_.add(s);
    if (first_ == 0) first_ = s.step, start_ = Clock::now();
    examples_ += s.examples;
    unread_.push_back(s);
    if (!s.known() && std::ssize(unread_) < detail_of_progress::most_unread) return;
    write_steps();
    if (on_terminal()) bar(s);
  }

  void epoch(const EpochReport& e) {
    if (!file_) return;
    write_steps();
    OrderedJson row{{"epoch", e.epoch}, {"mean_loss", e.mean_loss}};
    std::string line = format("epoch {}: mean loss {}", e.epoch, shorten(e.mean_loss));
    if (e.dev) {
      OrderedJson scores = OrderedJson::object();
      const std::string of = metric_ == "accuracy" ? "" : " " + metric_;
      const auto add = [&](const char* name, double value) {
        scores[name] = value;
        line += format(", {}{} {}", name, of, shorten(value));
      };
      if (e.dev->knn) add("knn", *e.dev->knn);
      add("head", e.dev->head);
      if (e.dev->combined) add("combined", *e.dev->combined);
      row[metric_] = scores;
      row["best"] = e.best;
    }
    write(row);
    if (on_terminal()) std::fputs("\r\033[K", stderr);
    if (json_) print_json(row);
    else print(line + "\n");
    std::fflush(stdout);
  }

  void print_profile(index_t threads) { profile_.print(threads, json_); }
  bool stop_requested() const { return stop_signal != 0; }

 private:
  using Clock = std::chrono::steady_clock;

  static std::FILE* open(const std::filesystem::path& path, index_t done) {
    std::string rows;
    if (done > 0 && committed_exists(path)) rows = detail_of_progress::rows_until(read_text(path), done);
    if (done > 0 && rows.empty())
      print_warning(
          format("{}: rows of steps before the checkpoint are missing, as where another run wrote since: the "
                 "curves begin behind step {}",
                 path.string(), done));
    write_file_atomically(path, rows);
    std::FILE* const file = std::fopen(path.c_str(), "abe");
    if (!file) raise_io("write", path);
    return file;
  }

  static std::string shorten(double value) {
    char text[32];
    std::snprintf(text, sizeof text, std::abs(value) < 1e6 ? "%.4f" : "%.4g", value);
    return text;
  }

  void write_steps() {
    for (const StepReport& s : std::exchange(unread_, {})) {
      OrderedJson loss{{"total", static_cast<float>(s.loss)}};
      for (const auto& [name, value] : s.terms)
        loss[std::string(name)] = value ? OrderedJson(static_cast<float>(*value)) : OrderedJson(nullptr);
      OrderedJson row{{"step", s.step},
                      {"epoch", s.epoch},
                      {"loss", loss},
                      {"learning_rate", s.learning_rate},
                      {"gradient_norm", static_cast<double>(s.gradient_norm)}};
      for (const auto& [name, value] : s.measures) row[std::string(name)] = value;
      if (!s.finite) row["skipped"] = true;
      write(row);
    }
  }

  void write(const OrderedJson& row) {
    const std::string line = json_line(row) + "\n";
    if (std::fwrite(line.data(), 1, line.size(), file_) != line.size() || std::fflush(file_) != 0)
      raise_io("write", path_);
  }

  void bar(const StepReport& s) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    if (seconds < 0.5 || s.step == first_) return;
    const double left = seconds / static_cast<double>(s.step - first_) * static_cast<double>(s.steps - s.step);
    constexpr int width = 30;
    const int filled = static_cast<int>(width * s.step / s.steps);
    std::fprintf(stderr, "\r\033[K[%.*s%*s] %td/%td  loss %.4f  %.1f examples/s  %d:%02d left", filled,
                 "##############################", width - filled, "", s.step, s.steps, static_cast<double>(s.loss),
                 static_cast<double>(examples_) / seconds, static_cast<int>(left) / 60, static_cast<int>(left) % 60);
  }

  std::filesystem::path path_;
  std::FILE* file_;
  bool json_;
  std::string metric_;  // of dev scores
  std::vector<StepReport> unread_;
  Profile profile_;
  index_t first_ = 0, examples_ = 0;
  Clock::time_point start_;
};

}  // namespace knnbert::cli
