#pragma once
#include <memory>
#include <vector>

#include "knnbert/encoder/pass.hpp"

namespace knnbert::inline v0_1 {

/// What terms let enter the one backward pass of a step's clean texts; all add to it. Rows below the embedding are
/// there, as zeros, from the first time that a term asks for them in a step.
template <class Model>
class StepGradients {
 public:
  using Rows = typename Model::rows_type;

  Rows d_logits, d_embedding;  // [B, C], [B, H]

  /// At hidden states: [T, H] of all rows or [B, H] of first ones; layer 0 is the embedding's output, l the output of
  /// block l.
  /// Errors: ShapeError.
  Rows& d_hidden(index_t layer, HiddenRows which) {
    if (layer < 0 || layer > layers_)
      raise<ShapeError>("StepGradients::d_hidden: layer {} given, 0 to {} expected", layer, layers_);
    for (std::size_t i = 0; i < used_; ++i)
      if (hidden_[i]->layer == layer && hidden_[i]->which == which) return hidden_[i]->rows;
    if (used_ == hidden_.size()) hidden_.push_back(std::make_unique<Hidden>());
    Hidden& h = *hidden_[used_++];
    h.layer = layer, h.which = which;
    return zeros(h.rows, which == HiddenRows::all ? tokens_ : texts_);
  }
  /// At the sums of word, position and segment [T, H].
  Rows& d_sums() {
    if (!has_sums_) zeros(d_sums_, tokens_);
    has_sums_ = true;
    return d_sums_;
  }

  /// Zeros for the texts of a pass.
  void start(const Model& model, index_t texts, index_t tokens, index_t layers) {
    texts_ = texts, tokens_ = tokens, layers_ = layers, width_ = model.width();
    d_logits.resize(texts, model.classes());
    d_logits.fill(0);
    zeros(d_embedding, texts);
    used_ = 0, has_sums_ = false;
  }

  /// All of it, with the parameters' gradients to add to.  Valid until the next call of a member.
  typename Model::gradients_type entering(Gradients& parameters) {
    views_.clear();
    for (std::size_t i = 0; i < used_; ++i) views_.push_back({hidden_[i]->layer, hidden_[i]->which, hidden_[i]->rows});
    typename Model::gradients_type all{
        .d_logits = d_logits, .d_embedding = d_embedding, .d_hidden = views_, .parameters = &parameters};
    if (has_sums_) all.d_sums = d_sums_;
    return all;
  }

 private:
  struct Hidden {
    index_t layer;
    HiddenRows which;
    Rows rows;
  };
  Rows& zeros(Rows& rows, index_t count) {
    rows.resize(count, width_);
    rows.fill(0);
    return rows;
  }

  index_t texts_ = 0, tokens_ = 0, layers_ = 0, width_ = 0;
  std::vector<std::unique_ptr<Hidden>> hidden_;  // the first used_ of them are of this step
  std::size_t used_ = 0;
  Rows d_sums_;
  bool has_sums_ = false;
  std::vector<typename Model::hidden_gradient_type> views_;
};

}  // namespace knnbert::inline v0_1
