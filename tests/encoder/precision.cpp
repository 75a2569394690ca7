#include "encoder/tiny.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert_test;

namespace {

using AnyBert = BasicBert<DefaultArch, AnyPrecision>;

struct RandomAnyBert {
  AnyBert encoder;
  ParameterBlock values;
  explicit RandomAnyBert(Precision precision, const BertConfig& config = tiny_config()) : encoder(config) {
    ParameterTable table;
    encoder.declare_dense(table);
    encoder.declare_lookup(table);
    values = ParameterBlock(std::make_shared<const ParameterTable>(std::move(table)));
    fill_random(values, 1, 0.3);
    encoder.lower(values, precision, Workers());
  }
  Matrix embed(const Batch& batch, const Workers& workers = Workers()) const {
    Matrix out(batch.size(), encoder.width());
    BertWorkspace workspace;
    encoder.encode(values, batch, {}, out, workspace, workers);
    return out;
  }
};

const Batch texts = random_batch(tiny_config(), {5, 1, 12, 24, 9, 17, 3});

double distance(ConstView a, ConstView b) {
  double worst = 0;
  for (index_t r = 0; r < a.rows(); ++r)
    for (index_t c = 0; c < a.cols(); ++c) worst = std::max(worst, static_cast<double>(std::fabs(a(r, c) - b(r, c))));
  return worst;
}

}  // namespace

TEST_CASE("precision: bf16 and int8 stay close to fp32, each at its own distance") {
  const Matrix exact = RandomAnyBert(Precision::fp32).embed(texts);
  const double half = distance(exact, RandomAnyBert(Precision::bf16).embed(texts)),
               byte = distance(exact, RandomAnyBert(Precision::int8).embed(texts));
  CHECK(half > 0);
  CHECK(half < 0.03);
  CHECK(byte > half);
  CHECK(byte < 0.1);
}

TEST_CASE("precision: every activation and more rows than a feed-forward block has: close to fp32, texts independent") {
  std::vector<BertConfig> configs(3, tiny_config());
  configs[1].hidden_act = ActivationKind::gelu_tanh, configs[2].hidden_act = ActivationKind::relu;
  configs.push_back(tiny_distilbert_config());
  configs.push_back(tiny_roberta_config());
  for (const BertConfig& config : configs) {
    const Batch many = random_batch(config, {24, 24, 24, 24, 23, 24, 24, 24, 5});
    REQUIRE(many.tokens() > feed_forward_rows);
    const Matrix exact = RandomAnyBert(Precision::fp32, config).embed(many);
    for (const auto precision : {Precision::bf16, Precision::int8}) {
      const RandomAnyBert bert(precision, config);
      const Matrix given = bert.embed(many);
      CHECK(distance(exact, given) < (precision == Precision::bf16 ? 0.03 : 0.1));
      Batch last;
      last.append(many, many.size() - 1);
      CHECK(same_bits(bert.embed(last), ConstView(given).row_range(many.size() - 1, 1)));
    }
  }
}

TEST_CASE(
    "precision: long texts, whose attention may run in int8: close to fp32, neither threads nor other texts matter") {
  const BertConfig config{.vocab_size = 41,
                          .hidden_size = 64,
                          .num_hidden_layers = 2,
                          .num_attention_heads = 2,
                          .intermediate_size = 96,
                          .max_position_embeddings = 160};
  const Batch many = random_batch(config, {79, 80, 160, 7, 121});
  const Matrix exact = RandomAnyBert(Precision::fp32, config).embed(many);
  const RandomAnyBert bert(Precision::int8, config);
  const Matrix given = bert.embed(many);
  CHECK(distance(exact, given) > 0);
  CHECK(distance(exact, given) < 0.1);
  CHECK(same_bits(bert.embed(many, Workers(3)), given));
  for (index_t i = 0; i < many.size(); ++i) {
    Batch one;
    one.append(many, i);
    CHECK(same_bits(bert.embed(one), ConstView(given).row_range(i, 1)));
  }
}

