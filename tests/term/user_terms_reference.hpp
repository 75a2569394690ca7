#pragma once
// User-written terms against PyTorch's autograd, for any backend: tests/reference/terms.py writes the dump.
#include "knnbert/term/cross_entropy.hpp"
#include "term/user_terms.hpp"
#include "train/reference_network.hpp"

namespace knnbert_test {

inline constexpr const char* terms_dump = "terms.safetensors";

/// What the dump drew.
struct GivenRows {
  const Matrix* rows = nullptr;
  template <class Context>
  void operator()(const Context&, View noise) const {
    copy(*rows, noise);
  }
};

/// Compares the gradient with the dump's, and steps as the dump did: signs near zero are rounding.
struct GivenChange {
  const Matrix *gradient = nullptr, *change = nullptr;
  void operator()(Matrix& g) const {
    float most = 0;
    for (index_t r = 0; r < g.rows(); ++r)
      for (const float x : gradient->row(r)) most = std::max(most, std::abs(x));
    CHECK(max_difference(g, *gradient) < 1e-4f * most);
    for (index_t r = 0; r < g.rows(); ++r)
      for (index_t c = 0; c < g.cols(); ++c)
        if (std::abs((*gradient)(r, c)) > 1e-5f * most) REQUIRE((g(r, c) > 0) == ((*change)(r, c) > 0));
    copy(*change, g);
  }
};

template <class Net>
struct TermsReference {
  SafeTensors dump;
  std::filesystem::path encoder;
  Net network;
  TrainingData data;
  std::vector<index_t> all;
  TrainerOptions options{.clip_norm = 0, .dropout = false};

  explicit TermsReference(const std::filesystem::path& place)
      : dump(place / terms_dump), encoder(place / "models" / "terms"),
        network(network_of<Net>(encoder, dump, "pooler", 2)), data(read_data(dump, 3)),
        all(static_cast<std::size_t>(data.size())) {
    std::iota(all.begin(), all.end(), index_t{0});
  }

  float number(const std::string& name) const { return static_cast<float>(option(dump, name)); }

  /// One step at a rate of 0; `compared`: how many tensors of gradients there are at least.
  template <class Data, class... Terms>
  void check(const std::string& kind, index_t least, const Data& source, Terms... terms) {
    INFO(kind);
    Stepper stepper(network, source, options, std::move(terms)...);
    ParameterBlock& own = stepper.own_values();
    for (index_t p = 0; p < own.table().count(); ++p) own.write(p, read_matrix(dump, own.table()[p].name));
    const auto report = stepper.step({.steps = 1}, all, 0);
    const float expected = dump.at(kind + ".loss").as_floats()[0];
    CHECK(report.loss == approx(expected).epsilon(1e-4));
    CHECK(compared_gradients(network, stepper.gradients(), dump, kind) >= least);
    for (index_t p = 0; p < own.table().count(); ++p) {
      const Parameter& parameter = own.table()[p];
      INFO(parameter.name);
      Matrix gradient(parameter.rows, parameter.cols);
      stepper.own_gradients().block().read(p, gradient);
      const Matrix right = read_matrix(dump, kind + ".grad." + parameter.name);
      float most = 0;
      for (index_t r = 0; r < right.rows(); ++r) most = std::max(most, largest(right.row(r)));
      CHECK(max_difference(gradient, right) < 1e-4f * most);
    }
  }

  void check_all() {
    const Matrix noise = read_matrix(dump, "noise"), gradient = read_matrix(dump, "word_gradient"),
                 change = read_matrix(dump, "perturbation");
    check("smoothness", 40, data, CrossEntropy{},
          Smoothness<GivenRows>{.weight = 1, .epsilon = number("epsilon"), .eta = number("eta"), .noise = {&noise}});
    check("layerwise", 35, data, Layerwise<typename Net::head_type>{});
    const float lambda = number("lambda");
    check("words", 40, data, CrossEntropy{.weight = (1 - lambda) / 2},
          WordPerturbation<GivenChange>{
              .lambda = lambda, .temperature = number("temperature"), .change = {&gradient, &change}});
    check_masked();
  }

  void check_masked() {
    struct GivenMasks {
      Batch seen;
      std::vector<label_t> answers;
      index_t size() const { return seen.size(); }
      void assign(std::span<const index_t>, const StepClock&, Batch& batch, Targets& targets) const {
        batch = seen, targets.classes = answers;
      }
    } given{data.tokens(), {}};
    const auto tensor = dump.at("masked_ids");
    const auto masked = tensor.as_int64s();
    for (std::size_t t = 0; t < masked.size(); ++t) {
      if (given.seen.ids[t] != masked[t]) given.answers.push_back(static_cast<label_t>(given.seen.ids[t]));
      given.seen.ids[t] = static_cast<token_t>(masked[t]);
    }
    check("masked", 35, given, MaskedTokens{});
  }
};

}  // namespace knnbert_test
