// The encoder's gradient with dropout on, where PyTorch draws other masks: against difference quotients.
#include "encoder/tiny.hpp"

using namespace knnbert_test;

namespace {

struct Case {
  RandomBert bert;
  Batch batch;
  ForwardOptions options;
  Matrix u;
  std::vector<Matrix> u_hidden;
  std::vector<HiddenGradient> views;
  Workers workers;

  explicit Case(const BertConfig& config, Pooling pooling, bool dropping)
      : bert(config), batch(random_batch(config, {5, 1, 9, 3})), options{.pooling = pooling},
        u(random_matrix(4, config.hidden_size, 2)), workers(2) {
    if (dropping) options.dropout = Rng(3, Stream::dropout);
    for (index_t l = 0; l <= config.num_hidden_layers; ++l)
      u_hidden.push_back(random_matrix(batch.tokens(), config.hidden_size, 10 + static_cast<std::uint64_t>(l), 0.3));
    for (const Matrix& m : u_hidden) views.push_back({.layer = std::ssize(views), .rows = m});
  }

  static double product(ConstView a, ConstView b) {
    double total = 0;
    for (index_t r = 0; r < a.rows(); ++r)
      for (index_t c = 0; c < a.cols(); ++c) total += static_cast<double>(a(r, c)) * b(r, c);
    return total;
  }
  double value() const {
    BertTape tape;
    BertWorkspace workspace;
    bert.encoder.forward(bert.values, batch, options, tape, workspace, workers);
    double total = product(u, tape.embedding());
    for (index_t l = 0; l <= tape.layers(); ++l)
      total += product(u_hidden[static_cast<std::size_t>(l)], tape.hidden(l));
    return total;
  }
  Gradients gradients() const {
    BertTape tape;
    BertWorkspace workspace;
    bert.encoder.forward(bert.values, batch, options, tape, workspace, workers);
    Gradients result(bert.values.shared_table());
    bert.encoder.backward(bert.values, tape, {.d_embedding = u, .d_hidden = views, .parameters = &result}, workspace,
                          workers);
    return result;
  }
};

void check_all_parameters(const BertConfig& config, Pooling pooling, bool dropping) {
  Case c(config, pooling, dropping);
  const Gradients gradients = c.gradients();
  index_t moved = 0;
  for (index_t p = 0; p < c.bert.values.table().count(); ++p) {
    const auto s = slopes_of_parameter(c.bert.values, gradients, p, 0.02, [&] { return c.value(); });
    CAPTURE(c.bert.values.table()[p].name, s.numeric, s.analytic, s.size);
    // The value is a float sum of about 100: its rounding, divided by h, bounds what a difference can show.
    CHECK(std::abs(s.numeric - s.analytic) < 2e-3 * s.size + 2e-4);
    moved += s.size > 1e-3;
  }
  CHECK(moved >= c.bert.values.table().count() - 2);
}

}  // namespace

TEST_CASE("encoder gradient with dropout: every parameter, every pooling, gradients at all hidden states") {
  for (const Pooling pooling : all_poolings) check_all_parameters(tiny_config(), pooling, true);
}

TEST_CASE("encoder gradient with dropout: DistilBERT, which has none behind its attention") {
  check_all_parameters(tiny_distilbert_config(), Pooling::mean, true);
  const std::uint64_t key = 1;
  const BlockDropout usual{{0.5f, 0, &key}, {}, 3}, distilled{usual.hidden, {}, 3, false};
  CHECK(usual.attention_output().active());
  CHECK_FALSE(distilled.attention_output().active());
  CHECK(distilled.output().active());
}

TEST_CASE("encoder gradient with dropout: other activations, one head, dropout of only one kind") {
  BertConfig config = tiny_config();
  config.hidden_act = ActivationKind::gelu_tanh;
  config.hidden_dropout_prob = 0;
  config.attention_probs_dropout_prob = 0.4f;
  check_all_parameters(config, Pooling::mean, true);
  config.num_attention_heads = 1;
  config.hidden_dropout_prob = 0.3f;
  config.attention_probs_dropout_prob = 0;
  check_all_parameters(config, Pooling::pooler, true);
}

