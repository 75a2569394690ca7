#pragma once
// Terms as users write them: they see a step's context, the network's two calls and losses, nothing else.
#include "knnbert/distributed/team.hpp"
#include "knnbert/io/archive.hpp"
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/loss/in_batch_contrast.hpp"
#include "knnbert/loss/symmetric_kl.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/term/context.hpp"

namespace knnbert_test {

using namespace knnbert;

struct NormalNoise {
  float deviation = 1e-5f;
  template <class Context>
  void operator()(const Context& c, View noise) const {
    const Rng rng = c.clock.rng(Stream::noise);
    for (index_t t = 0; t < noise.rows(); ++t)  // `first_example` keeps the parts of a step apart
      for (index_t k = 0; k < noise.cols(); ++k)
        noise(t, k) = deviation * static_cast<float>(rng.fork(static_cast<std::uint64_t>(c.first_example))
                                                         .normal(static_cast<std::uint64_t>(t * noise.cols() + k)));
  }
};

/// SMART's smoothness with one ascent step: weight * symmetric KL of the logits and those of the worst embedding output
/// nearby.
template <class Noise = NormalNoise>
struct Smoothness {
  static constexpr std::string_view name = "smoothness";
  float weight = 1, epsilon = 1e-5f, eta = 1e-3f;
  Noise noise{};

  template <class Context>
  TermValue add(Context& c) const {
    using Model = std::remove_cvref_t<decltype(c.model)>;
    const Batch& batch = c.pass.batch();
    const ConstView clean = c.pass.hidden(0), logits = c.logits;
    Matrix change(clean.rows(), clean.cols()), x(clean.rows(), clean.cols()), d(logits.rows(), logits.cols()),
        d_clean(logits.rows(), logits.cols());
    typename Model::pass_type pass;
    typename Model::rows_type d_x;
    const auto run = [&] {
      copy(clean, x), add_rows(change, x);
      c.model.forward(c.model.values(), {batch, Entry::output, x}, c.forward_options(), pass);
    };
    noise(c, change);
    run();
    SymmetricKl{}(pass.logits(), logits, d);
    c.model.backward(c.model.values(), pass, {.d_logits = d, .d_output = &d_x});
    const ConstView u = d_x;
    for (index_t text = 0; text < batch.size(); ++text) {
      float largest = 1e-30f;
      for (index_t t = batch.offsets[text]; t < batch.offsets[text + 1]; ++t)
        for (const float g : u.row(t)) largest = std::max(largest, std::abs(g));
      for (index_t t = batch.offsets[text]; t < batch.offsets[text + 1]; ++t)
        for (index_t k = 0; k < u.cols(); ++k)
          change(t, k) = std::clamp(change(t, k) + eta * u(t, k) / largest, -epsilon, epsilon);
    }
    run();
    const float scale = weight * c.share(), value = scale * SymmetricKl{}(pass.logits(), logits, d, d_clean);
    scale_rows(d, scale), scale_rows(d_clean, scale);
    c.model.backward(c.model.values(), pass, {.d_logits = d, .parameters = &c.gradients, .d_output = &d_x});
    add_rows(d_x, c.entering.d_hidden(0, HiddenRows::all));
    add_rows(d_clean, c.d_logits);
    return value;
  }
};

/// Mean over blocks and the pooled output of the cross entropy that one classifier has on first rows.
template <class Head>
struct Layerwise {
  static constexpr std::string_view name = "layerwise";
  Head head{};

  template <class Model>
  void declare(const Model& model, ParameterTable& table) {
    head = Head::declare(table, "layerwise", model.width(),
                         {.outputs = model.classes(), .hidden_layer = false, .dropout = 0});
  }
  void initialize(ParameterBlock& own_values, const Rng& rng) const { head.initialize(own_values, rng); }

