#include "knnbert/evaluate/calibrate.hpp"

#include "knnbert/evaluate/open_world_json.hpp"
#include "options.hpp"
#include "pairs.hpp"
#include "stack.hpp"

namespace knnbert::cli {

struct CalibrateOptions {
  CommonOptions common;
  DataOptions data;
  std::string model, file, score = "neighbors";
  double coverage = CalibrationOptions{}.coverage;
  bool choose_phi = false;
};

namespace {

std::string in_words(const CalibrationReport& r, float phi) {
  const auto percent = [](double value) { return two_digits(100 * value); };
  std::string out =
      format("{} held-out texts\ncalibration error {} -> {}   temperature {}   phi {}\n", r.held_out,
             percent(r.error_before.value), percent(r.error_after.value), two_digits(r.temperature.value), phi);
  out += format("rejected are texts with {} > {}: a new text in scope is accepted with a chance of at least {} %\n",
                name_of(r.rule.score), r.rule.threshold,
                detail::shortest_decimal(static_cast<float>(100 * r.rule.coverage)));
  return out;
}

OrderedJson as_json(const CalibrationReport& r, float phi) {
  return {{"held_out", r.held_out},
          {"known", r.known},
          {"phi", detail::shortest_decimal(phi)},
          {"temperature", r.temperature.value},
          {"loss_before", r.temperature.loss_before.value},
          {"loss_after", r.temperature.loss_after.value},
          {"calibration_error_before", r.error_before.value},
          {"calibration_error_after", r.error_after.value},
          {"rule", to_json(r.rule)},
          {"accepted", r.accepted.value}};
}

}  // namespace

template <class S>
void calibrate(const CalibrateOptions& o) {
  if (task_of(o.model).task != Task::single_label)
    raise<OptionError>("--model: {} answers with sets or numbers, a model with one class a text expected", o.model);
  const Dataset data = read_data(o.file, dataset_options(o.data));
  warn_of_other_pairs(data, o.file, o.model);
  const DirectoryLock lock(o.model, DirectoryLock::Directory::expect);
  auto model = load_to_change<S>(o.model, o.common);
  const CalibrationReport report = calibrate(model, data,
                                             {.score = detail::value_in(scope_score_names, o.score, "--score"),
                                              .coverage = o.coverage,
                                              .choose_phi = o.choose_phi});
  if (2 * report.known > report.held_out)
    print_warning(
        format("{}: {} of {} texts are examples of the model: with texts that it was trained on, what the "
               "threshold promises does not hold",
               input_name(o.file), report.known, report.held_out));
  if (report.error_after.value > report.error_before.value)
    print_warning(
        format("{}: with the temperature {} the calibration error of these very texts is {} %, without it {} %: it "
               "lessens their loss, not this error",
               input_name(o.file), two_digits(report.temperature.value), two_digits(100 * report.error_after.value),
               two_digits(100 * report.error_before.value)));
  model.save(lock);
  if (o.common.json) print_json(as_json(report, model.fusion().phi));
  else print(in_words(report, model.fusion().phi));
}

template void calibrate<ProgramStack>(const CalibrateOptions&);

#ifndef KNNBERT_PROGRAM_TORCH_UNIT
void add_calibrate(CLI::App& app) {
  const auto o = std::make_shared<CalibrateOptions>();
  auto& verb = *app.add_subcommand(
      "calibrate", "choose on held-out texts how sure predictions are said to be, and which texts are rejected");
  verb.add_option("--model", o->model, "model directory; changed in place")->required();
  verb.add_option("--data", o->file, "labeled texts that the model was not trained on, - for standard input")
      ->required();
  verb.add_option("--coverage", o->coverage,
                  "chance with which a new text like these is to be accepted at least; needs coverage / (1 - coverage) "
                  "texts")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--score", o->score,
                  "what is compared with the threshold: the similarity of the nearest example, that to the nearest "
                  "mean of a class, the largest combined probability, or the energy of the head's logits. Classes that "
                  "are added later are accepted under the first two")
      ->capture_default_str()
      ->check(CLI::IsMember({"neighbors", "class-mean", "max-probability", "energy"}));
  verb.add_flag("--choose-phi", o->choose_phi, "also choose the weight of the vote, by the loss on these texts");
  add_common(verb, o->common);
  add_data(verb, o->data);
  verb.callback([o] { session_of(o->common).calibrate(*o); });
}
#endif

}  // namespace knnbert::cli
