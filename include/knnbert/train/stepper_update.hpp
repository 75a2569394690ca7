#pragma once
#include <cmath>

#include "knnbert/train/stepper.hpp"

/// The end of a step, and its state: what Stepper declares.
namespace knnbert::inline v0_1 {

template <class Network, DataSource Data, class... Terms>
template <class Archive>
void Stepper<Network, Data, Terms...>::archive(Archive& ar) {
  started_ = true;
  ar("values", archived_floats<Archive>(network_.values()));
  gradients_.archive_rows(ar);
  auto optimizer = ar.scope("optimizer");
  if constexpr (requires { optimizer_.archive(optimizer); }) optimizer_.archive(optimizer);
  own_.archive(ar.scope("own"));
  terms_.each([&](auto& term) {
    if constexpr (requires { term.archive(ar); }) {
      auto own = ar.scope(term.name);
      term.archive(own);
    }
  });
}

template <class Network, DataSource Data, class... Terms>
void Stepper<Network, Data, Terms...>::combine(StepReport& report) {
  report.time("all-reduce", {}, [&] {
    reducer_->finish();
    own_.sum(team_);
  });
  if (report.terms.empty()) terms_.each([&](auto& term) { report.terms.emplace_back(term.name, std::nullopt); });
  std::vector<float> sums{static_cast<float>(report.tokens)};
  for (const auto& [name, value] : report.terms) sums.insert(sums.end(), {value ? 1.0f : 0.0f, value.value_or(0)});
  report.time("all-reduce", {}, [&] { team_.all_reduce(sums); });
  report.tokens = static_cast<index_t>(sums.front());
  report.loss = 0;
  for (std::size_t i = 0; i < report.terms.size(); ++i) {
    const float present = sums[2 * i + 1], value = sums[2 * i + 2];
    report.terms[i].second = present > 0 ? TermValue(value) : std::nullopt;
    report.loss += value;
  }
}

template <class Network, DataSource Data, class... Terms>
void Stepper<Network, Data, Terms...>::finish(StepReport& report, float learning_rate) {
  report.learning_rate = learning_rate;
  terms_.each([&](auto& term) {
    if constexpr (requires { term.before_update(network_, gradients_); })
      report.time("before update", term.name, [&] { term.before_update(network_, gradients_); });
  });
  const bool moved = update(report, learning_rate);
  const auto ranges = moved_ranges();
  report.time("lower weights", {}, [&] { network_.lower(network_.values()); });
  terms_.each([&](auto& term) {
    if constexpr (requires { term.after_update(network_, ranges); }) {
      if (moved && report.finite) report.time("after update", term.name, [&] { term.after_update(network_, ranges); });
    }
    if constexpr (requires { term.measure([](std::string_view, double) {}); })
      term.measure([&](std::string_view name, double value) { report.measures.emplace_back(name, value); });
  });
}

template <class Network, DataSource Data, class... Terms>
bool Stepper<Network, Data, Terms...>::update(StepReport& report, float learning_rate) {
  const bool any = std::any_of(report.terms.begin(), report.terms.end(), [](const auto& t) { return t.second; });
  if (!any) return false;  // no term had anything to say: nothing moves
  const bool finite = !report.loss.known() || std::isfinite(report.loss);
  const auto& workers = network_.workers();
  const auto move = [&]() -> Deferred<double> {
    auto norm = optimizer_.norm(network_.values(), gradients_, workers);
    if (own_.any()) norm = optimizer_.joint_norm(norm, own_.optimizer.norm(own_.values, own_.gradients, workers));
    optimizer_.clipped_step(norm, network_.values(), gradients_, options_.clip_norm, learning_rate, workers,
                            multipliers_, finite);
    if (own_.any())
      own_.optimizer.clipped_step(norm, own_.values, own_.gradients, options_.clip_norm, learning_rate, workers,
                                  own_.multipliers, finite);
    return optimizer_.read_norm(norm);
  };
  report.time("optimizer", {}, [&] { report.gradient_norm = move(); });
  report.finite = report.gradient_norm.then([finite](double norm) { return finite && std::isfinite(norm); });
  return true;
}

}  // namespace knnbert::inline v0_1
