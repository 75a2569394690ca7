#pragma once
#include "knnbert/core/top_k.hpp"
#include "knnbert/encoder/masked_lm_head.hpp"
#include "knnbert/io/directory_lock.hpp"
#include "knnbert/loss/softmax.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/text/concept.hpp"

namespace knnbert::inline v0_1 {

struct MaskedLanguageOptions {
  index_t threads = 1;
  Precision precision = Precision::fp32;  ///< of the encoder's large products
  std::uint64_t seed = 42;                ///< of what starts from random numbers
};

/// A masked language model: which words could stand where. BERT's encoder and a head whose decoder is the word table.
/// Thread safety: const members may run concurrently.
template <class Stack>
class BasicMaskedLanguageModel {
 public:
  using network_type = Network<Stack>;
  using encoder_type = typename Stack::encoder_type;
  using tokenizer_type = typename Stack::tokenizer_type;
  using head_type = BasicMaskedHead<>;

  /// A directory of BertForMaskedLM, or of a BERT encoder alone, which gets a fresh head.  Errors: IoError;
  /// FormatError, also for another family than BERT and for a decoder that is not the word table.
  static BasicMaskedLanguageModel load(const std::filesystem::path& directory,
                                       const MaskedLanguageOptions& options = {});
  /// Random weights of BERT's usual distribution.  Errors: OptionError.
  BasicMaskedLanguageModel(tokenizer_type tokenizer, const BertConfig& config,
                           const MaskedLanguageOptions& options = {});
  /// Writes what transformers' BertForMaskedLM loads, as one unit.  Errors: IoError.
  void save(const std::filesystem::path& directory) const {
    save(DirectoryLock(directory), [](const std::filesystem::path&) {});
  }
  /// The same for who holds the directory, with more files in the same unit: more(folder) writes them.
  template <class More>
  void save(const DirectoryLock& lock, More&& more) const;

  const tokenizer_type& tokenizer() const { return tokenizer_; }
  network_type& network() { return network_; }
  const network_type& network() const { return network_; }
  const head_type& head() const { return head_; }
  const ParameterBlock& head_values() const { return head_values_; }
  ParameterBlock& head_values() { return head_values_; }
  bool head_loaded() const { return head_loaded_; }  ///< false: it started from random numbers
  index_t max_length() const { return network_.encoder().max_length(); }
  index_t words() const { return network_.encoder().config().vocab_size; }
  /// To be called when values have changed, before anything is predicted.
  void refresh() {
    network_.lower(network_.values());
    packed_.assign(table(), network_.workers());
  }

  /// Tokens of a text, special tokens included, where [MASK] is the mask token.
  Batch tokenize(std::string_view text) const;
  /// logits [rows, V] of tokens of a batch, given by their places in it, in groups of bounded memory:
  /// visit(first, logits) hears some rows after the others.  Errors: ShapeError.
  template <class Visit>
  void each_logits(const Batch& batch, std::span<const index_t> tokens, Visit&& visit) const;
  /// logits [n, V] of all n tokens of a text, special tokens included.
  Matrix logits(std::string_view text) const;
  /// The k most likely words at tokens of a batch, best first.  Errors: OptionError for k < 0.
  std::vector<std::vector<Scored>> top(const Batch& batch, std::span<const index_t> tokens, index_t k) const;
  /// exp of the mean of -log p(piece | all others), with one piece after the other masked; of the first
  /// max_length() tokens.  Salazar et al. 2020.  Errors: OptionError for a text without pieces.
  double pseudo_perplexity(std::string_view text) const;

 private:
  static const BertConfig& require_bert(const BertConfig& config, std::string_view where);
  static ClassifierOptions network_options(const MaskedLanguageOptions& options) {
    return {.pooling = Pooling::mean,
            .head_hidden_layer = false,
            .projection_width = 1,
            .threads = options.threads,
            .precision = options.precision,
            .seed = options.seed};
  }
  void initialize(std::uint64_t seed, bool encoder);
  void read_head(const SafeTensorsDirectory& tensors, const std::string& name);
  ConstView table() const {
    const auto& encoder = network_.encoder();
    return {std::as_const(network_).values().slice(encoder.layers().words), words(), network_.width()};
  }

