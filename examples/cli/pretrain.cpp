// knnbert pretrain: masked-language-model training on plain text.
#include <chrono>

#include "input.hpp"
#include "knnbert/evaluate/ratio.hpp"
#include "knnbert/io/gzip.hpp"
#include "knnbert/pretrain/corpus.hpp"
#include "knnbert/pretrain/pretrain.hpp"
#include "knnbert/text/unicode.hpp"
#include "options.hpp"
#include "resume.hpp"
#include "signals.hpp"
#include "stack.hpp"
#ifdef KNNBERT_WITH_LZMA
#include "knnbert/io/xz.hpp"
#endif

namespace knnbert::cli {

namespace {

struct PretrainSettings {
  CommonOptions common;
  std::string encoder, vocabulary, tokenizer, output, lower_case, unit = "piece";
  std::vector<std::string> train;
  index_t layers = 4, hidden = 256, heads = 4, max_length = 128, held_out = 50;
  double probability = 0.15;
  PretrainOptions training{.checkpoint_every = 500};
};

using Model = BasicMaskedLanguageModel<Stack>;

bool has_capitals(std::string_view token) {
  const char *at = token.data(), *const end = at + token.size();
  while (at != end)
    if (unicode::properties(unicode::decode(at, end)) & unicode::upper) return true;
  return false;
}

/// The first entry with a capital letter, those in brackets such as [CLS] apart; empty if there is none.
std::string_view cased_entry(const Vocabulary& vocabulary) {
  for (token_t id = 0; id < vocabulary.size(); ++id)
    if (const auto token = vocabulary.token(id); has_capitals(token) &&
                                                 !(token.starts_with('[') && token.ends_with(']')) &&
                                                 !(token.starts_with('<') && token.ends_with('>')))
      return token;
  return {};
}

/// A WordPiece tokenizer of a vocabulary alone, which says by its entries whether texts lose their capitals.
AnyTokenizer tokenizer_of(const PretrainSettings& o, index_t longest) {
  auto tokens = read_lines(o.vocabulary, {.decompress = decompress});
  while (!tokens.empty() && detail::trim(tokens.back()).empty()) tokens.pop_back();
  Vocabulary vocabulary(tokens);
  WordPieceOptions options;
  const auto cased = cased_entry(vocabulary);
  options.normalizer.lowercase = o.lower_case.empty() ? cased.empty() : o.lower_case == "yes";
  options.suggested.model = longest;
  if (o.lower_case.empty())
    std::fprintf(stderr, "knnbert: note: %s: %s: texts %s in lower case, as --lower-case %s asks for\n",
                 o.vocabulary.c_str(),
                 cased.empty() ? "no entry has capitals"
                               : format("entry '{}' has capitals", printable(first_characters(cased, 60))).c_str(),
                 cased.empty() ? "are put" : "are not put", cased.empty() ? "yes" : "no");
  try {
    return WordPiece(std::move(vocabulary), std::move(options));
  } catch (const OptionError& error) { raise<FormatError>("{}: {}", o.vocabulary, error.what()); }
}

Model model_of(const PretrainSettings& o) {
  const MaskedLanguageOptions options{.threads = threads_of(o.common),
                                      .precision = precision_of(o.common).value_or(Precision::fp32),
                                      .seed = o.training.seed};
  if (options.precision == Precision::int8)
    raise<OptionError>("--precision int8: fp32 or bf16 expected; weights in int8 serve predictions");
  if (!o.encoder.empty()) return Model::load(o.encoder, options);
  const index_t longest = std::max<index_t>(512, o.max_length);
  const AnyTokenizer tokenizer = o.tokenizer.empty() ? tokenizer_of(o, longest) : AnyTokenizer::load(o.tokenizer);
  if (tokenizer.special().mask < 0)
    raise<FormatError>("{}: a vocabulary without mask token given, one with [MASK] expected",
                       o.tokenizer.empty() ? o.vocabulary : o.tokenizer);
  const BertConfig config{.vocab_size = tokenizer.vocabulary_size(),
                          .hidden_size = o.hidden,
                          .num_hidden_layers = o.layers,
                          .num_attention_heads = o.heads,
                          .intermediate_size = 4 * o.hidden,
                          .max_position_embeddings = longest};
  return {tokenizer, config, options};
}

/// A tokenizer that tells of texts that are no UTF-8.
struct WatchingTokenizer {
  const AnyTokenizer& tokenizer;
  const std::string& path;
  bool& warned;

