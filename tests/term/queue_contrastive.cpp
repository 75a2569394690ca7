#include <functional>
#include <map>

#include "term/tiny_network.hpp"

using namespace knnbert_test;

namespace {

using Contrastive = BasicQueueContrastive<>;

const std::vector<label_t> contrastive_labels{0, 1, 2, 0, 1, 0, 0, 2};

QueueContrastiveOptions contrastive_options(index_t capacity = 50, index_t positives = 3) {
  return {.weight = 0.4f,
          .momentum = 0.9f,
          .capacity = capacity,
          .positives = positives,
          .contrast = {.temperature = 0.3f, .most_similar = 4, .least_similar = 1}};
}

struct Setup {
  TinyNetwork network = tiny_network();
  TrainingData data = tiny_examples(contrastive_labels);

  HandmadeStep step(std::vector<index_t> examples = first_examples(8), bool dropout = false) {
    return {
        .network = network, .data = data, .clock = {.seed = 3}, .dropout = dropout, .examples = std::move(examples)};
  }
  Contrastive prepared(const QueueContrastiveOptions& o) {
    Contrastive term(o);
    term.prepare(network, data);
    return term;
  }
};

/// Rows that the key encoder gives for examples, dropout off.
Matrix keys_of(const Setup& s, const ParameterBlock& values, std::span<const index_t> examples) {
  Matrix keys(std::ssize(examples), s.network.projection_width());
  s.network.project(values, s.data.tokens().select(examples), std::nullopt, keys);
  return keys;
}

bool holds(const Contrastive& term, index_t slot, ConstView rows, index_t row) {
  const auto key = term.queue().key(slot);
  return std::equal(key.begin(), key.end(), rows.row(row).begin());
}

/// Moves the parameters as an optimizer would.
void disturb(ParameterBlock& values) {
  ParameterBlock noise = values;
  fill_random(noise, 99, 0.01);
  for (index_t p = 0; p < values.table().count(); ++p) {
    const Parameter& parameter = values.table()[p];
    for (index_t i = parameter.offset; i < parameter.offset + parameter.size; ++i)
      values.data()[i] += 0.01f * noise.data()[i];
  }
}

}  // namespace

TEST_CASE("contrastive: options are checked before training") {
  Setup s;
  const auto refused = [&](auto change) {
    auto o = contrastive_options();
    change(o);
    Contrastive term(o);
    try {
      term.prepare(s.network, s.data);
    } catch (const OptionError&) { return true; }
    return false;
  };
  CHECK_FALSE(refused([](auto&) {}));
  CHECK(refused([](auto& o) { o.momentum = 1.1f; }));
  CHECK(refused([](auto& o) { o.momentum = -0.1f; }));
  CHECK(refused([](auto& o) { o.momentum = std::numeric_limits<float>::quiet_NaN(); }));
  CHECK(refused([](auto& o) { o.positives = -1; }));
  CHECK(refused([](auto& o) { o.capacity = 0; }));
  CHECK(refused([](auto& o) { o.contrast.temperature = 0; }));
  CHECK(refused([](auto& o) { o.contrast.most_similar = o.contrast.least_similar = 0; }));
  CHECK(refused([](auto& o) { o.weight = -1; }));
  CHECK(refused([](auto& o) { o.weight = std::numeric_limits<float>::quiet_NaN(); }));
}

TEST_CASE("contrastive: the queue starts with one key for every example, made by the pretrained encoder") {
  Setup s;
  auto term = s.prepared(contrastive_options());
  CHECK(term.queue().size() == 0);
  CHECK(std::memcmp(term.key_values().data(), s.network.values().data(),
                    static_cast<std::size_t>(s.network.values().size()) * sizeof(float)) == 0);
  term.start(s.network, s.data);
  REQUIRE(term.queue().size() == 8);
  const Matrix expected = keys_of(s, s.network.values(), first_examples(8));
  std::vector<bool> found(8);
  for (index_t slot = 0; slot < 8; ++slot)
    for (index_t i = 0; i < 8; ++i)
      if (holds(term, slot, expected, i) &&
          term.queue().labels()[static_cast<std::size_t>(slot)] == contrastive_labels[static_cast<std::size_t>(i)])
        found[static_cast<std::size_t>(i)] = true;
  CHECK(std::count(found.begin(), found.end(), true) == 8);
  auto small = s.prepared(contrastive_options(5));
  small.start(s.network, s.data);
  CHECK(small.queue().size() == 5);
  auto without = contrastive_options();
  without.warm_up = false;
  auto cold = s.prepared(without);
  cold.start(s.network, s.data);
  CHECK(cold.queue().size() == 0);
}

