// Wrong input is refused with a typed error that says what was expected, before anything is computed.
#include "encoder/tiny.hpp"
#include "io/temporary_folder.hpp"

using namespace knnbert_test;

namespace {

struct Fixture {
  RandomBert bert;
  BertTape tape;
  BertWorkspace workspace;
  Workers workers;

  void forward(const Batch& batch, const ForwardOptions& options = {}) {
    bert.encoder.forward(bert.values, batch, options, tape, workspace, workers);
  }
  std::string shape_error(const Batch& batch, const ForwardOptions& options = {}) {
    const auto forward_message = message_of<ShapeError>([&] { forward(batch, options); });
    Matrix out(batch.size(), 20);
    const auto encode_message =
        message_of<ShapeError>([&] { bert.encoder.encode(bert.values, batch, options, out, workspace, workers); });
    // the name of the function
    const auto behind = [](const std::string& message) { return message.substr(message.find(": ")); };
    CHECK(behind(forward_message) == behind(encode_message));
    return forward_message;
  }
};

BertConfig changed(auto member, auto value) {
  BertConfig config = tiny_config();
  config.*member = value;
  return config;
}

}  // namespace

TEST_CASE("encoder errors: batches") {
  Fixture f;
  CHECK(contains(f.shape_error(Batch{}), "0 texts given, at least 1 expected"));
  CHECK(contains(f.shape_error(random_batch(tiny_config(), {3, 25})), "text 1 of 25 tokens given, 1 to 24 expected"));
  CHECK(contains(f.shape_error(random_batch(tiny_config(), {3, 0, 2})), "text 1 of 0 tokens given, 1 to 24 expected"));
  Batch batch = random_batch(tiny_config(), {3, 4});
  batch.ids[5] = 41;
  CHECK(contains(f.shape_error(batch), "token 41 given, 0 to 40 expected"));
  batch.ids[5] = -1;
  CHECK(contains(f.shape_error(batch), "token -1 given, 0 to 40 expected"));
  batch = random_batch(tiny_config(), {3, 4});
  batch.segments[2] = 2;
  CHECK(contains(f.shape_error(batch), "segment 2 given, below 2 expected"));
}

TEST_CASE("encoder errors: a batch put together by hand, whose parts do not fit") {
  Fixture f;
  const Batch good = random_batch(tiny_config(), {3, 4});
  Batch batch = good;
  batch.segments.clear();
  CHECK(contains(f.shape_error(batch), "7 ids, 0 segments"));
  batch = good;
  batch.ids.pop_back();
  CHECK(contains(f.shape_error(batch), "6 ids"));
  batch = good;
  batch.offsets = {0, 5, 3};
  CHECK(f.shape_error(batch) != "nothing thrown");
  batch = good;
  batch.offsets = {1, 3, 7};
  CHECK(f.shape_error(batch) != "nothing thrown");
  batch = good;
  batch.offsets = {0, 3, 9};
  CHECK(f.shape_error(batch) != "nothing thrown");
}

TEST_CASE("encoder errors: pooling without a pooler") {
  Fixture f{RandomBert(changed(&BertConfig::pooler, false)), {}, {}, Workers()};
  const Batch batch = random_batch(tiny_config(), {3});
  CHECK(contains(message_of<OptionError>([&] { f.forward(batch, {.pooling = Pooling::pooler}); }), "no pooler"));
  f.forward(batch, {.pooling = Pooling::cls});
}

TEST_CASE("encoder errors: shapes of results and gradients") {
  Fixture f;
  const Batch batch = random_batch(tiny_config(), {3, 4});
  const Matrix right(2, 20), narrow(2, 19), short_one(1, 20);
  Matrix out(3, 20);
  CHECK(contains(
      message_of<ShapeError>([&] { f.bert.encoder.encode(f.bert.values, batch, {}, out, f.workspace, f.workers); }),
      "[3, 20] given, [2, 20] expected"));
  CHECK(contains(
      message_of<ShapeError>([&] {
        f.bert.encoder.forward(f.bert.values, {batch, Entry::output, right}, {}, f.tape, f.workspace, f.workers);
      }),
      "[2, 20] given, [7, 20] expected"));
  f.forward(batch);
  Gradients gradients(f.bert.values.shared_table());
  const auto backward = [&](const EncoderGradients& g) {
    f.bert.encoder.backward(f.bert.values, f.tape, g, f.workspace, f.workers);
  };
  CHECK(contains(message_of<ShapeError>([&] { backward({.d_embedding = narrow, .parameters = &gradients}); }),
                 "d_embedding: [2, 19] given, [2, 20] expected"));
  CHECK(contains(message_of<ShapeError>([&] { backward({.d_embedding = short_one, .parameters = &gradients}); }),
                 "d_embedding: [1, 20] given, [2, 20] expected"));
  const HiddenGradient few[] = {{.layer = 0, .rows = right}},
                       beyond[] = {{.layer = 9, .which = HiddenRows::first, .rows = right}};
  CHECK(contains(
      message_of<ShapeError>([&] { backward({.d_embedding = right, .d_hidden = few, .parameters = &gradients}); }),
      "[2, 20] given, [7, 20] expected"));
  CHECK(contains(
      message_of<ShapeError>([&] { backward({.d_embedding = right, .d_hidden = beyond, .parameters = &gradients}); }),
      "layer 9 given, 0 to 2 expected"));
  CHECK_THROWS_AS(backward({.d_embedding = right, .d_sums = right, .parameters = &gradients}), ShapeError);
  for (index_t i = 0; i < f.bert.values.size(); ++i) REQUIRE(gradients.data()[i] == 0);
}