  SpecialTokens special() const { return tokenizer.special(); }
  void encode_words(std::string_view text, std::vector<token_t>& ids) const {
    if (!warned && find_invalid_utf8(text) >= 0) {
      warned = true;
      print_warning(format("{}: malformed UTF-8, read as U+FFFD, first in '{}'", input_name(path),
                           printable(first_characters(text, 60))));
    }
    tokenizer.encode_words(text, ids);
  }
};

Corpus corpus_of(const PretrainSettings& o, const Model& model) {
  if (o.max_length > model.max_length())
    raise<OptionError>("--max-length: {} given, 3 to {} expected, what the encoder allows", o.max_length,
                       model.max_length());
  CorpusOptions options{.max_length = o.max_length, .held_out = o.held_out};
  options.reading.decompress = decompress;
#ifdef KNNBERT_WITH_LZMA
  options.decompress_xz = unxz;
#endif
  Corpus corpus;
  for (const std::string& path : o.train) {
    if (!table_kind(path).empty())
      print_warning(format("{}: read as plain text, whatever the name says, with all its columns", input_name(path)));
    bool warned = false;
    add_corpus_file(path, WatchingTokenizer{model.tokenizer(), path, warned}, options, corpus);
  }
  if (corpus.train.size() == 0)
    raise<FormatError>("{}: no document to train on, at least one expected; {} are held out (--held-out)",
                       o.train.front(), corpus.held_out_documents);
  return corpus;
}

std::string four_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

/// A line now and then on standard output, a bar on a terminal.
class PretrainLog {
 public:
  explicit PretrainLog(bool json) : json_(json) {}

  void step(const StepReport& s) {
    tokens_ += s.tokens;
    if (s.finite) loss_ += static_cast<double>(s.loss), ++steps_;
    if (s.step == s.steps || std::chrono::duration<double>(Clock::now() - last_).count() > 10) print_line(s);
  }
  bool stop_requested() const { return stop_signal != 0; }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;

  void print_line(const StepReport& s) {
    const double speed = static_cast<double>(tokens_) / seconds();
    const Ratio loss = ratio(loss_, static_cast<double>(steps_));
    if (json_)
      print_json({{"step", s.step},
                  {"steps", s.steps},
                  {"loss", loss.defined ? OrderedJson(loss.value) : OrderedJson(nullptr)},
                  {"learning_rate", s.learning_rate},
                  {"pieces_per_second", std::round(speed)}});
    else
      print(format("step {}/{}: mean loss {}, {} pieces a second\n", s.step, s.steps,
                   loss.defined ? four_digits(loss.value) : "-", static_cast<index_t>(speed)));
    flush_output();
    loss_ = 0, steps_ = 0, last_ = Clock::now();
  }

