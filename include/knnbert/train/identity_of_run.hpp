#pragma once
#include <tuple>

#include "knnbert/model/classifier.hpp"
#include "knnbert/model/policy_files.hpp"
#include "knnbert/term/context.hpp"
#include "knnbert/train/run_identity.hpp"

namespace knnbert::inline v0_1 {

/// What the checkpoints of a run belong to: everything that its bits depend on but the values it starts with, which a
/// process that goes on does not have any more. TrainerOptions::settings tells apart what starts from other encoders.
template <class Stack, class... Terms>
RunIdentity identity_of_run(const Classifier<Stack>& model, const TrainerOptions& options,
                            const std::tuple<Terms...>& terms, const TrainingData& train, const Dataset& train_data,
                            const Batch& dev, const Dataset& dev_data) {
  RunIdentity run = identity_of(options);
  const auto& own = model.options();
  const auto& network = model.network();
  run.add("pooling", detail::name_in(detail::pooling_names, network.pooling()));
  run.add("head_hidden_layer", own.head_hidden_layer);
  run.add("head_type", foreign_type_name<typename Stack::head_type>());
  run.add("max_length", own.max_length);
  run.add("precision", name_of(own.precision));
  run.add("device", own.device.substr(0, own.device.find(':')));
  run.add("optimizer", policy_name(Stack::optimizer_type::make(0)));
  run.add("schedule_policy", policy_name(typename Stack::schedule_type(ScheduleOptions{.total = 1})));
  run.add("similarity", policy_name(network.metric()));
  if (dev.size() > 0) {  // what its scores depend on
    ModelFile answers;
    detail::put_policy("voting", model.voting(), answers);
    detail::put_policy("fusion", model.fusion(), answers);
    for (const auto& [role, name] : answers.policies) run.add(role, name);
    for (const auto& [key, number] : answers.numbers) run.add(key, number);
    run.add("neighbors", model.neighbors());
    run.add("feature", detail::name_in(detail::feature_names, own.feature));
  }
  if constexpr (requires { network.encoder().instruction_set(); })
    run.add("instruction_set", network.encoder().instruction_set());
  const auto add_term = [&](const auto& term) {
    const std::string name(term.name);
    run.add("term." + name, true);
    if constexpr (requires { term.identity([](std::string_view, int) {}); })
      term.identity(
          [&](std::string_view setting, const auto& value) { run.add(name + "." + std::string(setting), value); });
  };
  std::apply([&](const auto&... term) { (detail::if_present(term, add_term), ...); }, terms);
  run.add("parameters", identity_of(network.values().table()));
  run.add("train_data", identity_of(train.tokens(), train.labels()));
  run.add("dev_data", identity_of(dev, dev_data.labels()));
  std::uint64_t targets = 0, texts = 0;  // what labels and tokens do not tell: names of classes, and texts as evidence
  const auto mix = [](std::uint64_t& hash, const std::string& text) {
    hash = detail::mix_bytes(hash, std::as_bytes(std::span(text.data(), text.size() + 1)));
  };
  for (const Dataset* data : {&train_data, &dev_data})
    for (const auto& target : data->classes()) mix(targets, target);
  for (index_t i = 0; i < train_data.size(); ++i) mix(texts, train_data.text(i)), mix(texts, train_data.pair(i));
  run.add("targets", detail::hex_digits(targets)), run.add("texts", detail::hex_digits(texts));
  return run;
}

}  // namespace knnbert::inline v0_1
