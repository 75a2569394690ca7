#pragma once
#include <memory>
#include <type_traits>
#include <utility>

namespace knnbert {

/// A number that another processor may still be computing: whoever converts it to T waits for it, nobody else does.
/// Thread safety: reading one object from two threads at once is a race; copies are independent.
template <class T>
class Deferred {
 public:
  Deferred(T value = T()) : value_(value) {}
  /// read(): called once at most for each copy, when the number is asked for.
  template <class F>
    requires std::is_invocable_r_v<T, F&>
  explicit Deferred(F read) : source_(std::make_shared<Function<F>>(std::move(read))) {}

  /// Whether reading it waits for nobody.
  bool known() const { return !source_; }
  operator T() const {
    if (source_) value_ = source_->read(), source_ = nullptr;
    return value_;
  }

  Deferred& operator+=(const Deferred& other) {
    if (known() && other.known()) value_ += other.value_;
    else *this = Deferred([a = *this, b = other] { return static_cast<T>(a) + static_cast<T>(b); });
    return *this;
  }

  /// f of the number, deferred as it is.
  template <class F>
  auto then(F f) const -> Deferred<std::invoke_result_t<F, T>> {
    if (known()) return f(value_);
    return Deferred<std::invoke_result_t<F, T>>([number = *this, f = std::move(f)] { return f(static_cast<T>(number)); });
  }

 private:
  struct Source {
    virtual ~Source() = default;
    virtual T read() = 0;
  };
  template <class F>
  struct Function final : Source {
    explicit Function(F f) : function(std::move(f)) {}
    T read() override { return function(); }
    F function;
  };

  mutable T value_{};
  mutable std::shared_ptr<Source> source_;
};

}  // namespace knnbert
