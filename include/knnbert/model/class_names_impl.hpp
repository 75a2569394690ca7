#pragma once
#include <set>
#include <unordered_map>
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

/// Unless others have changed the list since it was seen.
KNNBERT_INLINE bool ClassNames::replace(const List& seen, List longer) {
  const std::lock_guard lock(mutex_);
  if (list_ != seen) return false;
  list_ = std::move(longer);
  return true;
}

KNNBERT_INLINE std::vector<label_t> ClassNames::require(std::span<const std::string> names, Plain plain) {
  for (;;) {  // readers do not wait while names are compared
    const List seen = list();
    std::unordered_map<std::string_view, label_t> known;
    std::unordered_map<std::string, label_t> alike;
    std::vector<std::string> fresh;
    std::vector<label_t> labels;
    for (std::size_t c = 0; c < seen->size(); ++c) known.emplace((*seen)[c], static_cast<label_t>(c));
    for (const auto& name : names) {
      auto label = static_cast<label_t>(seen->size() + fresh.size());
      if (const auto same = known.find(name); same != known.end()) {
        labels.push_back(same->second);
        continue;
      }
      if (plain) {
        if (alike.empty())
          for (std::size_t c = 0; c < seen->size(); ++c) alike.emplace(plain((*seen)[c]), static_cast<label_t>(c));
        label = alike.emplace(plain(name), label).first->second;
      }
      labels.push_back(label);
      if (as_size(label) < seen->size() + fresh.size()) continue;
      detail::require_utf8_name(name);
      known.emplace(name, label);
      fresh.push_back(name);
    }
    if (fresh.empty()) return labels;
    auto longer = std::make_shared<std::vector<std::string>>(*seen);
    longer->insert(longer->end(), fresh.begin(), fresh.end());
    if (replace(seen, std::move(longer))) return labels;
  }
}

}  // namespace knnbert::inline v0_1
