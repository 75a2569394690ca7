#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knnbert::inline v0_1 {

/// What a label is: the name of a class, a set of such names with a separator between them, or a number.
enum class LabelKind { name, set, number };

/// The names of a set, sorted, each once, without blanks at their ends. The separator alone is the empty set.
std::vector<std::string> names_in_set(std::string_view set, std::string_view separator);

/// A decimal number of at most 1e30, with or without an exponent; nothing if the text is none.
std::optional<double> number_in(std::string_view text);

/// The one name of labels that mean the same: b|a is a|b, 1.50 is 1.5. A label that is no number stays as it is.
std::string canonical_label(std::string_view label, LabelKind kind, std::string_view separator);

/// What a model says of a text: one of the classes; any number of them, each by itself; or a number.
enum class Task { single_label, multi_label, regression };

inline constexpr LabelKind label_kind(Task task) {
  return task == Task::multi_label ? LabelKind::set : task == Task::regression ? LabelKind::number : LabelKind::name;
}

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/label_kind_impl.hpp"
#endif
