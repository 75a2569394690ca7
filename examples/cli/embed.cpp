// The verbs embed and tokenize: they need no head, so an encoder directory serves as well as a model directory.
#include "distributed.hpp"
#include "knnbert/distributed/parts.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/npy.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/train/checkpoint.hpp"
#include "options.hpp"
#include "pairs.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct EmbedOptions {
  CommonOptions common;
  DistributedOptions distributed;
  std::string model, input = "-", output, feature, normalize, encoding = "utf8";
  index_t max_length = 0, part_texts = 0;
  bool no_prompt = false;
  PairOptions pairs;
};

/// What rows are: of the directory's own kind, or of the one that was asked for, and then as long as the encoder makes
/// them.
struct RowKind {
  Pooling pooling;
  bool normalized;
  index_t max_length;
  std::string prompt = {};  // before every text
  index_t dimension = 0;    // the first so many values are kept; 0: all
  bool shortened_normalized = false;
};

namespace {

/// How a directory's embeddings are made: as a model directory was trained, or as sentence-transformers' files say.
SentenceSettings own_settings(const std::filesystem::path& folder, const BertConfig& config) {
  const auto path = folder / "knnbert.json";
  if (committed_exists(path)) {
    const ModelFile file = read_model_file(path);
    return {.pooling = file.pooling,
            .max_length = detail::require_within(file.max_length, "max_length", 3, config.max_length(), path.string()),
            .normalized = file.normalized};
  }
  SentenceSettings settings = read_sentence_settings(folder);
  if (settings.max_length == 0) settings.max_length = detail::model_max_length(folder / "tokenizer_config.json");
  if (settings.max_length == 0 || settings.max_length > config.max_length()) settings.max_length = config.max_length();
  return settings;
}

RowKind kind_of_rows(const EmbedOptions& o, const BertConfig& config, const Team& team) {
  const SentenceSettings own = own_settings(o.model, config);
  const Pooling pooling =
      o.feature.empty() ? own.require_pooling() : detail::value_in(detail::pooling_names, o.feature, "--feature");
  if (pooling == Pooling::pooler && !config.pooler)
    raise<OptionError>("--feature pooler: the encoder in {} has no pooler, cls or mean expected", o.model);
  const bool wanted = o.feature.empty() && !o.no_prompt && !own.prompt.empty(), paired = takes_pairs(o.pairs, o.model);
  if (wanted && paired && team.first()) std::fprintf(stderr, "knnbert: note: %s\n", printable(own.note).c_str());
  const bool prompted = wanted && !paired;
  if (prompted && !own.prompt_problem.empty()) raise<FormatError>("{}, or --no-prompt", own.prompt_problem);
  return {pooling,
          o.normalize.empty() ? o.feature.empty() && own.normalized : o.normalize == "yes",
          o.max_length ? o.max_length : own.max_length,
          prompted ? own.prompt : std::string(),
          o.feature.empty() ? own.dimension : 0,
          o.normalize == "yes"};
}

/// A model directory's network, or an encoder's with heads that nobody will ask.
template <class S>
Network<S> load_network(const EmbedOptions& o, const BertCheckpoint& checkpoint, Pooling pooling) {
  Network<S> network(checkpoint.config(), 1,
                     {.pooling = pooling,
                      .feature = Feature::embedding,
                      .threads = threads_of(o.common),
                      .precision = precision_for(o.model, o.common),
                      .device = o.common.device});
  read_encoder(checkpoint, o.model, Loading::predictions, network);
  return network;
}

void append_line(const AnyTokenizer& tokenizer, const std::string& text, const std::string& pair, Batch& batch,
                 index_t longest) {
  if (pair.empty()) tokenizer.append(text, batch, longest);
  else tokenizer.append(text, pair, batch, longest);
}

Batch read_texts(const EmbedOptions& o, const AnyTokenizer& tokenizer, index_t longest,
                 const std::string& prompt = {}) {
  constexpr std::size_t group = 1024;
  const bool paired = takes_pairs(o.pairs, o.model);
  LineSource lines(o.input, parse_encoding(o.encoding), paired);
  bool warned = false;
  Batch batch;
  for (std::vector<std::string> texts; lines.next_group(texts, group);) {
    const auto pairs = paired ? split_pairs(texts, lines.name(), warned) : std::vector<std::string>(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) append_line(tokenizer, prompt + texts[i], pairs[i], batch, longest);
  }
  return batch;
}

template <class S>
Matrix embed_in_groups(const Network<S>& network, const Batch& batch, const RowKind& kind) {
  constexpr index_t group = 256;
  Matrix all(batch.size(), network.width());
  std::vector<index_t> chosen;
  for (index_t first = 0; first < batch.size(); first += group) {
    chosen.clear();
    for (index_t i = first; i < std::min(batch.size(), first + group); ++i) chosen.push_back(i);
    network.embed(network.values(), batch.select(chosen), std::nullopt, View(all).row_range(first, std::ssize(chosen)));
  }
  require_finite_embeddings("--model", all);
  if (kind.normalized) Cosine().prepare(all);
  if (kind.dimension == 0 || kind.dimension >= all.cols()) return all;
  Matrix first_values(all.rows(), kind.dimension);
  for (index_t i = 0; i < all.rows(); ++i) std::copy_n(all.row(i).begin(), kind.dimension, first_values.row(i).begin());
  if (kind.shortened_normalized) Cosine().prepare(first_values);
  return first_values;
}

/// The files that rows depend on.
std::string identity_of_model(const std::string& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const auto name = entry.path().filename();
    if (name == "config.json" ||
        (name.extension() == ".safetensors" && name != "datastore.safetensors" && name != lowered_file))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string text;
  for (const auto& file : files) text += format(" {} {}", file.filename().string(), detail::hash_of_file(file));
  return text;
}

/// All that rows depend on, which all processes must have in common: tokens, model and what computes.
template <class S>
std::string identity_of_rows(const EmbedOptions& o, const std::string& kind, const Network<S>& network,
                             const Batch& batch, const Team& team) {
  std::string how = format("{} {} {} {}", kind, name_of(network.options().precision), o.common.backend,
                           o.common.device.substr(0, o.common.device.find(':')));
  if constexpr (requires { network.encoder().instruction_set(); })
    how += format(" {}", network.encoder().instruction_set());
  const auto texts = identity_of(batch, std::span<const label_t>()), model = identity_of_model(o.model);
  const auto require = [&](std::string_view what, const std::string& own) {
    require_same(team, what, detail::mix_bytes(0, std::as_bytes(std::span(own))));
  };
  require("--input, the tokens of the texts", texts), require("--model, the files in it", model);
  require("embed, --feature, --precision, --backend or instruction set", how), require("--output", o.output);
  return format("{}, {}, {}", texts, how, model);
}

/// Writes rows(batch), as a whole or in parts.
template <class S, class Rows>
void write_rows(const EmbedOptions& o, const std::string& kind, const Network<S>& network, const Batch& batch,
                const Team& team, Rows&& rows) {
  if (team.size() == 1 && o.part_texts == 0) {
    write_npy(o.output, rows(batch));
  } else {
    PartFiles parts(o.output, batch.size(), o.part_texts, identity_of_rows(o, kind, network, batch, team), team);
    parts.run([&](Range own) { return rows(batch.slice(own.begin, own.end - own.begin)); });
  }
  if (o.common.json && team.first()) print_json({{"output", o.output}, {"rows", batch.size()}});
}

}  // namespace