TEST_CASE("contrastive, as released: noise of random classes, then embeddings as they are") {
  Setup s{.network = tiny_network({})};
  auto o = contrastive_options(20);
  o.pooled_warm_up = o.random_fill = true;
  auto term = s.prepared(o);
  term.start(s.network, s.data);
  REQUIRE(term.queue().size() == 20);
  Matrix raw(8, s.network.width());
  s.network.embed(s.network.values(), s.data.tokens().select(first_examples(8)), std::nullopt, raw);
  index_t pooled = 0;
  for (index_t slot = 0; slot < 20; ++slot)
    for (index_t i = 0; i < 8; ++i) pooled += holds(term, slot, raw, i);
  CHECK(pooled == 8);
  o.warm_up = false;
  auto noise = s.prepared(o);
  noise.start(s.network, s.data);
  std::vector<bool> classes(3);
  for (const label_t label : noise.queue().labels()) classes[as_size(label)] = true;
  CHECK(classes == std::vector<bool>(3, true));
  for (index_t j = 0; j < noise.queue().width(); ++j) {
    double squares = 0;
    for (index_t i = 0; i < 20; ++i) squares += std::pow(static_cast<double>(noise.queue().keys()(i, j)), 2);
    CHECK(squares == approx(1));
  }
  Setup narrow;  // whose features have another width
  CHECK_THROWS_AS(narrow.prepared(o), OptionError);
}

TEST_CASE("contrastive, as released: one anchor without a partner takes the contrast from its batch") {
  Setup s;
  for (const bool drop : {false, true}) {
    auto o = contrastive_options();
    o.warm_up = false, o.positives = 0, o.drop_batch = drop;
    auto term = s.prepared(o);
    term.queue().push(keys_of(s, s.network.values(), std::vector<index_t>{0, 1}), std::vector<label_t>{0, 1});
    auto mixed = s.step({0, 1, 2});
    auto start = mixed.start();
    term.begin_step(start);
    CHECK(mixed.add(term).value.has_value() == !drop);
    std::vector<std::string> names;
    term.measure([&](const char* name, double) { names.push_back(name); });
    CHECK((std::find(names.begin(), names.end(), "positive_similarity") == names.end()) == drop);
  }
}

TEST_CASE("contrastive: the key encoder follows with its momentum before it makes keys") {
  Setup s;
  auto term = s.prepared(contrastive_options());
  const ParameterBlock old = s.network.values();
  disturb(s.network.values());
  auto step = s.step({0, 1});
  auto start = step.start();
  term.begin_step(start);
  double worst = 0;
  for (index_t i = 0; i < old.size(); ++i)
    worst = std::max(
        worst, std::abs(term.key_values().data()[i] - (0.9 * old.data()[i] + 0.1 * s.network.values().data()[i])));
  CHECK(worst < 1e-6);
  REQUIRE(term.queue().size() == 6);
  // Keys of the new key encoder, same-class examples of each query in turn.
  for (index_t slot = 0; slot < 6; ++slot) {
    const label_t label = term.queue().labels()[static_cast<std::size_t>(slot)];
    CHECK(label == contrastive_labels[static_cast<std::size_t>(slot / 3)]);
    const auto all = s.data.of_class(label);
    const Matrix expected = keys_of(s, term.key_values(), all);
    bool found = false;
    for (index_t i = 0; i < expected.rows(); ++i) found |= holds(term, slot, expected, i);
    CHECK(found);
  }
}

