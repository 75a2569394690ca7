#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "knnbert/text/concept.hpp"
#include "knnbert/text/targets.hpp"

namespace knnbert::inline v0_1 {

/// What is masked as a whole: a piece, or a word with the pieces that continue it.
enum class MaskUnit { piece, word };

struct MaskOptions {
  double probability = 0.15;  ///< of the pieces of a sequence: their number is fixed, not drawn
  MaskUnit unit = MaskUnit::piece;
  double masked = 0.8, random = 0.1;  ///< shares of them that become the mask token and random pieces; the rest stays

  /// Errors: OptionError.
  void validate() const {
    if (!(probability > 0 && probability <= 1))
      raise<OptionError>("MaskOptions::probability: {} given, above 0 and at most 1 expected", probability);
    if (!(masked >= 0 && random >= 0 && masked + random <= 1))
      raise<OptionError>("MaskOptions: shares {} and {} given, at least 0 and together at most 1 expected", masked,
                         random);
  }
};

/// Chooses the pieces of a sequence that a masked language model has to find, and hides them: max(1, round(0.15 n)) of
/// its n pieces that are not special, of which 80 % become the mask token, 10 % a random piece that is not special, and
/// 10 % stay.  Devlin et al. 2019; whole words as in the code they released later: one of more pieces than are still to
/// be chosen is passed over, so that of a sequence of long words alone none is.
class Masker {
 public:
  static constexpr label_t not_chosen = -1;

  /// tokenizer has token(id), special() and vocabulary_size().
  /// Errors: OptionError, also for a vocabulary without mask token or with special tokens alone, and for words of a
  /// vocabulary that does not say which pieces continue one.
  template <class T>
  Masker(const T& tokenizer, const MaskOptions& options) : options_(options), words_(tokenizer.vocabulary_size()) {
    options.validate();
    const SpecialTokens& s = tokenizer.special();
    mask_ = s.mask;
    if (mask_ < 0) raise<OptionError>("Masker: a vocabulary without mask token given, one with [MASK] expected");
    for (const token_t id : {s.unknown, s.classify, s.separate, s.pad, s.mask})
      if (id >= 0) special_.push_back(id);
    std::sort(special_.begin(), special_.end());
    special_.erase(std::unique(special_.begin(), special_.end()), special_.end());
    if (words_ <= std::ssize(special_))
      raise<OptionError>("Masker: a vocabulary of {} special tokens alone given, others expected", words_);
    continues_.resize(as_size(words_));
    for (token_t id = 0; id < words_; ++id) continues_[as_size(id)] = tokenizer.token(id).starts_with("##");
    if (options.unit == MaskUnit::word && std::find(continues_.begin(), continues_.end(), true) == continues_.end())
      raise<OptionError>("Masker: words given, a vocabulary with pieces that continue words (##) expected");
  }

  const MaskOptions& options() const { return options_; }
  token_t mask() const { return mask_; }
  bool is_special(token_t id) const { return std::binary_search(special_.begin(), special_.end(), id); }

  /// Hides pieces of ids; labels [ids] receives what the chosen ones were, not_chosen for the others. Returns how many.
  index_t hide(const Rng& rng, std::span<token_t> ids, std::span<label_t> labels) const {
    const auto groups = units_of(ids);
    const index_t pieces = groups.empty() ? 0 : groups.back().last_piece;
    if (pieces == 0) return std::fill(labels.begin(), labels.end(), not_chosen), 0;
    const auto budget = std::max<index_t>(
        1, static_cast<index_t>(std::floor(options_.probability * static_cast<double>(pieces) + 0.5)));
    std::fill(labels.begin(), labels.end(), not_chosen);
    const auto order = rng.fork(0).permutation(std::ssize(groups));
    index_t chosen = 0;
    for (const index_t g : order) {
      if (chosen == budget) break;
      const Unit& unit = groups[as_size(g)];
      if (chosen + unit.count > budget) continue;
      chosen += hide_unit(rng, unit, ids, labels);
    }
    return chosen;
  }

 private:
  struct Unit {
    index_t begin, count, last_piece;  // last_piece: pieces up to its end
  };

  std::vector<Unit> units_of(std::span<const token_t> ids) const {
    std::vector<Unit> units;
    index_t pieces = 0;
    bool before = false;  // whether the token before is one that can be chosen
    for (index_t t = 0; t < std::ssize(ids); ++t) {
      const token_t id = ids[as_size(t)];
      const bool chooses = !is_special(id);
      if (chooses) {
        ++pieces;
        const bool more = options_.unit == MaskUnit::word && before && continues_[as_size(id)];
        if (more) units.back().count += 1, units.back().last_piece = pieces;
        else units.push_back({t, 1, pieces});
      }
      before = chooses;
    }
    return units;
  }

  index_t hide_unit(const Rng& rng, const Unit& unit, std::span<token_t> ids, std::span<label_t> labels) const {
    for (index_t t = unit.begin; t < unit.begin + unit.count; ++t) {
      const Rng own = rng.fork(static_cast<std::uint64_t>(t) + 1);
      token_t& id = ids[as_size(t)];
      labels[as_size(t)] = id;
      const double u = own.uniform(0);
      if (u < options_.masked) id = mask_;
      else if (u < options_.masked + options_.random) id = random_piece(own);
    }
    return unit.count;
  }

  /// Uniform over all ids that are not special.
  token_t random_piece(const Rng& rng) const {
    auto id = static_cast<token_t>(rng.below(1, words_ - std::ssize(special_)));
    for (const token_t s : special_)
      if (id >= s) ++id;
    return id;
  }

  MaskOptions options_;
  index_t words_;
  token_t mask_ = -1;
  std::vector<token_t> special_;  // ascending
  std::vector<bool> continues_;   // whether a piece continues a word
};

/// Sequences of which some pieces are hidden, drawn afresh in every epoch: a data source. targets.classes [T] is what
/// the chosen tokens were, -1 for the others.
class MaskedSequences {
 public:
  /// Both must outlive it.
  MaskedSequences(const Batch& sequences, const Masker& masker) : sequences_(sequences), masker_(masker) {}

  index_t size() const { return sequences_.size(); }
  void assign(std::span<const index_t> examples, const StepClock& clock, Batch& batch, Targets& targets) const {
    batch.assign(sequences_, examples);
    targets.classes.resize(batch.ids.size());
    targets.values.resize(0, 0);
    for (index_t i = 0; i < batch.size(); ++i) {
      const auto first = static_cast<std::size_t>(batch.offsets[as_size(i)]),
                 count = static_cast<std::size_t>(batch.length(i));
      masker_.hide(rng(clock, examples[as_size(i)]), std::span(batch.ids).subspan(first, count),
                   std::span(targets.classes).subspan(first, count));
    }
  }
  /// How many tokens of some examples are chosen.
  index_t chosen(std::span<const index_t> examples, const StepClock& clock) const {
    index_t total = 0;
    std::vector<token_t> ids;
    std::vector<label_t> labels;
    for (const index_t example : examples) {
      const auto text = sequences_.text(example);
      ids.assign(text.begin(), text.end()), labels.resize(ids.size());
      total += masker_.hide(rng(clock, example), ids, labels);
    }
    return total;
  }

 private:
  static Rng rng(const StepClock& clock, index_t example) {
    return Rng(clock.seed, Stream::mask, clock.epoch).fork(static_cast<std::uint64_t>(example));
  }

  const Batch& sequences_;
  const Masker& masker_;
};

}  // namespace knnbert::inline v0_1