  template <class Context>
  TermValue add(Context& c) const {
    const index_t layers = c.pass.layers(), texts = c.pass.batch().size();
    const float scale = c.share() / static_cast<float>(layers + 1);
    typename Head::tape_type tape;
    Matrix first(texts, c.model.width()), logits(texts, c.model.classes()), d(texts, c.model.classes());
    float value = 0;
    const auto one = [&](ConstView rows, auto&& d_rows) {
      head.forward(c.own_values, rows, std::nullopt, 0, tape, View(logits));
      value += scale * CrossEntropyLoss{}(logits, c.labels, d);
      scale_rows(d, scale);
      head.backward(c.own_values, tape, d, &c.own_gradients, d_rows, c.model.workers());
    };
    for (index_t l = 1; l <= layers; ++l) {
      first_rows(c.pass.hidden(l), c.pass.batch().offsets, first);
      one(first, View(c.entering.d_hidden(l, HiddenRows::first)));
    }
    one(ConstView(c.embedding), View(c.d_embedding));
    return value;
  }
};

/// y = W x + b by plain loops, for whatever layout the weights have.
struct PlainLinear {
  index_t weight = -1, bias = -1, inputs = 0, outputs = 0;

  static PlainLinear declare(ParameterTable& table, const std::string& name, index_t inputs, index_t outputs) {
    return {table.add_weight(name + ".weight", outputs, inputs), table.add_vector(name + ".bias", outputs), inputs,
            outputs};
  }
  Matrix forward(const ParameterBlock& values, ConstView x) const {
    Matrix y(x.rows(), outputs);
    const auto &w = values.table()[weight], &b = values.table()[bias];
    const float* v = values.data();
    for (index_t r = 0; r < x.rows(); ++r)
      for (index_t o = 0; o < outputs; ++o) {
        double sum = v[b.at(0, o)];
        for (index_t i = 0; i < inputs; ++i) sum += static_cast<double>(v[w.at(o, i)]) * x(r, i);
        y(r, o) = static_cast<float>(sum);
      }
    return y;
  }
  Matrix backward(const ParameterBlock& values, ConstView x, ConstView d_y, Gradients& gradients) const {
    Matrix d_x(x.rows(), inputs);
    d_x.fill(0);
    const auto &w = values.table()[weight], &b = values.table()[bias];
    const float* v = values.data();
    float* g = gradients.data();
    for (index_t r = 0; r < x.rows(); ++r)
      for (index_t o = 0; o < outputs; ++o) {
        g[b.at(0, o)] += d_y(r, o);
        for (index_t i = 0; i < inputs; ++i)
          g[w.at(o, i)] += d_y(r, o) * x(r, i), d_x(r, i) += d_y(r, o) * v[w.at(o, i)];
      }
    return d_x;
  }
};

struct SignStep {
  float epsilon = 1e-3f;
  void operator()(Matrix& g) const {
    for (index_t r = 0; r < g.rows(); ++r)
      for (float& x : g.row(r)) x = x > 0 ? epsilon : x < 0 ? -epsilon : 0;
  }
};

/// CAT: the word table moves against the classifier, every occurrence of a token alike; a cross entropy on what comes
/// out, and NT-Xent of the first rows, projected by a head of its own, with those of the clean pass. The clean cross
/// entropy is another term's.
template <class Change = SignStep>
struct WordPerturbation {
  static constexpr std::string_view name = "words";
  static constexpr bool whole_batch = true;
  float lambda = 0.2f, temperature = 0.1f;
  Change change{};  // turns the gradient of the word table [V, H] into what is added to it
  Team team{};
  PlainLinear first{}, second{};

  void join(Team all) { team = all; }
  template <class Model>
  void declare(const Model& model, ParameterTable& table) {
    first = PlainLinear::declare(table, "words.first", model.width(), model.width());
    second = PlainLinear::declare(table, "words.second", model.width(), 20);
  }
  void initialize(ParameterBlock& own_values, const Rng& rng) const {
    for (index_t i = 0; i < own_values.size(); ++i)
      own_values.data()[i] = static_cast<float>(0.3 * rng.normal(static_cast<std::uint64_t>(i)));
  }

  struct Projected {
    Matrix f, hidden, z;
  };
  Projected project(const ParameterBlock& values, Matrix f) const {
    Matrix hidden = first.forward(values, f);
    for (index_t r = 0; r < hidden.rows(); ++r)
      for (float& x : hidden.row(r)) x = std::max(x, 0.0f);
    Matrix z = second.forward(values, hidden);
    return {std::move(f), std::move(hidden), std::move(z)};
  }
  Matrix project_backward(const ParameterBlock& values, const Projected& p, ConstView d_z, Gradients& gradients) const {
    Matrix d = second.backward(values, p.hidden, d_z, gradients);
    for (index_t r = 0; r < d.rows(); ++r)
      for (index_t k = 0; k < d.cols(); ++k) d(r, k) *= p.hidden(r, k) > 0 ? 1.0f : 0.0f;
    return first.backward(values, p.f, d, gradients);
  }