template <class S>
void embed(const EmbedOptions& o, const Team& team) {
  if (team.size() > 1 && o.input == "-")
    raise<OptionError>("--input -: several processes given, a file that all can read expected");
  require_length(o.max_length, o.model);
  if (o.output == "-") raise<OptionError>("--output -: the name of a file expected");
  require_other_file("--output", o.output, o.input);
  require_no_file_of("--output", o.output, o.model);
  if (team.size() == 1 && o.part_texts == 0)
    require_writable(o.output);  // parts outlive an output that cannot be
                                 // written
  const AnyTokenizer tokenizer = AnyTokenizer::load(o.model);
  if (o.feature == "contrastive") {
    if (!o.normalize.empty())
      raise<OptionError>("--normalize: contrastive features have length 1, --feature mean, cls or pooler expected");
    const auto model = load_model<S>(o.model, o.common, Loading::predictions);
    if (model.options().feature != Feature::contrastive)
      raise<OptionError>("--feature contrastive: the model was not trained with a contrastive loss");
    const Batch batch = read_texts(o, tokenizer, o.max_length ? o.max_length : model.options().max_length);
    return write_rows(o, o.feature, model.network(), batch, team,
                      [&](const Batch& texts) { return model.features(texts); });
  }
  const BertCheckpoint checkpoint(o.model);
  require_vocabulary(o.model, tokenizer.vocabulary_size(), checkpoint.config().vocab_size);
  const RowKind rows = kind_of_rows(o, checkpoint.config(), team);
  const auto network = load_network<S>(o, checkpoint, rows.pooling);
  const auto name = detail::name_in(detail::pooling_names, rows.pooling) + (rows.normalized ? " normalized" : "") +
                    (rows.dimension > 0 ? format(" {}", rows.dimension) : std::string());
  write_rows(o, name, network, read_texts(o, tokenizer, rows.max_length, rows.prompt), team,
             [&](const Batch& texts) { return embed_in_groups(network, texts, rows); });
}