  bool json_;
  index_t tokens_ = 0, steps_ = 0;
  double loss_ = 0;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

OrderedJson json_of(const MaskedScores& s) {
  return {{"loss", s.loss},         {"perplexity", std::exp(s.loss)},
          {"accuracy", s.accuracy}, {"accuracy_at_5", s.accuracy_at_5},
          {"masked", s.tokens},     {"mask_seed", s.seed}};
}

void pretrain_model(const PretrainSettings& o) {
  if (const int given = !o.encoder.empty() + !o.vocabulary.empty() + !o.tokenizer.empty(); given != 1)
    raise<OptionError>("--encoder, --vocabulary, --tokenizer: {} given, one of them expected",
                       given == 0 ? "none" : "several");
  if (!o.lower_case.empty() && o.vocabulary.empty())
    raise<OptionError>("--lower-case: {} given, none expected without --vocabulary: a tokenizer says it itself",
                       o.lower_case);
  if (o.common.backend != "native") raise<OptionError>("--backend: native expected, pretraining has no other");
  if (o.common.device != "cpu") raise<OptionError>("--device: cpu expected, pretraining has no other");
  Model model = model_of(o);
  const Masker masker(model.tokenizer(),
                      {.probability = o.probability, .unit = o.unit == "word" ? MaskUnit::word : MaskUnit::piece});
  const auto lock = std::make_shared<const DirectoryLock>(o.output);  // before anything is done in vain
  require_no_model(o.output);
  require_own_folder(o.output, "pretraining.json");
  const Corpus corpus = corpus_of(o, model);
  const OrderedJson seen{{"documents", corpus.documents},
                         {"sequences", corpus.train.size()},
                         {"pieces", corpus.train.tokens()},
                         {"held_out_documents", corpus.held_out_documents},
                         {"held_out_sequences", corpus.held_out.size()}};
  if (o.common.json) print_json({{"corpus", seen}});
  else
    print(format("{} documents: {} sequences, {} pieces; held out: {} documents, {} sequences\n", corpus.documents,
                 corpus.train.size(), corpus.train.tokens(), corpus.held_out_documents, corpus.held_out.size()));
  if (o.held_out > 0 && corpus.held_out_documents == 0)
    print_warning("no document is held out, so none measures the model; an empty line stands between documents");
  flush_output();
  PretrainOptions options = o.training;
  options.checkpoints = o.output, options.lock = lock;
  if (options.resume || !checkpoints_in(options.checkpoints).empty())
    if (start_of(*lock, options.resume, identity_of_pretraining(std::as_const(model), corpus.train, masker, options),
                 detail_of_resume::completed_pretraining)
            .first == Start::complete)
      return;
  std::optional<StopBySignals> signals(std::in_place);
  PretrainLog log(o.common.json);
  const PretrainReport report = pretrain(model, corpus.train, masker, options, log);
  const double seconds = log.seconds();
  signals.reset();
  if (report.skipped > 0)
    print_warning(
        format("{} of {} steps changed nothing: their loss or gradient was not finite", report.skipped, report.steps));
  OrderedJson summary{{"encoder", repair_utf8(std::filesystem::path(o.encoder).filename().string())},
                      {"corpus", seen},
                      {"steps", report.steps},
                      {"pieces", report.tokens},
                      {"seconds", seconds},
                      {"pieces_per_second", std::round(static_cast<double>(report.tokens) / seconds)},
                      {"interrupted", report.interrupted},
                      {"seed", o.training.seed},
                      {"run", OrderedJson::parse(report.identity.json_text())}};
  if (!report.interrupted && corpus.held_out.size() > 0) {
    const MaskedScores scores = masked_scores(model, corpus.held_out, masker);
    summary["held_out"] = json_of(scores);
    if (!o.common.json)
      print(format("held out: loss {}, accuracy {}, at 5 {}, of {} masked pieces\n", four_digits(scores.loss),
                   four_digits(scores.accuracy), four_digits(scores.accuracy_at_5), scores.tokens));
  }
  model.save(*lock, [&](const std::filesystem::path& folder) { write_json(folder / "pretraining.json", summary); });
  if (o.common.json) print_json(summary);
  if (report.interrupted) {
    std::fprintf(stderr,
                 "knnbert: stopped after step %td; the model so far is saved, the same command with --resume goes on\n",
                 report.steps);
    throw Stopped{stop_signal};
  }
  remove_old_checkpoints(*lock, report.identity, -1, 0);
}

void add_training(CLI::App& verb, PretrainSettings& o) {
  auto& t = o.training;
  verb.add_option("--steps", t.steps, "steps of encoder and head; 0: as --epochs says")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 28));
  verb.add_option("--epochs", t.epochs, "passes over the sequences")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--head-only-steps", t.head_only_steps, "steps of the head alone before those")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 28));
  verb.add_option("--batch-size", t.batch_size, "sequences of a step")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--part-size", t.part_size, "sequences of a forward and backward pass; 0: the whole step")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--learning-rate", t.learning_rate, "highest learning rate")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--head-learning-rate", t.head_learning_rate, "in steps of the head alone")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--warmup", t.warmup, "fraction of the steps with rising learning rate; then it falls to 0")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--weight-decay", t.weight_decay, "decoupled; not on biases and normalizations")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--adam-epsilon", t.adam_epsilon, "what Adam adds to the root of the second moment")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--clip", t.clip_norm, "largest global norm of the gradient; 0: unlimited")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  bool& dropout = t.dropout;
  verb.add_flag_callback(
      "--no-dropout", [&dropout] { dropout = false; }, "train without dropout");
  verb.add_option("--seed", t.seed, "of everything random")->capture_default_str();
  verb.add_option("--checkpoint-every", t.checkpoint_every,
                  "steps between checkpoints; 0: one where a signal stops the run")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 28));
  verb.add_flag("--resume", t.resume, "continue from the newest checkpoint in the output directory");
}

}  // namespace

