#pragma once
#include <chrono>
#include <cstdio>

#include "knnbert/io/json.hpp"
#include "knnbert/kernel/peak.hpp"
#include "knnbert/train/report.hpp"
#include "options.hpp"

namespace knnbert::cli {

/// Where the time of a training run goes.
class Profile {
 public:
  void add(const StepReport& step) {
    for (const PhaseTime& p : step.phases) {
      PhaseTime& total = sums_.phase(p.phase, p.term);
      total.seconds += p.seconds, total.operations += p.operations;
    }
    sums_.tokens += step.tokens, sums_.examples += step.examples, ++sums_.steps;
  }

  /// A table on standard output, or one JSON object. Shares are of the fp32 peak of `threads` cores, measured now.
  void print(index_t threads, bool json) {
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const double peak = kernel::peak<DefaultArch>() * static_cast<double>(threads);
    PhaseTime steps{"steps", {}}, rest{"between steps", {}, wall};
    for (const PhaseTime& p : sums_.phases) steps.seconds += p.seconds, steps.operations += p.operations;
    rest.seconds -= steps.seconds;
    auto rows = sums_.phases;
    rows.push_back(steps), rows.push_back(rest);
    if (json)
      return print_json({{"profile", objects(rows, peak)},
                         {"steps", sums_.steps},
                         {"examples", sums_.examples},
                         {"tokens", sums_.tokens},
                         {"wall_seconds", wall},
                         {"peak_flops", peak}});
    cli::print(format("{} steps, {} examples, {} tokens; peak of {} threads in fp32: {} GFLOP/s\n", sums_.steps,
                      sums_.examples, sums_.tokens, threads, number("%.1f", peak * 1e-9)));
    cli::print(text("phase", "seconds", "share", "GFLOP/s", "of peak"));
    for (const PhaseTime& p : rows)
      cli::print(text(name(p), number("%.2f", p.seconds), number("%.1f %%", 100 * p.seconds / wall),
                      p.operations > 0 ? number("%.1f", p.operations / p.seconds * 1e-9) : "",
                      p.operations > 0 ? number("%.1f %%", 100 * p.operations / p.seconds / peak) : ""));
  }

 private:
  static std::string name(const PhaseTime& p) {
    return p.term.empty() ? std::string(p.phase) : format("{}: {}", p.term, p.phase);
  }
  static std::string number(const char* pattern, double value) {
    char text[32];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
  }
  static std::string text(const std::string& phase, const std::string& seconds, const std::string& share,
                          const std::string& rate, const std::string& of_peak) {
    char line[160];
    std::snprintf(line, sizeof line, "%-28s %10s %8s %9s %8s\n", phase.c_str(), seconds.c_str(), share.c_str(),
                  rate.c_str(), of_peak.c_str());
    return line;
  }
  static OrderedJson objects(const std::vector<PhaseTime>& rows, double peak) {
    OrderedJson all = OrderedJson::array();
    for (const PhaseTime& p : rows) {
      OrderedJson row{{"phase", name(p)}, {"seconds", p.seconds}};
      if (p.operations > 0)
        row["flops"] = p.operations / p.seconds, row["share_of_peak"] = p.operations / p.seconds / peak;
      all.push_back(std::move(row));
    }
    return all;
  }

  StepReport sums_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace knnbert::cli