template void embed<ProgramStack>(const EmbedOptions&, const Team&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
namespace {

struct TokenizeOptions {
  std::string model, input = "-", encoding = "utf8", config;
  index_t max_length = 0;
  bool match_special = false;
  PairOptions pairs;
};

void tokenize(const TokenizeOptions& o) {
  if (o.max_length == 1) raise<OptionError>("--max-length: 1 given, 0 or at least 2 expected: [CLS] and [SEP] count");
  const AnyTokenizer tokenizer =
      AnyTokenizer::load(o.model, o.match_special ? AddedTokenMatching::all : AddedTokenMatching::ordinary);
  constexpr std::size_t group = 1024;
  const bool paired = takes_pairs(o.pairs, o.model);
  LineSource lines(o.input, parse_encoding(o.encoding), paired);
  bool warned = false;
  Batch batch;
  std::string out;
  for (std::vector<std::string> texts; lines.next_group(texts, group);) {
    const auto pairs = paired ? split_pairs(texts, lines.name(), warned) : std::vector<std::string>(texts.size());
    out.clear();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      batch.clear();
      append_line(tokenizer, texts[i], pairs[i], batch, o.max_length);
      for (const token_t id : batch.ids) out += std::to_string(id) + " ";
      out.back() = '\n';
    }
    print(out);
    flush_output();
  }
}

}  // namespace

void add_embed(CLI::App& app) {
  const auto o = std::make_shared<EmbedOptions>();
  auto& verb =
      *app.add_subcommand("embed", "write the embeddings of texts, one a line, as float32 [N, D] in a .npy file");
  verb.add_option("--model", o->model, "model or encoder directory")->required();
  add_input(verb, o->input, o->encoding);
  add_pairs(verb, o->pairs);
  verb.add_option("--output", o->output, ".npy file to write")->required();
  verb.add_option("--feature", o->feature,
                  "what represents a text; default: the embedding that the model's directory describes")
      ->check(CLI::IsMember({"pooler", "cls", "mean", "contrastive"}));
  verb.add_option("--normalize", o->normalize,
                  "whether rows are scaled to length 1; default: without --feature as the directory says, else no")
      ->check(CLI::IsMember({"yes", "no"}));
  verb.add_option("--max-length", o->max_length,
                  "tokens of a text; 0: as the directory says, else what the model allows")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_flag("--no-prompt", o->no_prompt,
                "leave out the default prompt that config_sentence_transformers.json puts before every text; "
                "--feature and pairs leave it out too");
  verb.add_option(
          "--part-texts", o->part_texts,
          "write parts of this many texts beside the output first, so that the same command continues a run "
          "that was cut short; 0: no parts, or for several processes four parts or more each, of 64 to 1024 texts")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 28));
  add_common(verb, o->common);
  add_distributed(verb, o->distributed);
  verb.callback(
      [o] { with_team(o->distributed, o->common, [&](const Team& team) { session_of(o->common).embed(*o, team); }); });
}

void add_tokenize(CLI::App& app) {
  const auto o = std::make_shared<TokenizeOptions>();
  auto& verb = *app.add_subcommand("tokenize", "print the token ids of each input line");
  verb.add_option("--model", o->model, "model or encoder directory")->required();
  add_input(verb, o->input, o->encoding);
  add_pairs(verb, o->pairs);
  verb.add_option("--max-length", o->max_length, "cut to this many tokens; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_flag("--match-special-tokens", o->match_special,
                "read [CLS], [SEP] and other special tokens in texts as these tokens, not as text");
  add_config(verb, o->config);
  verb.callback([o] { tokenize(*o); });
}
#endif

}  // namespace knnbert::cli
