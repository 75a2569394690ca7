// What must not change a bit: the number of threads, the rest of a batch, whether anything is kept.
#include "encoder/tiny.hpp"
#include "knnbert/encoder/momentum.hpp"

using namespace knnbert_test;

namespace {

constexpr index_t lengths[] = {3, 24, 1,  17, 24, 24, 9,  2,  24, 13, 24, 24,
                               5, 24, 24, 24, 24, 7,  24, 24, 24, 24, 11, 24};

/// Both kinds of dropout and, for variety, wider layers than a task of a gradient.
BertConfig wide_config() {
  BertConfig config = tiny_config();
  config.hidden_size = 60;
  config.num_attention_heads = 3;
  config.intermediate_size = 150;
  return config;
}

}  // namespace

TEST_CASE("threads: embedding, hidden states and every gradient have the same bits for 1, 2, 3 and 8 threads") {
  const RandomBert bert(wide_config());
  const Batch batch = random_batch(wide_config(), lengths);
  REQUIRE(batch.tokens() > 400);
  const Matrix u = random_matrix(batch.size(), 60, 2);
  for (const Pooling pooling : all_poolings)
    for (const bool dropping : {false, true}) {
      ForwardOptions options{.pooling = pooling};
      if (dropping) options.dropout = Rng(3, Stream::dropout);
      const Pass one(bert, batch, options, u, Workers(1));
      for (const index_t threads : {2, 3, 8}) {
        CAPTURE(threads, dropping);
        const Pass many(bert, batch, options, u, Workers(threads));
        CHECK(same_bits(many.tape.embedding(), one.tape.embedding()));
        for (index_t l = 0; l <= 2; ++l) CHECK(same_bits(many.tape.hidden(l), one.tape.hidden(l)));
        CHECK(same_bits(many.gradients, one.gradients));
        CHECK(same_bits(many.d_output, one.d_output));
      }
    }
}

TEST_CASE("a single text or a small batch is divided among all threads: the same bits") {
  const RandomBert bert(wide_config());
  constexpr index_t few[] = {24, 3, 17};
  for (const auto count : {std::size_t{1}, std::size_t{3}}) {
    const Batch batch = random_batch(wide_config(), std::span(few).first(count));
    const Matrix u = random_matrix(batch.size(), 60, 2);
    for (const bool dropping : {false, true}) {
      ForwardOptions options;
      if (dropping) options.dropout = Rng(3, Stream::dropout);
      const Pass one(bert, batch, options, u, Workers(1));
      for (const index_t threads : {2, 3, 8}) {
        CAPTURE(count, threads, dropping);
        const Pass many(bert, batch, options, u, Workers(threads));
        for (index_t l = 0; l <= 2; ++l) CHECK(same_bits(many.tape.hidden(l), one.tape.hidden(l)));
        CHECK(same_bits(many.gradients, one.gradients));
        CHECK(same_bits(encode(bert, batch, options, Workers(threads)), one.tape.embedding()));
      }
    }
  }
}

TEST_CASE("recomputed activations: the same bits, twice, and a tape that keeps the hidden states only") {
  const RandomBert bert(wide_config());
  const Batch batch = random_batch(wide_config(), lengths);
  const Matrix u = random_matrix(batch.size(), 60, 2);
  for (const Pooling pooling : all_poolings)
    for (const bool dropping : {false, true})
      for (const index_t threads : {1, 3}) {
        ForwardOptions options{.pooling = pooling};
        if (dropping) options.dropout = Rng(3, Stream::dropout);
        const Pass kept(bert, batch, options, u, Workers(threads));
        options.keep = Keep::hidden;
        const Pass again(bert, batch, options, u, Workers(threads));
        CHECK(same_bits(again.tape.embedding(), kept.tape.embedding()));
        for (index_t l = 0; l <= 2; ++l) CHECK(same_bits(again.tape.hidden(l), kept.tape.hidden(l)));
        CHECK(same_bits(again.gradients, kept.gradients));
        CHECK(same_bits(again.d_output, kept.d_output));
      }
}

TEST_CASE("encode: the same bits as forward, for any number of threads and dropout") {
  const RandomBert bert(wide_config());
  const Batch batch = random_batch(wide_config(), lengths);
  for (const Pooling pooling : all_poolings)
    for (const bool dropping : {false, true}) {
      ForwardOptions options{.pooling = pooling, .first_example = 5};
      if (dropping) options.dropout = Rng(3, Stream::dropout);
      BertTape tape;
      BertWorkspace workspace;
      bert.encoder.forward(bert.values, batch, options, tape, workspace, Workers(2));
      for (const index_t threads : {1, 2, 3, 8})
        CHECK(same_bits(encode(bert, batch, options, Workers(threads)), tape.embedding()));
    }
}

TEST_CASE("a text alone has the bits of the text in a batch, forward, encode and at the input backward") {
  const RandomBert bert;
  const Batch batch = random_batch(tiny_config(), lengths);
  const Matrix u = random_matrix(batch.size(), 20, 2);
  for (const bool dropping : {false, true}) {
    ForwardOptions options{.pooling = Pooling::pooler};
    if (dropping) options.dropout = Rng(3, Stream::dropout);
    const Pass whole(bert, batch, options, u, Workers(2));
    for (index_t i = 0; i < batch.size(); ++i) {
      const Batch alone = batch.select(std::vector<index_t>{i});
      options.first_example = i;
      const Pass single(bert, alone, options, ConstView(u).row_range(i, 1));
      CHECK(same_bits(single.tape.embedding(), whole.tape.embedding().row_range(i, 1)));
      CHECK(same_bits(encode(bert, alone, options), single.tape.embedding()));
      CHECK(same_bits(single.d_output, ConstView(whole.d_output).row_range(batch.offsets[i], batch.length(i))));
    }
  }
}