  template <class Context>
  TermValue add(Context& c) const {
    using Model = std::remove_cvref_t<decltype(c.model)>;
    const auto& model = c.model;
    const index_t texts = std::ssize(c.examples), width = model.width(), all = c.step_examples, begin = c.first_example;
    const float own_ce = (1 - lambda) / 2 * c.share();
    Matrix table(model.encoder().config().vocab_size, width), d(texts, model.classes());
    table.fill(0);
    if (texts > 0) {
      CrossEntropyLoss{}(c.logits, c.labels, d);
      scale_rows(d, c.share());
      typename Model::rows_type d_sums;
      model.backward(model.values(), c.pass, {.d_logits = d, .d_sums_out = &d_sums});
      for (index_t t = 0; t < c.pass.batch().tokens(); ++t)
        add_rows(ConstView(d_sums).row_range(t, 1),
                 View(table).row_range(c.pass.batch().ids[static_cast<std::size_t>(t)], 1));
    }
    team.all_reduce({table.data(), static_cast<std::size_t>(table.rows() * table.stride())});
    change(table);
    typename Model::pass_type pass;
    Matrix views(2 * all, second.outputs);
    Projected own, other;
    float value = 0;
    if (texts > 0) {
      const Batch& batch = c.pass.batch();
      Matrix sums(batch.tokens(), width);
      copy(c.pass.sums(), sums);
      for (index_t t = 0; t < batch.tokens(); ++t)
        add_rows(ConstView(table).row_range(batch.ids[static_cast<std::size_t>(t)], 1), View(sums).row_range(t, 1));
      auto options = c.forward_options();
      if (c.dropout) options.dropout = c.clock.rng(Stream::noise);  // fresh masks
      model.forward(model.values(), {batch, Entry::sums, sums}, options, pass);
      value = own_ce * CrossEntropyLoss{}(pass.logits(), c.labels, d);
      scale_rows(d, own_ce);
      const auto features = [&](const auto& of) {
        Matrix f(texts, width);
        first_rows(of.hidden(of.layers()), batch.offsets, f);
        return project(c.own_values, std::move(f));
      };
      own = features(c.pass), other = features(pass);
      copy(own.z, View(views).row_range(begin, texts)), copy(other.z, View(views).row_range(all + begin, texts));
    }
    gather_rows(team, View(views).row_range(0, all)), gather_rows(team, View(views).row_range(all, all));
    Matrix z(views.rows(), views.cols()), d_z(views.rows(), views.cols());
    copy(views, z);
    Cosine().prepare(z);
    std::vector<label_t> pairs(static_cast<std::size_t>(2 * all));
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = static_cast<label_t>(i % static_cast<std::size_t>(all));
    value += lambda * c.share() * BasicInBatchContrast<>{temperature}(z, pairs, d_z);
    if (texts == 0) return value;
    scale_rows(d_z, lambda);
    Matrix d_views(views.rows(), views.cols());
    Cosine().prepare_backward(views, z, d_z, d_views);
    const Matrix d_own =
        project_backward(c.own_values, own, ConstView(d_views).row_range(begin, texts), c.own_gradients);
    const Matrix d_other =
        project_backward(c.own_values, other, ConstView(d_views).row_range(all + begin, texts), c.own_gradients);
    using Input = typename Model::rows_type::input;
    const typename Model::hidden_gradient_type d_hidden[] = {{pass.layers(), HiddenRows::first, Input(d_other)}};
    typename Model::rows_type d_sums;
    model.backward(model.values(), pass,
                   {.d_logits = d, .d_hidden = d_hidden, .parameters = &c.gradients, .d_sums_out = &d_sums});
    add_rows(d_sums, c.entering.d_sums());
    add_rows(d_own, c.entering.d_hidden(pass.layers(), HiddenRows::first));
    return value;
  }
};

/// Texts of which some tokens are hidden; the answers are the targets, in the order of the tokens.
struct MaskedTexts {
  const Batch& texts;
  token_t mask = 3;  // that no text has
  double rate = 0.15;

