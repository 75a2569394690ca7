// The term, the decoder in chunks, training, files; against PyTorch in reference.cpp.
#include "knnbert/pretrain/masked_language.hpp"

#include "knnbert/testing/term_laws.hpp"
#include "pretrain/tiny_masked.hpp"

using namespace knnbert_test;

namespace {

struct Quiet {
  index_t stop_after = -1, steps = 0;
  std::vector<float> losses{};
  void step(const StepReport& s) { losses.push_back(s.loss), ++steps; }
  bool stop_requested() const { return steps == stop_after; }
};

MaskedLanguageModel tiny_model(index_t threads = 1, BertConfig config = tiny_masked_config()) {
  return {AnyTokenizer(tiny_pieces()), config, {.threads = threads}};
}

std::vector<float> bits(const MaskedLanguageModel& model) {
  std::vector<float> all;
  for (const ParameterBlock* b : {&model.network().values(), &model.head_values()})
    all.insert(all.end(), b->data(), b->data() + b->size());
  return all;
}

}  // namespace

TEST_CASE("the masked-language term obeys the laws of terms") {
  const Masker pieces(tiny_pieces(), {.probability = 0.4}), words(tiny_pieces(), {.unit = MaskUnit::word});
  const Batch all = tiny_sequences({9, 3, 12, 1, 7});
  ParameterTable own;  // far from 0, where the normalization is flat enough for differences
  BasicMaskedHead<>::declare(own, tiny_network().encoder().config());
  ParameterBlock head(std::make_shared<const ParameterTable>(own));
  fill_random(head, 5, 0.3);
  const auto laws = [&](const Masker& masker) {
    return testing::term_laws([] { return tiny_network(); }, MaskedSequences(all, masker), 0.02, MaskedLanguage(head));
  };
  CHECK(laws(pieces) == testing::BrokenLaws{});
  CHECK(laws(words) == testing::BrokenLaws{});
}

TEST_CASE("a tied decoder in chunks of rows equals the formula") {
  const index_t rows = 45, width = 20, vocabulary = 41;
  Matrix x(rows, width), words(vocabulary, width), expected_x(rows, width), expected_words(vocabulary, width);
  std::vector<float> bias(48), expected_bias(48);
  const Rng rng(3, Stream::sample);
  std::uint64_t draw = 0;
  for (Matrix* m : {&x, &words})
    for (index_t r = 0; r < m->rows(); ++r)
      for (float& v : m->row(r)) v = static_cast<float>(rng.normal(draw++));
  for (std::size_t v = 0; v < 41; ++v) bias[v] = static_cast<float>(rng.normal(draw++));
  std::vector<label_t> labels;
  for (index_t r = 0; r < rows; ++r) labels.push_back(static_cast<label_t>(rng.below(draw++, vocabulary)));
  expected_x.fill(0), expected_words.fill(0);
  double expected = 0;
  for (index_t r = 0; r < rows; ++r) {
    std::vector<double> p(41);
    double total = 0;
    for (index_t v = 0; v < vocabulary; ++v) {
      double sum = bias[as_size(v)];
      for (index_t k = 0; k < width; ++k) sum += static_cast<double>(x(r, k)) * words(v, k);
      total += p[as_size(v)] = std::exp(sum);
    }
    for (double& q : p) q /= total;
    expected -= std::log(p[as_size(labels[as_size(r)])]);
    p[as_size(labels[as_size(r)])] -= 1;
    for (index_t v = 0; v < vocabulary; ++v) {
      const auto d = static_cast<float>(0.5 * p[as_size(v)]);
      expected_bias[as_size(v)] += d;
      for (index_t k = 0; k < width; ++k) expected_x(r, k) += d * words(v, k), expected_words(v, k) += d * x(r, k);
    }
  }
  for (const index_t threads : {1, 3})
    for (const index_t floats : {1, 17 * 64, 1 << 20}) {
      CAPTURE(threads, floats);
      const Workers workers(threads);
      PackedWords packed;
      packed.assign(words, workers);
      TiedDecoder<> decoder;
      decoder.floats_at_once = floats;
      Matrix d_x(rows, width), d_words(vocabulary, width);
      d_x.fill(0), d_words.fill(0);
      std::vector<float> d_bias(48);
      const double loss =
          decoder.add_loss(x, packed, words, bias.data(), labels, 0.5f, d_x, d_words, d_bias.data(), workers);
      CHECK(loss == approx(expected).epsilon(1e-5));
      CHECK(max_difference(d_x, expected_x) < 1e-4f);
      CHECK(max_difference(d_words, expected_words) < 1e-4f);
      for (std::size_t v = 0; v < 41; ++v) CHECK(d_bias[v] == approx(expected_bias[v]).margin(1e-4));
      Matrix whole(rows, vocabulary);
      packed.logits<DefaultArch>(x, bias.data(), whole, workers);
      decoder.each_chunk(x, packed, bias.data(), workers, [&](index_t first, View logits) {
        for (index_t r = 0; r < logits.rows(); ++r)
          for (index_t v = 0; v < vocabulary; ++v) REQUIRE(logits(r, v) == whole(first + r, v));
      });
    }
}