TEST_CASE("a tape is not consumed: a second backward pass gives the same gradient") {
  const RandomBert bert;
  const Batch batch = random_batch(tiny_config(), {5, 8, 2});
  const Matrix u = random_matrix(3, 20, 2);
  const Workers workers(2);
  for (const Pooling pooling : all_poolings) {
    Pass pass(bert, batch, {.pooling = pooling, .dropout = Rng(3, Stream::dropout)}, u, workers);
    const Gradients first = pass.gradients;
    pass.gradients.clear();
    for (index_t i = 0; i < bert.values.size(); ++i) REQUIRE(pass.gradients.data()[i] == 0);
    bert.encoder.backward(bert.values, pass.tape, {.d_embedding = u, .parameters = &pass.gradients}, pass.workspace,
                          workers);
    CHECK(same_bits(pass.gradients, first));
    // Sums over rows start from what is there, so a second addition may round differently.
    bert.encoder.backward(bert.values, pass.tape, {.d_embedding = u, .parameters = &pass.gradients}, pass.workspace,
                          workers);
    for (index_t i = 0; i < bert.values.size(); ++i)
      REQUIRE(pass.gradients.data()[i] == approx(2 * first.data()[i]).epsilon(1e-4).margin(1e-4));
  }
}

TEST_CASE("one tape and one workspace serve batches of any size in turn") {
  const RandomBert bert;
  const Workers workers(2);
  BertTape tape;
  BertWorkspace workspace;
  for (const std::initializer_list<index_t>& sizes :
       {std::initializer_list<index_t>{3, 4}, {24, 24, 24, 24, 24, 24, 24}, {1}, {9, 2, 5}}) {
    const Batch batch = random_batch(tiny_config(), sizes);
    const Matrix u = random_matrix(batch.size(), 20, 4);
    const Pass fresh(bert, batch, {}, u);
    Gradients gradients(bert.values.shared_table());
    bert.encoder.forward(bert.values, batch, {}, tape, workspace, workers);
    bert.encoder.backward(bert.values, tape, {.d_embedding = u, .parameters = &gradients}, workspace, workers);
    CHECK(same_bits(tape.embedding(), fresh.tape.embedding()));
    CHECK(same_bits(gradients, fresh.gradients));
  }
}

TEST_CASE("gradients without a receiver flow to the input only, and only given ones enter") {
  const RandomBert bert;
  const Batch batch = random_batch(tiny_config(), {5, 8, 2});
  const Matrix u = random_matrix(3, 20, 2);
  const Workers workers;
  Pass pass(bert, batch, {}, u);
  Matrix d_output;
  bert.encoder.backward(bert.values, pass.tape, {.d_embedding = u, .d_output = &d_output}, pass.workspace, workers);
  CHECK(same_bits(d_output, pass.d_output));
  Gradients none(bert.values.shared_table());
  bert.encoder.backward(bert.values, pass.tape, {.parameters = &none}, pass.workspace, workers);
  for (index_t i = 0; i < bert.values.size(); ++i) REQUIRE(none.data()[i] == 0);
}

TEST_CASE("concurrent encoders share values, each with its workspace") {
  const RandomBert bert;
  const Batch batch = random_batch(tiny_config(), lengths);
  const Matrix expected = encode(bert, batch, {});
  const Workers workers(2);
  std::atomic<int> different = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) different += !same_bits(encode(bert, batch, {}, workers), expected);
    });
  for (auto& thread : threads) thread.join();
  CHECK(different == 0);
}

TEST_CASE("chunks: every text is in exactly one, all have about as many tokens, workers have as many each") {
  const std::vector<index_t> offsets{0, 3, 27, 28, 45, 69};
  constexpr index_t longest = 24;
  for (const index_t count : {1, 2, 3, 5, 9}) {
    std::vector<index_t> memory;
    const auto ends = chunk_ends(offsets, count, memory);
    CHECK(std::ssize(ends) <= count);
    index_t first = 0;
    for (const index_t end : ends) {
      CHECK(end > first);
      CHECK(offsets[static_cast<std::size_t>(end)] - offsets[static_cast<std::size_t>(first)] <= 69 / count + longest);
      first = end;
    }
    CHECK(first == 5);
  }
  const Workers one, two(2);
  CHECK(chunk_count(1, two) == 1);
  CHECK(chunk_count(1400, one) == 3);
  CHECK(chunk_count(1400, two) == 4);
  CHECK(chunk_count(130, two) == 2);
}

TEST_CASE("threads: whoever writes to values says so once, not every thread") {
  ParameterTable table;
  for (int i = 0; i < 8; ++i) table.add_weight("w" + std::to_string(i), 16, 16);
  ParameterBlock model(std::make_shared<const ParameterTable>(std::move(table)));
  const auto token = model.generation();  // copies of the block share it
  std::vector<Range> ranges;
  for (const Parameter& p : model.table().all()) ranges.push_back({p.offset, p.offset + p.size});
  const Workers workers(2);
  for (int i = 0; i < 30000; ++i) {
    ParameterBlock keys = model;
    follow(model, keys, 0.1f, ranges, workers);
    REQUIRE(!keys.is_of(token));
  }
  CHECK(token.use_count() == 2);
}