void add_pretrain(CLI::App& app) {
  const auto o = std::make_shared<PretrainSettings>();
  auto& verb = *app.add_subcommand("pretrain", "train a masked language model on plain text");
  verb.add_option("--encoder", o->encoder, "directory of a BERT encoder, with or without a masked-language-model head");
  verb.add_option("--vocabulary", o->vocabulary, "vocab.txt of WordPiece, for an encoder of random weights");
  verb.add_option("--lower-case", o->lower_case,
                  "whether texts are put in lower case with --vocabulary; default: no where an entry has capitals")
      ->check(CLI::IsMember({"yes", "no"}));
  verb.add_option("--tokenizer", o->tokenizer,
                  "directory with tokenizer.json, such as a unigram model's, for an encoder of random weights");
  verb.add_option("--layers", o->layers, "of an encoder of random weights")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  verb.add_option("--hidden", o->hidden, "its width")->capture_default_str()->check(CLI::Range(1, 1 << 16));
  verb.add_option("--heads", o->heads, "its attention heads, a divisor of the width")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 16));
  verb.add_option("--train", o->train,
                  "plain text, gzip or xz: a paragraph a line, an empty line between documents; may be repeated")
      ->required();
  verb.add_option("--output", o->output, "directory to write, which transformers' BertForMaskedLM reads")->required();
  verb.add_option("--max-length", o->max_length, "tokens of a sequence, special tokens included")
      ->capture_default_str()
      ->check(CLI::Range(3, 1 << 20));
  verb.add_option("--held-out", o->held_out,
                  "one of so many documents measures the model and is not trained on; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--mask-unit", o->unit, "what is masked: pieces, or words with all their pieces")
      ->capture_default_str()
      ->check(CLI::IsMember({"piece", "word"}));
  verb.add_option("--mask-probability", o->probability, "share of the pieces that are masked")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  add_training(verb, *o);
  add_common(verb, o->common);
  verb.callback([o, &verb] {
    if (!o->encoder.empty()) {
      const BertConfig config = read_bert_config(o->encoder);
      for (const auto& [name, given, own] : {std::tuple("--layers", o->layers, config.num_hidden_layers),
                                             {"--hidden", o->hidden, config.hidden_size},
                                             {"--heads", o->heads, config.num_attention_heads}})
        if (verb.get_option(name)->count() > 0 && given != own)
          raise<OptionError>("{}: {} given, none expected with --encoder, which has {}", name, given, own);
    }
    pretrain_model(*o);
  });
}

}  // namespace knnbert::cli