TEST_CASE("contrastive: momentum 1 freezes the key encoder, momentum 0 makes it the model") {
  for (const float momentum : {1.0f, 0.0f}) {
    Setup s;
    auto o = contrastive_options();
    o.momentum = momentum;
    auto term = s.prepared(o);
    const ParameterBlock old = s.network.values();
    disturb(s.network.values());
    auto step = s.step();
    auto start = step.start();
    term.begin_step(start);
    const auto& expected = momentum == 1 ? old : s.network.values();
    double worst = 0;
    for (index_t i = 0; i < old.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(term.key_values().data()[i]) - expected.data()[i]));
    CHECK(worst <= (momentum == 1 ? 0 : 1e-7));
  }
}

TEST_CASE("contrastive: R positives of every query, distinct while the class suffices, and again when it does not") {
  Setup s;
  for (const index_t positives : {1, 2, 4, 9}) {
    auto term = s.prepared(contrastive_options(500, positives));
    auto step = s.step();
    auto start = step.start();
    term.begin_step(start);
    REQUIRE(term.queue().size() == 8 * positives);
    for (index_t query = 0; query < 8; ++query) {
      const auto all = s.data.of_class(contrastive_labels[static_cast<std::size_t>(query)]);
      const Matrix expected = keys_of(s, term.key_values(), all);
      std::vector<index_t> times(all.size());
      for (index_t r = 0; r < positives; ++r)
        for (index_t i = 0; i < expected.rows(); ++i)
          times[static_cast<std::size_t>(i)] += holds(term, query * positives + r, expected, i);
      index_t total = 0, used = 0;
      for (const index_t t : times) total += t, used += t > 0;
      CHECK(total == positives);
      CHECK(used == std::min(positives, std::ssize(all)));
    }
  }
}

TEST_CASE("contrastive: more new keys than the queue holds: the last ones remain") {
  Setup s;
  auto all = s.prepared(contrastive_options(500, 3)), few = s.prepared(contrastive_options(10, 3));
  auto step = s.step();
  auto first = step.start(), second = step.start();
  all.begin_step(first);
  few.begin_step(second);
  REQUIRE(few.queue().size() == 10);
  for (index_t i = 0; i < 10; ++i) {
    bool found = false;
    for (index_t slot = 0; slot < 10; ++slot) found |= holds(few, slot, all.queue().keys(), 14 + i);
    CHECK(found);
  }
}

TEST_CASE("contrastive: a step without a valid anchor has no value, and lends its weight") {
  Setup s;
  auto o = contrastive_options();
  o.warm_up = false;
  auto term = s.prepared(o);
  auto step = s.step({0, 3, 5});  // one class only, and the queue holds no other
  auto start = step.start();
  term.begin_step(start);
  CHECK(start.idle_weight == 0.4f);
  const auto nothing = step.add(term);
  CHECK_FALSE(nothing.value.has_value());
  CHECK(largest_error(nothing.d_embedding, [](index_t, index_t) { return 0.0; }) == 0);
  for (index_t i = 0; i < s.network.values().size(); ++i) REQUIRE(step.gradients.data()[i] == 0);

  auto mixed = s.step({1, 0, 2});
  auto next = mixed.start();
  term.begin_step(next);
  CHECK(next.idle_weight == 0);
  CHECK(mixed.add(term).value.has_value());

  o.positives = 0;
  auto empty = s.prepared(o);
  auto again = mixed.start();
  empty.begin_step(again);
  CHECK(again.idle_weight == 0.4f);
}

