#pragma once
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "knnbert/core/format.hpp"
#include "knnbert/core/types.hpp"
#include "knnbert/io/utf8.hpp"

namespace knnbert::inline v0_1::detail {

/// Characters that leave a note of the furthest one that was read.
struct WatchedCharacters {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = index_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** furthest;

  reference operator*() const { return *at; }
  WatchedCharacters& operator++() {
    *furthest = ++at;
    return *this;
  }
  WatchedCharacters operator++(int) {
    const auto old = *this;
    ++*this;
    return old;
  }
  friend bool operator==(const WatchedCharacters& a, const WatchedCharacters& b) { return a.at == b.at; }
};

/// Builds a value from parser events; stops at repeated keys and at deep nesting.
class JsonBuilder {
 public:
  using Value = nlohmann::json;

  explicit JsonBuilder(Value& root) : slot_(&root) {}

  const std::string& problem() const { return problem_; }

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Value::number_integer_t value) { return put(value); }
  bool number_unsigned(Value::number_unsigned_t value) { return put(value); }
  bool number_float(Value::number_float_t value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Value::binary_t&) { return fail("binary data"); }

  bool start_object(std::size_t) { return open(Value::object()); }
  bool start_array(std::size_t) { return open(Value::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    const auto [member, is_new] = open_.back()->get_ref<Value::object_t&>().try_emplace(std::move(name));
    if (!is_new) return fail(knnbert::format("key '{}' appears twice in an object", member->first));
    slot_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Value::exception& problem) {
    std::string_view reason = problem.what();
    // The reason follows "[json.exception.parse_error.101] parse error at line 1, column 5: ".
    for (const std::string_view prefix_end : {"] ", "column ", ": "}) {
      const auto at = reason.find(prefix_end);
      if (at == std::string_view::npos) break;
      reason.remove_prefix(at + prefix_end.size());
    }
    return fail(std::string(reason));
  }

 private:
  static constexpr index_t deepest = 64;

  bool fail(const std::string& problem) {
    constexpr std::size_t longest = 150;
    problem_ = first_characters(problem, longest);
    return false;
  }

  /// Stores a value in the slot of the last key, at the end of the open array, or as the root.
  Value& store(Value&& value) {
    if (open_.empty() || open_.back()->is_object()) return *slot_ = std::move(value);
    auto& elements = open_.back()->get_ref<Value::array_t&>();
    elements.push_back(std::move(value));
    return elements.back();
  }
  bool put(Value value) {
    store(std::move(value));
    return true;
  }
  bool open(Value container) {
    if (std::ssize(open_) >= deepest) return fail(format("nested deeper than {} levels", deepest));
    open_.push_back(&store(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Value* slot_;
  std::vector<Value*> open_;  // an open container does not move: its parent grows only after it is closed
  std::string problem_;
};

}  // namespace knnbert::inline v0_1::detail