TEST_CASE("a masked language model learns which piece follows from its neighbors") {
  Batch all;  // every sequence counts upwards
  for (token_t start = 5; start < 35; ++start) {
    all.ids.push_back(2);
    for (token_t t = 0; t < 6; ++t) all.ids.push_back(start + t);
    all.ids.push_back(3);
    all.close_text();
  }
  BertConfig config = tiny_masked_config();
  config.hidden_size = 32, config.initializer_range = 0.1f;
  auto model = tiny_model(1, config);
  const Masker masker(model.tokenizer(), {});
  const auto before = masked_scores(model, all, masker);
  CHECK(before.loss > 3);
  CHECK(before.tokens == 30);
  Quiet log;
  const PretrainOptions options{.steps = 300,
                                .head_only_steps = 20,
                                .batch_size = 10,
                                .learning_rate = 5e-3f,
                                .weight_decay = 0,
                                .dropout = false};
  const auto report = pretrain(model, all, masker, options, log);
  CHECK(report.steps == 320);
  CHECK(log.losses.size() == 320);
  const auto after = masked_scores(model, all, masker);
  CHECK(after.accuracy > 0.8);
  CHECK(after.accuracy_at_5 >= after.accuracy);
  CHECK(after.loss < before.loss / 2);

  Batch text = all.slice(4, 1);
  const token_t right = text.ids[3];
  text.ids[3] = 4;
  const index_t place[] = {3};
  const auto best = model.top(text, place, 3);
  REQUIRE(best.size() == 1);
  REQUIRE(best[0].size() == 3);
  CHECK(best[0][0].index == right);
}

TEST_CASE("pretraining gives the same bits for any number of threads, in parts nearly so, and stops when asked to") {
  const Batch all = tiny_sequences({9, 3, 12, 1, 7, 20, 4});
  const auto trained = [&](index_t threads, index_t part, index_t stop = -1) {
    auto model = tiny_model(threads);
    const Masker masker(model.tokenizer(), {});
    Quiet log{stop};
    const PretrainOptions options{.steps = 3, .head_only_steps = 2, .batch_size = 3, .part_size = part};
    const auto report = pretrain(model, all, masker, options, log);
    CHECK(report.interrupted == (stop >= 0));
    CHECK(report.steps == (stop >= 0 ? stop : 5));
    return bits(model);
  };
  const auto one = trained(1, 0), parts = trained(1, 1);
  CHECK(trained(3, 0) == one);
  double worst = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(one[i]) - parts[i]));
  CHECK(worst < 5e-4);  // Adam divides by the gradient: its smallest numbers are rounding
  CHECK(trained(1, 0, 1) != one);
  CHECK(trained(1, 0, 4) != one);
}

TEST_CASE("pretraining: a step in which nothing is hidden moves nothing; epsilon is Adam's") {
  const auto trained = [](const Batch& all, float epsilon, index_t head_only) {
    auto model = tiny_model(1);
    const Masker masker(model.tokenizer(), {});
    Quiet log{-1};
    pretrain(model, all, masker,
             {.steps = 2, .head_only_steps = head_only, .batch_size = 2, .weight_decay = 0.5f, .adam_epsilon = epsilon},
             log);
    return bits(model);
  };
  Batch special;
  special.ids = {0, 1};
  special.close_text();
  CHECK(trained(special, 1e-6f, 1) == bits(tiny_model(1)));
  const Batch texts = tiny_sequences({9, 3, 12});
  CHECK(trained(texts, 1e-6f, 0) != bits(tiny_model(1)));
  CHECK(trained(texts, 1e-6f, 0) != trained(texts, 1e-3f, 0));
}

TEST_CASE("pretraining that diverges is refused, by its steps or by what the model says, and has no scores") {
  const Batch all = tiny_sequences({9, 3, 12, 1, 7, 20, 4});
  const auto message = [&](PretrainOptions options) {
    auto model = tiny_model();
    const Masker masker(model.tokenizer(), {});
    Quiet log{-1};
    options.batch_size = 2, options.warmup = 0;
    return message_of<Error>([&] { pretrain(model, all, masker, options, log); });
  };
  CHECK(contains(message({.steps = 40, .learning_rate = 1e30f}),
                 "pretrain: 20 steps in a row had no finite loss and gradient, a smaller "
                 "PretrainOptions::learning_rate than"));
  CHECK(contains(message({.steps = 1, .head_only_steps = 40, .head_learning_rate = 1e30f}),
                 "a smaller PretrainOptions::head_learning_rate than"));
  CHECK(contains(message({.steps = 4, .learning_rate = 1e30f}), "the parameters have diverged"));
  CHECK(message({.steps = 4, .learning_rate = 1e-3f}) == "nothing thrown");

  auto model = tiny_model();
  const Masker masker(model.tokenizer(), {});
  model.head_values().data()[0] = std::numeric_limits<float>::quiet_NaN();
  model.refresh();
  CHECK_THROWS_AS(masked_scores(model, all, masker), NonFiniteError);
}