TEST_CASE("encoder errors: rows that enter where weights are lowered, gradients at places that a pass does not have") {
  Fixture f;
  const Batch batch = random_batch(tiny_config(), {3, 4});
  const Matrix rows = random_matrix(7, 20, 1), d = random_matrix(2, 20, 2);
  Matrix out;
  f.bert.encoder.forward(f.bert.values, {batch, Entry::output, rows}, {}, f.tape, f.workspace, f.workers);
  const auto backward = [&](const EncoderGradients& g) {
    f.bert.encoder.backward(f.bert.values, f.tape, g, f.workspace, f.workers);
  };
  CHECK(contains(message_of<OptionError>([&] { backward({.d_embedding = d, .d_sums_out = &out}); }), "behind them"));
  CHECK(contains(message_of<OptionError>([&] { backward({.d_embedding = d, .d_sums = rows}); }), "behind them"));
  CHECK(
      contains(message_of<OptionError>([&] { f.forward(batch, {.keep = Keep::nothing}); }), "encode() keeps nothing"));
  BasicBert<DefaultArch, AnyPrecision> low(tiny_config());
  f.bert.values.start_lowering(Precision::bf16);
  CHECK(contains(message_of<OptionError>([&] {
                   low.forward(f.bert.values, {batch, Entry::sums, rows}, {}, f.tape, f.workspace, f.workers);
                 }),
                 "fp32 expected"));
}

TEST_CASE("encoder: results may lie densely, without a matrix's padding") {
  const RandomBert bert;
  const Batch batch = random_batch(tiny_config(), {3, 4, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24});
  for (const Pooling pooling : all_poolings) {
    const Matrix expected = encode(bert, batch, {.pooling = pooling});
    std::vector<float> dense(12 * 20 + 30, -7.0f);
    BertWorkspace workspace;
    const Workers workers(3);
    bert.encoder.encode(bert.values, batch, {.pooling = pooling}, View(dense.data(), 12, 20), workspace, workers);
    CHECK(same_bits(View(dense.data(), 12, 20), expected));
    for (std::size_t i = 240; i < dense.size(); ++i) CHECK(dense[i] == -7);
  }
}

TEST_CASE("encoder errors: configurations that cannot exist") {
  const auto refused = [](const BertConfig& config) { return message_of<OptionError>([&] { Bert bert(config); }); };
  CHECK(refused(tiny_config()) == "nothing thrown");
  for (const auto member : {&BertConfig::vocab_size, &BertConfig::hidden_size, &BertConfig::num_hidden_layers,
                            &BertConfig::num_attention_heads, &BertConfig::intermediate_size,
                            &BertConfig::max_position_embeddings, &BertConfig::type_vocab_size}) {
    CHECK(contains(refused(changed(member, 0)), "0 given"));
    CHECK(contains(refused(changed(member, -5)), "-5 given"));
    CHECK(contains(refused(changed(member, index_t{1} << 40)), "given"));
  }
  CHECK(contains(refused(changed(&BertConfig::num_attention_heads, 3)),
                 "num_attention_heads: 3 given, a divisor of hidden_size 20 expected"));
  CHECK(contains(refused(changed(&BertConfig::layer_norm_eps, 0.0f)), "layer_norm_eps"));
  CHECK(contains(refused(changed(&BertConfig::hidden_dropout_prob, 1.0f)), "dropout"));
  CHECK(contains(refused(changed(&BertConfig::attention_probs_dropout_prob, -0.1f)), "dropout"));
  CHECK(
      contains(refused(changed(&BertConfig::hidden_dropout_prob, std::numeric_limits<float>::quiet_NaN())), "dropout"));
}

TEST_CASE("encoder errors: a RoBERTa's texts leave out the positions of the padding") {
  auto config = tiny_roberta_config();
  const RandomBert bert(config);
  CHECK(bert.encoder.max_length() == 24);
  CHECK_NOTHROW(encode(bert, random_batch(config, {24}), {}));
  CHECK(contains(message_of<ShapeError>([&] { encode(bert, random_batch(config, {25}), {}); }), "1 to 24 expected"));
  config.pad_token_id = 26;
  CHECK(contains(message_of<OptionError>([&] { Bert refused(config); }),
                 "max_position_embeddings: 26 given, at least 28 expected"));
  config.pad_token_id = 41;
  CHECK(contains(message_of<OptionError>([&] { Bert refused(config); }), "pad_token_id: 41 given, 0 to 40 expected"));
}
