#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "knnbert/core/types.hpp"

namespace knnbert::inline v0_1 {

/// The floats of a parameter block in the memory of another device, with the passes over all of them that have to run
/// there. Its members are virtual because terms keep blocks (key encoders, teachers, averages) and must not be compiled
/// for a backend.
class Mirror {
 public:
  virtual ~Mirror() = default;
  virtual std::unique_ptr<Mirror> clone() const = 0;
  virtual void upload(const float* from) = 0;
  virtual void download(float* to) const = 0;
  virtual void clear() = 0;
  /// floats += rate (source - floats), exactly unchanged where both are equal.  Errors: OptionError for another kind of
  /// mirror.
  virtual void follow(const Mirror& source, float rate) = 0;
};

/// A block's mirror, if it has one, and which side has the newer values; whoever reads the older side pays one copy.
/// Thread safety: any number of readers of either side, or one writer.
class MirrorSlot {
 public:
  MirrorSlot() = default;
  MirrorSlot(const MirrorSlot& other) {
    const std::lock_guard lock(other.mutex_);
    if (other.mirror_) mirror_ = other.mirror_->clone();
    state_ = other.state_.load();
  }
  MirrorSlot(MirrorSlot&& other) noexcept
      : mirror_(std::move(other.mirror_)), state_(other.state_.exchange(State::alone)) {}
  MirrorSlot& operator=(MirrorSlot other) noexcept {
    mirror_ = std::move(other.mirror_);
    state_ = other.state_.load();
    return *this;
  }

  bool occupied() const { return state_.load(std::memory_order_acquire) != State::alone; }

  /// Before the block's own floats are read.
  void read_host(float* host) const {
    if (state_.load(std::memory_order_acquire) != State::mirror_newer) return;
    const std::lock_guard lock(mutex_);
    if (state_.load() != State::mirror_newer) return;
    mirror_->download(host);
    state_.store(State::level, std::memory_order_release);
  }
  /// Before they are written.
  void write_host(float* host) {
    if (!occupied()) return;
    read_host(host);
    state_ = State::host_newer;
  }

  /// The mirror with the newest values; make() gives the first one.
  template <class Make>
  Mirror& read(const float* host, Make&& make) const {
    const std::lock_guard lock(mutex_);
    if (!mirror_) {
      auto fresh = make();
      fresh->upload(host);
      mirror_ = std::move(fresh);
      state_.store(State::level, std::memory_order_release);
    }
    if (state_.load() == State::host_newer) {
      mirror_->upload(host);
      state_.store(State::level, std::memory_order_release);
    }
    return *mirror_;
  }
  /// The same before it is written.
  template <class Make>
  Mirror& write(const float* host, Make&& make) {
    Mirror& mirror = read(host, make);
    state_ = State::mirror_newer;
    return mirror;
  }
  /// Zeros the mirror, which then has the newer values; false if there is none.
  bool clear() {
    if (!occupied()) return false;
    mirror_->clear();
    state_ = State::mirror_newer;
    return true;
  }

 private:
  enum class State { alone, level, host_newer, mirror_newer };

  mutable std::mutex mutex_;
  mutable std::unique_ptr<Mirror> mirror_;
  mutable std::atomic<State> state_{State::alone};
};

}  // namespace knnbert::inline v0_1