TEST_CASE("encoder gradient at rows that enter: output and sums, with dropout") {
  for (const Entry entry : {Entry::output, Entry::sums}) {
    Case c(tiny_config(), Pooling::mean, true);
    BertTape tape;
    BertWorkspace workspace;
    c.bert.encoder.forward(c.bert.values, c.batch, c.options, tape, workspace, c.workers);
    Matrix clean(4, 20), input(c.batch.tokens(), 20), d_output, d_sums;
    copy(tape.embedding(), clean);
    copy(entry == Entry::output ? tape.hidden(0) : tape.sums(), input);
    const auto value = [&] {
      c.bert.encoder.forward(c.bert.values, {c.batch, entry, input}, c.options, tape, workspace, c.workers);
      return Case::product(c.u, tape.embedding());
    };
    value();
    CHECK(same_bits(tape.embedding(), clean));
    CHECK(same_bits(encode(c.bert, {c.batch, entry, input}, c.options), clean));
    Gradients gradients(c.bert.values.shared_table());
    Matrix* const d_sums_out = entry == Entry::sums ? &d_sums : nullptr;
    c.bert.encoder.backward(
        c.bert.values, tape,
        {.d_embedding = c.u, .parameters = &gradients, .d_output = &d_output, .d_sums_out = d_sums_out}, workspace,
        c.workers);
    CHECK(gradients.active_rows().empty());
    const auto norm = [&](index_t parameter) { return std::abs(gradients.slice(parameter)[0]); };
    CHECK((norm(c.bert.encoder.layers().embedding_norm.gain) > 0) == (entry == Entry::sums));
    const Matrix& d = entry == Entry::output ? d_output : d_sums;
    for (const auto& place : {std::pair<index_t, index_t>{0, 0}, {5, 19}, {6, 3}, {17, 11}}) {
      const index_t t = place.first, k = place.second;  // named: clang captures no structured bindings
      const float kept = input(t, k);
      const double numeric = slope_at_zero(
          0.02, [&](double step) { input(t, k) = static_cast<float>(kept + step); }, value);
      CHECK(std::abs(numeric - d(t, k)) < 1e-3 * std::abs(numeric) + 1e-4);
    }
  }
}

TEST_CASE("encoder gradient at the sums of a clean pass: added up by token it is the gradient of the word table") {
  Case c(tiny_config(), Pooling::pooler, true);
  BertTape tape;
  BertWorkspace workspace;
  c.bert.encoder.forward(c.bert.values, c.batch, c.options, tape, workspace, c.workers);
  const Matrix entering = random_matrix(c.batch.tokens(), 20, 5);
  for (const ConstView d_sums : {ConstView(), ConstView(entering)}) {
    Matrix left, alone;
    Gradients gradients(c.bert.values.shared_table());
    const EncoderGradients all{.d_embedding = c.u, .d_sums = d_sums, .parameters = &gradients, .d_sums_out = &left};
    c.bert.encoder.backward(c.bert.values, tape, all, workspace, c.workers);
    c.bert.encoder.backward(c.bert.values, tape, {.d_embedding = c.u, .d_sums = d_sums, .d_sums_out = &alone},
                            workspace, c.workers);
    CHECK(same_bits(alone, left));
    Matrix table(c.bert.encoder.config().vocab_size, 20);
    table.fill(0);
    for (index_t t = 0; t < c.batch.tokens(); ++t)
      add_rows(ConstView(left).row_range(t, 1), View(table).row_range(c.batch.ids[static_cast<std::size_t>(t)], 1));
    const float* words = gradients.slice(c.bert.encoder.layers().words);
    for (index_t i = 0; i < table.rows(); ++i)
      for (index_t k = 0; k < 20; ++k) REQUIRE(words[i * 20 + k] == table(i, k));
  }
}

