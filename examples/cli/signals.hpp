#pragma once
#include <array>
#include <csignal>

namespace knnbert::cli {

/// The signal that asked to finish what has begun, save and leave; 0: none did.
inline volatile std::sig_atomic_t stop_signal = 0;

inline void ask_to_stop(int signal) { stop_signal = signal; }

/// While it lives, SIGINT, another signal, and SIGHUP unless it is ignored (nohup) ask for an end in good order; the
/// next one ends at once. SIGINT counts also where a shell ignores it for jobs in the background: scripts send it.
class StopBySignals {
 public:
  explicit StopBySignals(int other = SIGTERM) : signals_{SIGINT, other, SIGHUP} {
    for (std::size_t i = 0; i < signals_.size(); ++i) old_[i] = std::signal(signals_[i], stop);
    if (old_.back() == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  }
  StopBySignals(const StopBySignals&) = delete;
  StopBySignals& operator=(const StopBySignals&) = delete;
  ~StopBySignals() {
    for (std::size_t i = 0; i < signals_.size(); ++i) std::signal(signals_[i], old_[i]);
  }

 private:
  static void stop(int signal) {
    stop_signal = signal;
    std::signal(SIGINT, SIG_DFL), std::signal(signal, SIG_DFL);
  }

  std::array<int, 3> signals_;
  std::array<void (*)(int), 3> old_{};
};

}  // namespace knnbert::cli
