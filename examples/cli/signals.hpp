#pragma once
#include <array>
#include <csignal>

namespace knnbert::cli {

/// The signal that asked to finish what has begun, save and leave; 0: none did.
inline volatile std::sig_atomic_t stop_signal = 0;

inline void ask_to_stop(int signal) { stop_signal = signal; }

/// While it lives, SIGINT, another signal and SIGHUP ask for an end in good order, unless they are ignored (nohup, jobs
/// of a script in the background); the next one ends at once.
class StopBySignals {
 public:
  explicit StopBySignals(int other = SIGTERM) : signals_{SIGINT, other, SIGHUP} {
    for (std::size_t i = 0; i < signals_.size(); ++i)
      if ((old_[i] = std::signal(signals_[i], stop)) == SIG_IGN) std::signal(signals_[i], SIG_IGN);
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
