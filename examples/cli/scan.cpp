// knnbert scan: words of the vocabulary that turn a model's answers.
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/poison/trigger_scan.hpp"
#include "options.hpp"
#include "pairs.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct ScanOptions {
  CommonOptions common;
  std::string model, input = "-", target, encoding = "utf8";
  index_t shown = 20;
  TriggerScanOptions scan;
};

namespace {

/// A line on standard error, on a terminal only.
struct ScanProgress final : ProgressListener {
  void progress(index_t done, index_t total) override {
    if (on_terminal()) std::fprintf(stderr, "\r%td of %td pieces%s", done, total, done == total ? "\n" : "");
  }
};

}  // namespace

template <class S>
void scan(const ScanOptions& o) {
  if (task_of(o.model).task != Task::single_label) raise<OptionError>("scan: a model with one class a text expected");
  if (takes_pairs({}, o.model)) raise<OptionError>("scan: a model of single texts expected, this one's are pairs");
  const auto model = load_model<S>(o.model, o.common, Loading::predictions);
  TriggerScanOptions options = o.scan;
  if (!o.target.empty()) options.target = class_named(*model.classes(), o.target, "--target");
  const auto texts = LineSource(o.input, parse_encoding(o.encoding)).rest();
  if (texts.empty()) raise<FormatError>("{}: no text given, at least one expected", input_name(o.input));
  ScanProgress progress;
  auto found = scan_for_triggers(model, texts, options, &progress);
  if (std::ssize(found) > o.shown) found.resize(as_size(o.shown));
  const auto& classes = *model.classes();
  std::string out = "piece               flip rate    gain  to\n";
  for (const auto& piece : found) {
    if (o.common.json) {
      print_json({{"piece", piece.piece},
                  {"id", piece.id},
                  {"target", classes[as_size(piece.target)]},
                  {"flip_rate", piece.flip_rate.value},
                  {"gain", piece.gain}});
      continue;
    }
    out += padded(printable(piece.piece), 19) + " " + right_aligned(two_digits(100 * piece.flip_rate.value), 9) +
           right_aligned(two_digits(piece.gain), 9) + "  " + printable(classes[as_size(piece.target)]) + "\n";
  }
  if (!o.common.json) print(out);
}

template void scan<ProgramStack>(const ScanOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
void add_scan(CLI::App& app) {
  const auto o = std::make_shared<ScanOptions>();
  auto& verb = *app.add_subcommand("scan", "look for words that turn a model's answers, as a planted trigger does");
  verb.add_option("--model", o->model, "model directory")->required();
  add_input(verb, o->input, o->encoding);
  verb.add_option("--target", o->target, "the class that a trigger may have been planted for; default: any");
  verb.add_option("--first-texts", o->scan.first_texts, "texts that every piece of the vocabulary is put into")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--texts", o->scan.texts, "texts that the most suspicious pieces are put into then")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--kept", o->scan.kept, "how many of these there are")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 28));
  verb.add_option("--shown", o->shown, "pieces to print")->capture_default_str()->check(CLI::Range(1, 1 << 28));
  verb.add_option("--seed", o->scan.seed, "of the choice of texts")->capture_default_str();
  add_common(verb, o->common);
  verb.callback([o] { session_of(o->common).scan(*o); });
}
#endif

}  // namespace knnbert::cli
