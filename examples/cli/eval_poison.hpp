#pragma once
#include "augment.hpp"
#include "knnbert/poison/flip_rate.hpp"
#include "knnbert/poison/onion.hpp"
#include "knnbert/poison/strip.hpp"
#include "language_model.hpp"
#include "options.hpp"
#include "stack.hpp"

/// What eval says of triggers, and of what stands between them and a model.
namespace knnbert::cli {

struct PoisonEvalOptions {
  std::string triggers, target, clean_model, onion, onion_scores = "masked", clean;
  double onion_loss = 0.02, strip_rejections = 0.05;
  bool strip = false;
  std::uint64_t seed = 42;
};

struct EvalOptions {
  CommonOptions common;
  DataOptions data;
  std::vector<std::string> models;
  std::string file, out_of_scope, ensemble = "vote", positive;
  index_t neighbors = 0;
  float phi = -1;
  PoisonEvalOptions poison;
  SmoothingOptions smoothing{.copies = 0};
  SubstituteFiles smoothing_files;
};

inline std::string percent(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%6.2f", 100 * value);
  return text;
}

inline std::string percent(Ratio r) { return r.defined ? percent(r.value) : "     -"; }

template <class S>
Classifier<S> load_one(const EvalOptions& o, const std::string& directory, Loading loading) {
  auto model = load_model<S>(directory, o.common, loading);
  set_vote(model, o.neighbors, o.phi);
  return model;
}

/// A line on standard error, on a terminal only.
struct OnionProgress final : ProgressListener {
  void progress(index_t done, index_t total) override {
    if (on_terminal()) std::fprintf(stderr, "\rONION: %td of %td texts%s", done, total, done == total ? "\n" : "");
  }
};

inline OrderedJson value_or_null(Ratio r) { return r.defined ? OrderedJson(r.value) : OrderedJson(nullptr); }

inline OrderedJson to_json(const std::vector<FlipRate>& rates, bool with_rejected) {
  OrderedJson all = OrderedJson::array();
  for (const FlipRate& r : rates) {
    all.push_back(
        {{"inserted", r.inserted.text()},
         {"texts", r.texts},
         {"flip_rate",
          {{"knn", value_or_null(r.knn)}, {"head", value_or_null(r.head)}, {"combined", value_or_null(r.combined)}}}});
    if (with_rejected) all.back()["rejected"] = value_or_null(r.rejected);
  }
  return all;
}

inline std::string table(const std::vector<FlipRate>& rates, const std::string& whose, bool with_rejected) {
  std::string out =
      format("\nlabel flip rate of {}    texts     knn    head combined{}\n", whose, with_rejected ? " rejected" : "");
  for (const FlipRate& r : rates) {
    const std::string words = r.inserted.words.empty() ? "(nothing)" : printable(r.inserted.text());
    out += padded(words, 18 + whose.size()) + " " + right_aligned(std::to_string(r.texts), 8) + "  " + percent(r.knn) +
           "  " + percent(r.head) + "   " + percent(r.combined) + (with_rejected ? "   " + percent(r.rejected) : "") +
           "\n";
  }
  return out;
}

/// Flip rates and accuracy behind a defense.
template <class S, TextDefense Defense>
void add_defended(const EvalOptions& o, const Classifier<S>& model, const Dataset& data, const Defense& defense,
                  const std::string& name, OrderedJson& json, std::string& text) {
  const auto triggers = parse_triggers(o.poison.triggers);
  const auto rates = flip_rates(model, data, triggers, class_named(data.classes(), o.poison.target, "--target"),
                                o.poison.seed, defense);
  const DefendedAccuracy a = defended_accuracy(model, data, defense);
  json[name] = {
      {"threshold", std::isfinite(defense.threshold) ? OrderedJson(defense.threshold) : OrderedJson(nullptr)},
      {"rejected", a.rejected.value},
      {"accuracy",
       {{"knn", value_or_null(a.knn)}, {"head", value_or_null(a.head)}, {"combined", value_or_null(a.combined)}}},
      {"triggers", to_json(rates, true)}};
  text += table(rates, "the model behind " + name, true);
  text += format("behind {} it rejects {} % of these texts as they are and answers {} % of the others rightly\n", name,
                 percent(a.rejected), percent(a.combined));
}

/// The labels of a model for data of an option, which an error names.  Errors: OptionError, FormatError.
template <class S>
Dataset labeled_for_option(const char* option, const Classifier<S>& model, const Dataset& data) {
  try {
    return labeled_for(model, data);
  } catch (const FormatError& error) { raise<FormatError>("{}: {}", option, error.what()); }
}

/// How often triggers turn answers, beside those of a clean model if one is given, and behind defenses.
template <class S>
void add_flip_rates(const EvalOptions& o, const Classifier<S>& model, const Dataset& data, OrderedJson& json,
                    std::string& text) {
  const auto& p = o.poison;
  const auto triggers = parse_triggers(p.triggers);
  const auto add = [&](const char* name, const char* whose, const Classifier<S>& any, const Dataset& own) {
    const auto rates = flip_rates(any, own, triggers, class_named(own.classes(), p.target, "--target"), p.seed);
    json[name] = to_json(rates, false);
    text += table(rates, whose, false);
  };
  const Dataset own = labeled_for(model, data);
  add("triggers", "the model", model, own);
  if (!p.clean_model.empty()) {
    const auto trusted = load_one<S>(o, p.clean_model, Loading::predictions);
    add("triggers_clean_model", "the clean one", trusted, labeled_for_option("--clean-model", trusted, data));
  }
  if (p.clean.empty()) return;
  const Dataset clean =
      labeled_for_option("--clean", model, read_data(p.clean, dataset_options(o.data, o.models.front())));
  if (!p.onion.empty()) {
    OnionProgress progress;
    const TextPerplexity perplexity(p.onion, p.onion_scores == "masked", threads_of(o.common));
    add_defended(o, model, own, fit_onion(model, perplexity, clean, p.onion_loss, &progress), "onion", json, text);
  }
  if (p.strip)
    add_defended(o, model, own, fit_strip(model, clean, {.false_rejections = p.strip_rejections, .seed = p.seed}),
                 "strip", json, text);
}

/// Errors: OptionError for options that miss another one.
inline void require_triggers(const EvalOptions& o) {
  const auto& p = o.poison;
  if (p.triggers.empty() != p.target.empty())
    raise<OptionError>("--triggers and --target: {} given without the other",
                       p.target.empty() ? "the first" : "the second");
  if (!p.clean_model.empty() && p.triggers.empty())
    raise<OptionError>("--clean-model: given without --triggers, which both models are to be asked with");
  if (!p.triggers.empty() && o.models.size() > 1)
    raise<OptionError>("--triggers: given with {} models, one model expected", o.models.size());
  const bool defended = p.strip || !p.onion.empty();
  if (defended && p.triggers.empty())
    raise<OptionError>("{}: given without --triggers, which it is to stop", p.strip ? "--strip" : "--onion");
  if (defended && p.clean.empty())
    raise<OptionError>("--clean: nothing given, clean labeled texts expected, of which {} takes its threshold",
                       p.strip ? "--strip" : "--onion");
  if (!defended && !p.clean.empty()) raise<OptionError>("--clean: given without --onion or --strip, which need it");
}

inline void add_poison_options(CLI::App& verb, PoisonEvalOptions& o) {
  verb.add_option("--triggers", o.triggers,
                  "words that are inserted into texts of other classes than --target, to see whether the model then "
                  "gives that one: cf+bb,mn is the combination of two words, or the third one");
  verb.add_option("--target", o.target, "the class that triggers may have been planted for");
  verb.add_option("--clean-model", o.clean_model, "a model whose encoder is trusted, measured beside it");
  verb.add_option("--onion", o.onion,
                  "directory of a masked language model: also measure behind ONION, which removes words that this "
                  "model does not expect");
  verb.add_option("--onion-scores", o.onion_scores,
                  "perplexity by a pass for each piece, which is masked, or by one pass for all")
      ->capture_default_str()
      ->check(CLI::IsMember({"masked", "one-pass"}));
  verb.add_option("--onion-loss", o.onion_loss, "accuracy on --clean that ONION's threshold may cost")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_flag("--strip", o.strip,
                "also measure behind STRIP, which rejects texts whose answers stay sure when their words are replaced");
  verb.add_option("--strip-rejections", o.strip_rejections, "share of --clean that STRIP's threshold may reject")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.99));
  verb.add_option("--clean", o.clean, "clean labeled texts of which --onion and --strip take their thresholds");
}

}  // namespace knnbert::cli
