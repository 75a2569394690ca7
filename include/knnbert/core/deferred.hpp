#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace knnbert::inline v0_1 {

/// A number that another processor may still be computing: whoever converts it to T waits for it, nobody else does.
/// Thread safety: const.
template <class T>
class Deferred {
 public:
  Deferred(T value = T()) : value_(value) {}
  /// read(): called once, when the number is first asked for; copies share it.
  template <class F>
    requires std::is_invocable_r_v<T, F&>
  explicit Deferred(F read) : source_(std::make_shared<Function<F>>(std::move(read))) {}

  /// Whether reading it waits for nobody.
  bool known() const { return !source_ || source_->known.load(std::memory_order_acquire); }
  operator T() const { return source_ ? source_->get() : value_; }

  Deferred& operator+=(const Deferred& other) {
    if (known() && other.known()) *this = Deferred(static_cast<T>(*this) + static_cast<T>(other));
    else *this = Deferred([a = *this, b = other] { return static_cast<T>(a) + static_cast<T>(b); });
    return *this;
  }

  /// f of the number, deferred as it is.
  template <class F>
  auto then(F f) const -> Deferred<std::invoke_result_t<F, T>> {
    if (known()) return f(static_cast<T>(*this));
    return Deferred<std::invoke_result_t<F, T>>(
        [number = *this, f = std::move(f)] { return f(static_cast<T>(number)); });
  }

 private:
  struct Source {
    virtual ~Source() = default;
    virtual T read() = 0;
    T get() {
      const std::lock_guard lock(mutex);
      if (!known.load(std::memory_order_relaxed)) value = read(), known.store(true, std::memory_order_release);
      return value;
    }
    std::mutex mutex;
    std::atomic<bool> known{false};
    T value{};
  };
  template <class F>
  struct Function final : Source {
    explicit Function(F f) : function(std::move(f)) {}
    T read() override {
      const T result = (*function)();
      function.reset();  // and what it holds
      return result;
    }
    std::optional<F> function;
  };

  T value_{};
  std::shared_ptr<Source> source_;
};

}  // namespace knnbert::inline v0_1