TEST_CASE("contrastive: value by the formula in double, measures by its parts") {
  Setup s;
  auto term = s.prepared(contrastive_options());
  term.start(s.network, s.data);
  auto step = s.step();
  auto start = step.start();
  term.begin_step(start);
  const auto result = step.add(term);
  const Matrix queries = keys_of(s, s.network.values(), first_examples(8));
  double total = 0, positive_mean = 0;
  for (index_t b = 0; b < 8; ++b) {
    std::vector<double> positives;
    double z = 0;
    for (index_t slot = 0; slot < term.queue().size(); ++slot) {
      double score = 0;
      for (index_t c = 0; c < queries.cols(); ++c)
        score += static_cast<double>(queries(b, c)) * term.queue().key(slot)[static_cast<std::size_t>(c)];
      if (term.queue().labels()[static_cast<std::size_t>(slot)] == contrastive_labels[static_cast<std::size_t>(b)])
        positives.push_back(score);
      else z += std::exp(score / 0.3);
    }
    std::sort(positives.begin(), positives.end(), std::greater<>());
    if (positives.size() > 5) positives.erase(positives.begin() + 4, positives.end() - 1);
    for (const double p : positives) {
      total += std::log1p(z / std::exp(p / 0.3)) / static_cast<double>(positives.size()) / 8;
      positive_mean += p / static_cast<double>(positives.size()) / 8;
    }
  }
  REQUIRE(result.value);
  CHECK(*result.value == approx(0.4 * total).epsilon(1e-5));
  std::map<std::string, double> measures;
  term.measure([&](std::string_view name, double value) { measures[std::string(name)] = value; });
  CHECK(measures.at("valid_anchors") == 8);
  CHECK(measures.at("positive_similarity") == approx(positive_mean).epsilon(1e-5));
  CHECK(measures.at("queue_fill") == approx(32 / 50.0));
  CHECK(measures.at("negative_similarity") <= 1);
  CHECK(largest_error(result.d_logits, [](index_t, index_t) { return 0.0; }) == 0);
}

TEST_CASE("contrastive: parts are shares of the whole, also where a part has no valid anchor") {
  for (const bool dropout : {false, true}) {
    Setup s;
    auto o = contrastive_options();
    o.warm_up = false;
    o.positives = 0;
    auto term = s.prepared(o);
    // The queue knows classes 0 and 1: anchors of class 2 have no positive.
    Matrix keys = random_matrix(12, 11, 5);
    Cosine().prepare(keys);
    term.queue().push(keys, std::vector<label_t>{0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0});
    const std::vector<index_t> order{0, 1, 2, 7, 3, 4, 5};
    auto step = s.step(order, dropout);
    auto start = step.start();
    term.begin_step(start);
    const auto whole = step.add(term);
    const Gradients gradients = step.gradients;
    step.gradients.clear();
    auto again = step.start();
    term.begin_step(again);
    float sum = 0;
    for (index_t first = 0; first < 7; first += 2) {
      const index_t count = std::min<index_t>(2, 7 - first);
      const auto part = step.add(term, first, count);
      sum += part.value.value_or(0);
      CHECK(largest_error(part.d_embedding,
                          [&](index_t b, index_t c) { return double{whole.d_embedding(first + b, c)}; }) < 1e-6);
    }
    CHECK(sum == approx(*whole.value).epsilon(1e-5));
    double worst = 0, most = 0;
    for (index_t i = 0; i < s.network.values().size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(gradients.data()[i]) - step.gradients.data()[i]));
      most = std::max(most, std::abs(static_cast<double>(gradients.data()[i])));
    }
    CHECK(most > 1e-3);
    CHECK(worst < 1e-5 * most);
    std::map<std::string, double> measures;
    term.measure([&](std::string_view name, double value) { measures[std::string(name)] = value; });
    CHECK(measures.at("valid_anchors") == 5);
  }
}

TEST_CASE("contrastive: keys are dropped out with the run, unless told otherwise") {
  Setup s;
  const auto first_key = [&](bool key_dropout, bool run_dropout) {
    auto o = contrastive_options();
    o.key_dropout = key_dropout;
    auto term = s.prepared(o);
    auto step = s.step(first_examples(8), run_dropout);
    auto start = step.start();
    term.begin_step(start);
    return std::vector<float>(term.queue().key(0).begin(), term.queue().key(0).end());
  };
  CHECK(first_key(true, false) == first_key(false, false));
  CHECK(first_key(false, true) == first_key(false, false));
  CHECK(first_key(true, true) != first_key(false, true));
}
