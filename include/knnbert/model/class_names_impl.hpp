#pragma once
#include <set>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/io/utf8.hpp"
#include "knnbert/model/class_names.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

inline void require_utf8_name(std::string_view name) {
  if (const index_t bad = find_invalid_utf8(name); bad >= 0)
    raise<OptionError>("ClassNames: class '{}' with malformed UTF-8 at byte {} given, UTF-8 expected",
                       name.substr(0, as_size(bad)), bad);
}

}  // namespace detail

KNNBERT_INLINE ClassNames::ClassNames(std::vector<std::string> names) {
  if (names.empty()) raise<OptionError>("ClassNames: 0 classes given, at least 1 expected");
  std::set<std::string_view> seen;
  for (const auto& name : names)
    if (detail::require_utf8_name(name); !seen.insert(name).second)
      raise<OptionError>("ClassNames: class '{}' given twice", name);
  list_ = std::make_shared<const std::vector<std::string>>(std::move(names));
}

KNNBERT_INLINE ClassNames::List ClassNames::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

KNNBERT_INLINE label_t ClassNames::require(const std::string& name) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < list_->size(); ++i)
    if ((*list_)[i] == name) return static_cast<label_t>(i);
  detail::require_utf8_name(name);
  auto longer = *list_;
  longer.push_back(name);
  list_ = std::make_shared<const std::vector<std::string>>(std::move(longer));
  return static_cast<label_t>(list_->size() - 1);
}

}  // namespace knnbert::inline v0_1
