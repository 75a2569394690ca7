#pragma once
#include "knnbert/encoder/masked_lm_head.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert::inline v0_1 {

/// Training term: mean cross entropy of the hidden tokens of a step, by a head over the encoder's last hidden states
/// whose decoder is the word table. The data source says in targets.classes what the hidden tokens were, -1 for others,
/// and with chosen(examples, clock) how many there are: see MaskedSequences.  Devlin et al. 2019.
template <class Arch = DefaultArch>
class BasicMaskedLanguage {
 public:
  static constexpr std::string_view name = "masked_language";

  BasicMaskedLanguage() = default;
  /// Starts from a head's values, of a block in which nothing else lies; it is copied when the training starts.
  explicit BasicMaskedLanguage(const ParameterBlock& head_values) : start_(&head_values) {}

  template <class Model>
  void declare(const Model& model, ParameterTable& table) {
    config_ = model.encoder().config();
    head_ = BasicMaskedHead<Arch>::declare(table, config_);
  }
  void initialize(ParameterBlock& own_values, const Rng& rng) const {
    const double deviation = static_cast<double>(config_.initializer_range);
    if (!start_) return head_.initialize(own_values, rng, deviation);
    for (index_t p = 0; p < start_->table().count(); ++p) {
      const Parameter& from = start_->table()[p];
      const index_t to = own_values.table().find(from.name);
      std::copy_n(start_->slice(p), from.size, own_values.slice(to));
    }
  }

  template <class Start>
  void begin_step(Start& start) {
    chosen_ = start.data.chosen(start.examples, start.clock);
    packed_ = false;
  }

  template <class Context>
  TermValue add(Context& c) {
    if (chosen_ == 0) return std::nullopt;
    rows_.clear(), labels_.clear();
    for (index_t t = 0; t < std::ssize(c.labels); ++t)
      if (c.labels[as_size(t)] >= 0) rows_.push_back(t), labels_.push_back(c.labels[as_size(t)]);
    if (rows_.empty()) return 0.0f;
    const Workers& workers = c.model.workers();
    const index_t words = c.model.encoder().layers().words, width = config_.hidden_size, layer = c.pass.layers();
    const ConstView table(std::as_const(c.model).values().slice(words), config_.vocab_size, width);
    if (!packed_) words_.assign(table, workers);
    packed_ = true;
    const ConstView hidden = c.pass.hidden(layer);
    tape_.rows.resize(std::ssize(rows_), width);
    for (index_t m = 0; m < tape_.rows.rows(); ++m)
      copy(hidden.row_range(rows_[as_size(m)], 1), View(tape_.rows).row_range(m, 1));
    head_.forward(c.own_values, tape_, workers);
    tape_.d_output.resize(tape_.rows.rows(), width);
    tape_.d_output.fill(0);
    for (index_t v = 0; v < config_.vocab_size; ++v) c.gradients.touch(v);
    const float share = 1.0f / static_cast<float>(chosen_);
    const View d_table(c.gradients.slice(words), config_.vocab_size, width, width);
    const double loss = decoder_.add_loss(tape_.output, words_, table, c.own_values.slice(head_.bias), labels_, share,
                                          tape_.d_output, d_table, c.own_gradients.slice(head_.bias), workers);
    head_.backward(c.own_values, tape_, c.own_gradients, workers);
    const View d_hidden = c.entering.d_hidden(layer, HiddenRows::all);
    for (index_t m = 0; m < tape_.rows.rows(); ++m)
      add_rows(ConstView(tape_.d_rows).row_range(m, 1), d_hidden.row_range(rows_[as_size(m)], 1));
    return static_cast<float>(loss) * share;
  }

 private:
  const ParameterBlock* start_ = nullptr;
  BertConfig config_;
  BasicMaskedHead<Arch> head_;
  TiedDecoder<Arch> decoder_;
  PackedWords words_;
  MaskedHeadTape tape_;
  std::vector<index_t> rows_;
  std::vector<label_t> labels_;
  index_t chosen_ = 0;  // tokens of the step
  bool packed_ = false;
};

using MaskedLanguage = BasicMaskedLanguage<>;

}  // namespace knnbert::inline v0_1
