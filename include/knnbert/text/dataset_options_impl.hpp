#pragma once
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/text/dataset_options.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE Format parse_format(std::string_view name) {
  constexpr std::pair<std::string_view, Format> formats[] = {{"automatic", Format::automatic},
                                                             {"auto", Format::automatic},
                                                             {"tsv", Format::tsv},
                                                             {"glue", Format::tsv},
                                                             {"csv", Format::csv},
                                                             {"jsonl", Format::jsonl},
                                                             {"label_text", Format::label_text},
                                                             {"clinc", Format::clinc},
                                                             {"fasttext", Format::fasttext},
                                                             {"ag_news", Format::ag_news},
                                                             {"imdb", Format::imdb}};
  std::string known;
  for (const auto& entry : formats) {
    if (entry.first == name) return entry.second;
    known += (known.empty() ? "" : ", ") + std::string(entry.first);
  }
  raise<OptionError>("parse_format: '{}' given, one of {} expected", name, known);
}

}  // namespace knnbert::inline v0_1