TEST_CASE("an observer that throws leaves the masked language model of the last step") {
  struct Thrower {
    void step(const StepReport& report) {
      if (report.step == 4) throw std::runtime_error("enough");
    }
    bool stop_requested() const { return false; }
  } thrower;
  auto model = tiny_model();
  const auto before = model.head_values();
  const Masker masker(model.tokenizer(), {});
  const auto run = [&] {
    pretrain(model, tiny_sequences({9, 3, 12, 1, 7, 20, 4}), masker, {.steps = 4, .head_only_steps = 2}, thrower);
  };
  CHECK_THROWS_AS(run(), std::runtime_error);
  CHECK_FALSE(std::equal(before.data(), before.data() + before.size(), std::as_const(model).head_values().data()));
  const auto logits = model.logits("a b");
  model.refresh();
  const auto refreshed = model.logits("a b");
  CHECK(std::equal(logits.data(), logits.data() + logits.rows() * logits.cols(), refreshed.data()));
  CHECK_THROWS_AS(model.top(Batch(), {}, -1), OptionError);
}

TEST_CASE("a pretraining that is stopped and resumed gives the same bits, whatever step it stops behind") {
  const Batch all = tiny_sequences({9, 3, 12, 1, 7, 20, 4});
  const TemporaryFolder place;
  PretrainOptions options{.steps = 4, .head_only_steps = 3, .batch_size = 3};
  const auto run = [&](index_t stop) {
    auto model = tiny_model();
    const Masker masker(model.tokenizer(), {});
    Quiet log{stop};
    const auto report = pretrain(model, all, masker, options, log);
    return std::pair(report, bits(model));
  };
  const auto [whole, expected] = run(-1);
  CHECK(checkpoints_in(place.path()).empty());
  options.checkpoints = place.path(), options.resume = true;
  for (index_t stop = 1; stop < 7; ++stop) {
    const auto stopped = run(stop).first;
    CHECK(stopped.interrupted);
    REQUIRE(checkpoints_in(place.path(), stopped.identity).size() == 1);
    CHECK(checkpoints_in(place.path()).front().step == stop);
    const auto [rest, values] = run(-1);
    CHECK(rest.steps == 7);
    CHECK(rest.tokens == whole.tokens);
    CHECK(values == expected);
    std::filesystem::remove_all(checkpoints_in(place.path()).front().folder);
  }
  options.checkpoint_every = 2;
  CHECK(run(-1).second == expected);
  CHECK(checkpoints_in(place.path()).front().step == 6);
  options.learning_rate *= 2;
  CHECK_THROWS_AS(run(-1), OtherRunError);
  options.resume = false;
  CHECK(run(-1).second != expected);
  CHECK(checkpoints_in(place.path()).size() == 2);
}

TEST_CASE("masked language models are saved and loaded with the same logits") {
  const TemporaryFolder place;
  auto model = tiny_model();
  fill_random(model.network().values(), 1, 0.3), fill_random(model.head_values(), 2, 0.3);
  model.refresh();
  model.save(place / "model");
  const auto loaded = MaskedLanguageModel::load(place / "model");
  CHECK(loaded.head_loaded());
  const std::string text =
      std::string(model.tokenizer().token(5)) + " [MASK] " + std::string(model.tokenizer().token(7));
  const Matrix a = model.logits(text), b = loaded.logits(text);
  CHECK(a.rows() == 5);
  CHECK(a.cols() == 41);
  CHECK(max_difference(a, b) == 0);
  CHECK(model.tokenize(text).ids == std::vector<token_t>{2, 5, 4, 7, 3});
  CHECK(loaded.pseudo_perplexity(text) == model.pseudo_perplexity(text));

  const Batch batch = model.tokenize(text);
  double total = 0;  // by its definition
  for (std::size_t t = 1; t + 1 < batch.ids.size(); ++t) {
    Batch masked = batch;
    masked.ids[t] = 4;
    const index_t at[] = {static_cast<index_t>(t)};
    model.each_logits(masked, at, [&](index_t, View logits) {
      total += log_sum_exp(logits.row(0)) - static_cast<double>(logits(0, batch.ids[t]));
    });
  }
  CHECK(model.pseudo_perplexity(text) == approx(std::exp(total / 3)).epsilon(1e-5));
  CHECK_THROWS_AS(model.pseudo_perplexity(" "), OptionError);
  const index_t outside[] = {9};
  CHECK_THROWS_AS(model.top(batch, outside, 1), ShapeError);
}