  index_t size() const { return texts.size(); }
  void assign(std::span<const index_t> examples, const StepClock& clock, Batch& batch, Targets& targets) const {
    batch.assign(texts, examples);
    targets.classes.clear();
    const Rng rng = clock.rng(Stream::mask);
    for (index_t i = 0; i < batch.size(); ++i) {
      const Rng own = rng.fork(static_cast<std::uint64_t>(examples[static_cast<std::size_t>(i)]));
      const index_t always = own.below(0, batch.length(i));
      for (index_t t = 0; t < batch.length(i); ++t) {
        if (t != always && own.uniform(static_cast<std::uint64_t>(t + 1)) >= rate) continue;
        token_t& id = batch.ids[static_cast<std::size_t>(batch.offsets[static_cast<std::size_t>(i)] + t)];
        targets.classes.push_back(id);
        id = mask;
      }
    }
  }
};

/// Mean cross entropy of h E^T + b at the hidden tokens of all processes: the decoder is the word table.
struct MaskedTokens {
  static constexpr std::string_view name = "masked";
  static constexpr bool whole_batch = true;
  token_t mask = 3;
  index_t bias = -1;
  Team team{};

  void join(Team all) { team = all; }

  template <class Model>
  void declare(const Model& model, ParameterTable& table) {
    bias = table.add_vector("masked.bias", model.encoder().config().vocab_size);
  }

  template <class Context>
  TermValue add(Context& c) const {
    auto tokens = static_cast<float>(c.labels.size());
    team.all_reduce({&tokens, 1});
    if (c.labels.empty()) return 0.0f;
    const Batch& batch = c.pass.batch();
    const ConstView hidden = c.pass.hidden(c.pass.layers());
    const View d_hidden = c.entering.d_hidden(c.pass.layers(), HiddenRows::all);
    const index_t words = c.model.encoder().layers().words, width = hidden.cols(),
                  vocabulary = c.model.encoder().config().vocab_size;
    const float *table = c.model.values().slice(words), *b = c.own_values.slice(bias);
    Matrix scores(std::ssize(c.labels), vocabulary), d(std::ssize(c.labels), vocabulary);
    std::vector<index_t> rows;
    for (index_t t = 0; t < batch.tokens(); ++t)
      if (batch.ids[static_cast<std::size_t>(t)] == mask) rows.push_back(t);
    for (index_t m = 0; m < scores.rows(); ++m)
      for (index_t v = 0; v < vocabulary; ++v) {
        double sum = b[v];
        for (index_t k = 0; k < width; ++k)
          sum += static_cast<double>(hidden(rows[static_cast<std::size_t>(m)], k)) * table[v * width + k];
        scores(m, v) = static_cast<float>(sum);
      }
    const float share = static_cast<float>(c.labels.size()) / tokens,
                value = share * CrossEntropyLoss{}(scores, c.labels, d);
    scale_rows(d, share);
    for (index_t v = 0; v < vocabulary; ++v) c.gradients.touch(v);
    float *d_table = c.gradients.slice(words), *d_b = c.own_gradients.slice(bias);
    for (index_t m = 0; m < scores.rows(); ++m)
      for (index_t v = 0; v < vocabulary; ++v) {
        const index_t row = rows[static_cast<std::size_t>(m)];
        d_b[v] += d(m, v);
        for (index_t k = 0; k < width; ++k)
          d_hidden(row, k) += d(m, v) * table[v * width + k], d_table[v * width + k] += d(m, v) * hidden(row, k);
      }
    return value;
  }
};

/// Evaluation by an average of the values.
struct AveragedValues {
  static constexpr std::string_view name = "average";
  float keep = 0.9f;
  ParameterBlock average{};

  template <class Model, class Data>
  void prepare(const Model& model, const Data&) {
    average = model.values();
  }
  template <class Model>
  void after_update(const Model& model, std::span<const Range> ranges) {
    float* a = average.data();
    const float* v = model.values().data();
    for (const Range r : ranges)
      for (index_t i = r.begin; i < r.end; ++i) a[i] = keep * a[i] + (1 - keep) * v[i];
  }
  template <class Context>
  TermValue add(Context&) const {
    return std::nullopt;
  }
  const ParameterBlock* values_to_evaluate() const { return &average; }
  template <class Archive>
  void archive(Archive& ar) {
    ar("average", archived_floats<Archive>(average));
  }
};

}  // namespace knnbert_test