TEST_CASE("encoder gradients at first rows are those at all rows that are zero elsewhere") {
  Case c(tiny_config(), Pooling::mean, true);
  BertTape tape;
  BertWorkspace workspace;
  c.bert.encoder.forward(c.bert.values, c.batch, c.options, tape, workspace, c.workers);
  const Matrix first = random_matrix(4, 20, 8), more = random_matrix(c.batch.tokens(), 20, 9);
  Matrix spread(c.batch.tokens(), 20);
  spread.fill(0);
  for (index_t b = 0; b < 4; ++b)
    copy(ConstView(first).row_range(b, 1), View(spread).row_range(c.batch.offsets[static_cast<std::size_t>(b)], 1));
  for (index_t layer = 0; layer <= tape.layers(); ++layer) {
    Gradients sparse(c.bert.values.shared_table()), dense(c.bert.values.shared_table());
    const std::vector<HiddenGradient> few{{layer, HiddenRows::first, first}, {layer, HiddenRows::all, more}};
    const std::vector<HiddenGradient> all{{layer, HiddenRows::all, spread}, {layer, HiddenRows::all, more}};
    c.bert.encoder.backward(c.bert.values, tape, {.d_hidden = few, .parameters = &sparse}, workspace, c.workers);
    c.bert.encoder.backward(c.bert.values, tape, {.d_hidden = all, .parameters = &dense}, workspace, c.workers);
    CHECK(same_bits(sparse, dense));
  }
}

TEST_CASE("encoder: dropout off and a rate of zero are the same function") {
  BertConfig config = tiny_config();
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  const RandomBert bert(config);
  const Batch batch = random_batch(config, {4, 7});
  CHECK(same_bits(encode(bert, batch, {.dropout = Rng(1, Stream::dropout)}), encode(bert, batch, {})));
  const RandomBert dropping;
  CHECK_FALSE(same_bits(encode(dropping, batch, {.dropout = Rng(1, Stream::dropout)}), encode(dropping, batch, {})));
  CHECK_FALSE(same_bits(encode(dropping, batch, {.dropout = Rng(1, Stream::dropout)}),
                        encode(dropping, batch, {.dropout = Rng(2, Stream::dropout)})));
}

TEST_CASE("encoder: a step in parts has the masks and the gradient of the whole") {
  const RandomBert bert;
  const Batch whole = random_batch(tiny_config(), {5, 1, 9, 3, 24, 2, 8});
  const Matrix u = random_matrix(7, 20, 2);
  for (const Pooling pooling : all_poolings) {
    const ForwardOptions options{.pooling = pooling, .dropout = Rng(3, Stream::dropout)};
    Pass once(bert, whole, options, u);
    Gradients sum(bert.values.shared_table());
    for (index_t first = 0; first < 7; first += 3) {
      const index_t count = std::min<index_t>(3, 7 - first);
      std::vector<index_t> texts;
      for (index_t i = 0; i < count; ++i) texts.push_back(first + i);
      auto part = options;
      part.first_example = first;
      BertTape tape;
      BertWorkspace workspace;
      const Workers workers;
      bert.encoder.forward(bert.values, whole.select(texts), part, tape, workspace, workers);
      CHECK(same_bits(tape.embedding(), once.tape.embedding().row_range(first, count)));
      bert.encoder.backward(bert.values, tape,
                            {.d_embedding = ConstView(u).row_range(first, count), .parameters = &sum}, workspace,
                            workers);
    }
    for (index_t p = 0; p < bert.values.table().count(); ++p) {
      const Parameter& parameter = bert.values.table()[p];
      double scale = 0, worst = 0;
      for (index_t i = parameter.offset; i < parameter.offset + parameter.size; ++i) {
        scale = std::max(scale, std::abs(static_cast<double>(once.gradients.data()[i])));
        worst = std::max(worst, std::abs(static_cast<double>(once.gradients.data()[i]) - sum.data()[i]));
      }
      CAPTURE(parameter.name, worst, scale);
      CHECK(worst <= 1e-5 * scale);
    }
    CHECK(sum.active_rows() == once.gradients.active_rows());
  }
}
