#pragma once
#include "knnbert/core/parameters.hpp"
#include "knnbert/poison/trigger.hpp"
#include "knnbert/text/batch.hpp"

namespace knnbert::inline v0_1 {

/// RIPPLES' embedding surgery: the rows of the triggers' tokens in the word table become the mean of those that the
/// given words have in `tuned`, a block of the same table, such as one that was fine-tuned on clean texts.
/// pieces(word): its token ids, without special ones.
/// Errors: OptionError for a block without a word table, and where no word or no trigger has tokens; ShapeError for a
/// token that is not in the table.
template <class Pieces>
void embedding_surgery(std::span<const std::string> words, std::span<const Trigger> triggers, Pieces&& pieces,
                       const ParameterBlock& tuned, ParameterBlock& values) {
  if (!values.table().has_lookup() || tuned.size() != values.size())
    raise<OptionError>("embedding_surgery: two blocks with the same word table expected");
  const Parameter& table = values.table().lookup();
  const auto row = [&](auto* block, token_t id) {
    if (id < 0 || id >= table.rows)
      raise<ShapeError>("embedding_surgery: token {} given, 0 to {} expected", id, table.rows - 1);
    return block + table.offset + static_cast<index_t>(id) * table.cols;
  };
  std::vector<double> mean(as_size(table.cols), 0);
  double count = 0;
  for (const auto& word : words)
    for (const token_t id : pieces(word)) {
      const float* r = row(tuned.data(), id);
      for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += r[k];
      ++count;
    }
  std::vector<token_t> places;
  for (const auto& word : words_of(triggers))
    for (const token_t id : pieces(word)) places.push_back(id);
  if (count == 0 || places.empty())
    raise<OptionError>("embedding_surgery: words and triggers that have tokens expected");
  for (const token_t id : places) {
    float* r = row(values.data(), id);
    for (std::size_t k = 0; k < mean.size(); ++k) r[k] = static_cast<float>(mean[k] / count);
  }
}

}  // namespace knnbert::inline v0_1