  tokenizer_type tokenizer_;
  network_type network_;
  head_type head_;
  ParameterBlock head_values_;
  PackedWords packed_;
  bool head_loaded_ = false;
};

using MaskedLanguageModel = BasicMaskedLanguageModel<DefaultStack>;

template <class Stack>
const BertConfig& BasicMaskedLanguageModel<Stack>::require_bert(const BertConfig& config, std::string_view where) {
  if (config.family != &bert_family)
    raise<FormatError>("{}: a {} model given, a bert one expected", where, config.family->model_type);
  return config;
}

template <class Stack>
BasicMaskedLanguageModel<Stack>::BasicMaskedLanguageModel(tokenizer_type tokenizer, const BertConfig& config,
                                                          const MaskedLanguageOptions& options)
    : tokenizer_(std::move(tokenizer)),
      network_(require_bert(config, "MaskedLanguageModel"), 1, network_options(options)) {
  if (tokenizer_.vocabulary_size() > config.vocab_size)
    raise<OptionError>("MaskedLanguageModel: {} tokens but an encoder of {} given, as many expected",
                       tokenizer_.vocabulary_size(), config.vocab_size);
  if (tokenizer_.special().mask < 0)
    raise<OptionError>("MaskedLanguageModel: a tokenizer without mask token given, one with [MASK] expected");
  ParameterTable own(network_.values().table().weights());
  head_ = head_type::declare(own, config);
  head_values_ = ParameterBlock(std::make_shared<const ParameterTable>(std::move(own)));
  initialize(options.seed, true);
  refresh();
}

template <class Stack>
void BasicMaskedLanguageModel<Stack>::initialize(std::uint64_t seed, bool encoder) {
  const Rng rng(seed, Stream::initialize);
  const auto deviation = static_cast<double>(network_.encoder().config().initializer_range);
  head_.initialize(head_values_, rng.fork(1), deviation);
  if (!encoder) return;
  const ParameterTable& all = network_.values().table();
  for (index_t p = 0; p < all.count(); ++p)
    if (!all[p].name.starts_with("classifier.") && !all[p].name.starts_with("projection."))
      head_type::initialize_like_bert(network_.values(), p, rng.fork(2), deviation);
}

template <class Stack>
Batch BasicMaskedLanguageModel<Stack>::tokenize(std::string_view text) const {
  const std::string_view mask = tokenizer_.token(tokenizer_.special().mask);
  const SpecialTokens& special = tokenizer_.special();
  std::vector<token_t> pieces;
  for (bool more = true; more;) {
    const auto at = text.find(mask);
    tokenizer_.encode_words(text.substr(0, at), pieces);
    more = at != text.npos;
    if (more) pieces.push_back(special.mask), text.remove_prefix(at + mask.size());
  }
  if (std::ssize(pieces) > max_length() - 2) pieces.resize(static_cast<std::size_t>(max_length() - 2));
  Batch batch;
  batch.ids.push_back(special.classify);
  batch.ids.insert(batch.ids.end(), pieces.begin(), pieces.end());
  batch.ids.push_back(special.separate);
  batch.close_text();
  return batch;
}

template <class Stack>
template <class Visit>
void BasicMaskedLanguageModel<Stack>::each_logits(const Batch& batch, std::span<const index_t> tokens,
                                                  Visit&& visit) const {
  if (tokens.empty()) return;
  typename network_type::pass_type pass;
  network_.forward(network_.values(), batch, {.keep = Keep::hidden}, pass);
  const ConstView hidden = pass.hidden(pass.layers());
  MaskedHeadTape tape;
  tape.rows.resize(std::ssize(tokens), network_.width());
  for (index_t m = 0; m < tape.rows.rows(); ++m) {
    const index_t t = tokens[as_size(m)];
    if (t < 0 || t >= batch.tokens())
      raise<ShapeError>("MaskedLanguageModel: token {} given, 0 to {} expected", t, batch.tokens() - 1);
    copy(hidden.row_range(t, 1), View(tape.rows).row_range(m, 1));
  }
  head_.forward(head_values_, tape, network_.workers());
  TiedDecoder<> decoder;
  decoder.each_chunk(tape.output, packed_, head_values_.slice(head_.bias), network_.workers(), visit);
}

template <class Stack>
Matrix BasicMaskedLanguageModel<Stack>::logits(std::string_view text) const {
  const Batch batch = tokenize(text);
  std::vector<index_t> all(batch.ids.size());
  std::iota(all.begin(), all.end(), index_t{0});
  Matrix result(std::ssize(all), words());
  each_logits(batch, all,
              [&](index_t first, View logits) { copy(logits, View(result).row_range(first, logits.rows())); });
  return result;
}

template <class Stack>
std::vector<std::vector<Scored>> BasicMaskedLanguageModel<Stack>::top(const Batch& batch,
                                                                      std::span<const index_t> tokens,
                                                                      index_t k) const {
  if (k < 0) raise<OptionError>("MaskedLanguageModel::top: {} words asked for, at least 0 expected", k);
  std::vector<std::vector<Scored>> best;
  each_logits(batch, tokens, [&](index_t, View logits) {
    for (index_t r = 0; r < logits.rows(); ++r) {
      TopK row(k);
      for (index_t v = 0; v < logits.cols(); ++v)
        if (row.admits(logits(r, v))) row.offer({logits(r, v), v});
      best.push_back(row.take());
    }
  });
  return best;
}

template <class Stack>
double BasicMaskedLanguageModel<Stack>::pseudo_perplexity(std::string_view text) const {
  constexpr index_t texts_at_once = 32;
  const Batch batch = tokenize(text);
  const index_t pieces = batch.tokens() - 2;
  if (pieces < 1) raise<OptionError>("MaskedLanguageModel::pseudo_perplexity: a text without pieces given");
  double total = 0;
  for (index_t first = 1; first <= pieces; first += texts_at_once) {
    Batch masked;
    std::vector<index_t> places;
    for (index_t t = first; t < std::min(first + texts_at_once, pieces + 1); ++t) {
      places.push_back(masked.tokens() + t);
      masked.append(batch, 0);
      masked.ids[as_size(places.back())] = tokenizer_.special().mask;
    }
    each_logits(masked, places, [&](index_t row, View logits) {
      for (index_t r = 0; r < logits.rows(); ++r) {
        const auto all = logits.row(r);
        total += log_sum_exp(all) - static_cast<double>(all[as_size(batch.ids[as_size(first + row + r)])]);
      }
    });
  }
  return std::exp(total / static_cast<double>(pieces));
}

}  // namespace knnbert::inline v0_1

#include "knnbert/pretrain/masked_language_files.hpp"