TEST_CASE("precision: an encoder for any precision gives in fp32 the bits of one for fp32 only") {
  const RandomBert plain;
  Matrix expected(texts.size(), plain.encoder.width());
  BertWorkspace workspace;
  plain.encoder.encode(plain.values, texts, {}, expected, workspace, Workers());
  CHECK(same_bits(RandomAnyBert(Precision::fp32).embed(texts), expected));
}

TEST_CASE("precision: results depend neither on threads nor on the other texts") {
  for (const auto precision : {Precision::bf16, Precision::int8}) {
    const RandomAnyBert bert(precision);
    const Matrix whole = bert.embed(texts);
    CHECK(same_bits(bert.embed(texts, Workers(3)), whole));
    for (index_t i = 0; i < texts.size(); ++i) {
      Batch one;
      one.append(texts, i);
      CHECK(same_bits(bert.embed(one), ConstView(whole).row_range(i, 1)));
    }
  }
}

TEST_CASE("precision: gradients in bf16 are those of fp32 to a few percent, the same for any number of threads") {
  const BertConfig config = GENERATE(tiny_config(), tiny_distilbert_config());
  CAPTURE(config.family->model_type);
  const Matrix d = random_matrix(texts.size(), config.hidden_size, 9);
  const auto gradients = [&](Precision precision, index_t threads) {
    const RandomAnyBert bert(precision, config);
    BertTape tape;
    BertWorkspace workspace;
    const Workers workers(threads);
    Gradients result(bert.values.shared_table());
    bert.encoder.forward(bert.values, texts, {.dropout = Rng(3, Stream::dropout)}, tape, workspace, workers);
    bert.encoder.backward(bert.values, tape, {.d_embedding = d, .parameters = &result}, workspace, workers);
    return result;
  };
  const Gradients exact = gradients(Precision::fp32, 1), half = gradients(Precision::bf16, 1),
                  shared = gradients(Precision::bf16, 3);
  CHECK(same_bits(half, shared));
  const auto& table = exact.table();
  for (index_t p = 0; p < table.count(); ++p) {
    if (table[p].name.ends_with("projections.bias")) continue;  // a key's bias has no gradient but rounding
    CAPTURE(table[p].name);
    double error = 0, norm = 0;
    for (index_t i = 0; i < table[p].size; ++i) {
      const double g = exact.slice(p)[i], e = half.slice(p)[i] - g;
      error += e * e, norm += g * g;
    }
    CHECK(std::sqrt(error) <= 0.04 * std::sqrt(norm));
  }
}

TEST_CASE("precision: stale weights, precisions not compiled and training in int8 are refused") {
  RandomAnyBert bert(Precision::bf16);
  bert.values.data()[0] += 1;
  CHECK(contains(message_of<OptionError>([&] { bert.embed(texts); }), "lower() expected"));
  bert.encoder.lower(bert.values, Precision::bf16, Workers());
  CHECK_NOTHROW(bert.embed(texts));

  RandomBert plain;
  CHECK(contains(message_of<OptionError>([&] { plain.encoder.lower(plain.values, Precision::int8, Workers()); }),
                 "AnyPrecision"));

  const RandomAnyBert bytes(Precision::int8);
  BertTape tape;
  BertWorkspace workspace;
  bytes.encoder.forward(bytes.values, texts, {}, tape, workspace, Workers());
  const Matrix d = random_matrix(texts.size(), bytes.encoder.width(), 9);
  Gradients gradients(bytes.values.shared_table());
  CHECK(contains(message_of<OptionError>([&] {
                   bytes.encoder.backward(bytes.values, tape, {.d_embedding = d, .parameters = &gradients}, workspace,
                                          Workers());
                 }),
                 "int8"));

  CHECK(precision_from("bf16") == Precision::bf16);
  CHECK_THROWS_AS(precision_from("fp16"), OptionError);
}
