#pragma once
#include <csignal>

namespace knnbert::cli {

/// The signal that asked to finish what has begun, save and leave; 0: none did.
inline volatile std::sig_atomic_t stop_signal = 0;

/// While it lives, SIGINT and another signal ask for an end in good order; the next one ends at once.
class StopBySignals {
 public:
  explicit StopBySignals(int other = SIGTERM)
      : other_(other), old_{std::signal(SIGINT, stop), std::signal(other, stop)} {}
  StopBySignals(const StopBySignals&) = delete;
  StopBySignals& operator=(const StopBySignals&) = delete;
  ~StopBySignals() { std::signal(SIGINT, old_[0]), std::signal(other_, old_[1]); }

 private:
  static void stop(int signal) {
    stop_signal = signal;
    std::signal(SIGINT, SIG_DFL), std::signal(signal, SIG_DFL);
  }

  int other_;
  void (*old_[2])(int);
};

}  // namespace knnbert::cli
