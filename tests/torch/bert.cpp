#include "torch/twins.hpp"

#include "knnbert/encoder/momentum.hpp"
#include "knnbert/testing/encoder_laws.hpp"

using namespace knnbert_test;

namespace {

const std::vector<index_t> ragged{5, 1, 24, 9, 9, 2, 17, 8};

/// Forward and backward passes of both under gradients that enter everywhere.
struct Passes {
  BertTape tape;
  TorchTape torch_tape;
  Gradients gradients, torch_gradients;
  Matrix d_output, d_sums;
  TorchRows torch_d_output, torch_d_sums;

  Passes(Twins& t, const Batch& batch, const ForwardOptions& options)
      : gradients(t.native_values.shared_table()), torch_gradients(t.torch_values.shared_table()) {
    t.native.forward(t.native_values, batch, options, tape, t.workspace, Workers());
    t.torch.forward(t.torch_values, batch, options, torch_tape, t.torch_workspace);
    const index_t width = t.native.width();
    const Matrix d_embedding = random_matrix(batch.size(), width, 3), d_first = random_matrix(batch.size(), width, 6);
    const Matrix second = random_matrix(batch.tokens(), width, 4, 0.1),
                 last = random_matrix(batch.tokens(), width, 5, 0.1);
    const index_t end = tape.layers();
    const std::vector<HiddenGradient> d_hidden{{1, HiddenRows::all, second},
                                               {end, HiddenRows::all, last},
                                               {1, HiddenRows::first, d_first},
                                               {0, HiddenRows::first, d_first}};
    std::vector<BasicHiddenGradient<TorchInput>> torch_d_hidden;
    for (const auto& d : d_hidden) torch_d_hidden.push_back({d.layer, d.which, d.rows});
    t.native.backward(t.native_values, tape,
                      {.d_embedding = d_embedding,
                       .d_hidden = d_hidden,
                       .d_sums = second,
                       .parameters = &gradients,
                       .d_output = &d_output,
                       .d_sums_out = &d_sums},
                      t.workspace, Workers());
    t.torch.backward(t.torch_values, torch_tape,
                     {.d_embedding = d_embedding,
                      .d_hidden = torch_d_hidden,
                      .d_sums = second,
                      .parameters = &torch_gradients,
                      .d_output = &torch_d_output,
                      .d_sums_out = &torch_d_sums},
                     t.torch_workspace);
  }

  double hidden_difference() const {
    double worst = difference(torch_tape.embedding(), tape.embedding());
    for (index_t l = 0; l <= tape.layers(); ++l)
      worst = std::max(worst, difference(torch_tape.hidden(l), tape.hidden(l)));
    return worst;
  }
};

Matrix encoded(const Twins& t, const Batch& batch, const ForwardOptions& options = {}) {
  Matrix out(batch.size(), t.torch.width());
  TorchWorkspace workspace;
  t.torch.encode(t.torch_values, batch, options, out, workspace);
  return out;
}

double lowest_cosine(ConstView a, ConstView b) {
  double lowest = 1;
  for (index_t r = 0; r < a.rows(); ++r) {
    double ab = 0, aa = 0, bb = 0;
    for (index_t c = 0; c < a.cols(); ++c)
      ab += static_cast<double>(a(r, c)) * b(r, c), aa += static_cast<double>(a(r, c)) * a(r, c),
          bb += static_cast<double>(b(r, c)) * b(r, c);
    lowest = std::min(lowest, ab / std::sqrt(aa * bb));
  }
  return lowest;
}

}  // namespace

TEST_CASE("torch bert: hidden states and gradients are those of the native encoder") {
  for (const auto activation : {ActivationKind::gelu, ActivationKind::gelu_tanh, ActivationKind::relu})
    for (const auto pooling : {Pooling::mean, Pooling::cls, Pooling::pooler})
      for (const TorchBertOptions& buckets :
           {TorchBertOptions{.padding = 0}, {.padding = 0.3}, {.padding = 1}, {.padding = 0, .smallest_bucket = 20}}) {
        Twins t = Twins::random(twin_config(activation), buckets);
        const Passes p(t, twin_batch(t.native.config(), ragged), {.pooling = pooling});
        CHECK(p.hidden_difference() < 1e-5);
        CHECK(difference(p.torch_d_output, p.d_output) < 1e-4 * magnitude(p.d_output));
        CHECK(difference(p.torch_d_sums, p.d_sums) < 1e-4 * magnitude(p.d_sums));
        CHECK(gradient_difference(p.torch_gradients.block(), p.gradients.block()) < 1e-3);
      }
}

TEST_CASE("torch bert: other families' hidden states and gradients are those of the native encoder") {
  for (const BertFamily* family : {&distilbert_family, &roberta_family}) {
    Twins t = Twins::random(twin_config(ActivationKind::gelu, *family));
    const Passes p(t, twin_batch(t.native.config(), ragged), {.pooling = Pooling::mean});
    CHECK(p.hidden_difference() < 1e-5);
    CHECK(difference(p.torch_d_output, p.d_output) < 1e-4 * magnitude(p.d_output));
    CHECK(difference(p.torch_d_sums, p.d_sums) < 1e-4 * magnitude(p.d_sums));
    CHECK(gradient_difference(p.torch_gradients.block(), p.gradients.block()) < 1e-3);
    const Batch batch = twin_batch(t.native.config(), ragged);
    Matrix expected(batch.size(), t.native.width());
    t.native.encode(t.native_values, batch, {.pooling = Pooling::mean}, expected, t.workspace, Workers());
    CHECK(difference(encoded(t, batch, {.pooling = Pooling::mean}), expected) < 1e-5);
  }
}

TEST_CASE("torch bert: the laws of encoders hold") {
  CHECK(knnbert::testing::encoder_laws<TorchBert>(twin_config(), twin_batch(twin_config(), ragged)).empty());
}

TEST_CASE("torch bert: texts of another length share a bucket while little of it is padding or it is small") {
  const Batch batch = twin_batch(twin_config(), {10, 4, 4, 9, 10, 12});
  const auto buckets = [&](double padding, index_t smallest) {
    std::vector<index_t> rows;
    for (const auto& b : knnbert::detail::PackedBatch(batch, {padding, smallest}, at::kCPU, 0).buckets)
      rows.push_back(b.rows);
    return rows;
  };
  CHECK(buckets(0, 1) == std::vector<index_t>{8, 9, 20, 12});
  CHECK(buckets(0.1, 1) == std::vector<index_t>{8, 29, 12});
  CHECK(buckets(0, 27) == std::vector<index_t>{17, 20, 12});
  CHECK(buckets(1, 1) == std::vector<index_t>{49});
  CHECK(buckets(0, 1000) == std::vector<index_t>{49});
}

TEST_CASE("torch bert: on MiniLM hidden states are within 1e-4 and gradients within 1e-3 of the native encoder") {
  const auto place = folder("KNNBERT_MINILM");
  if (!place) {
    WARN("skipped: KNNBERT_MINILM names no folder");
    return;
  }
  Twins t = Twins::loaded(*place);
  for (const auto pooling : {Pooling::mean, Pooling::pooler}) {
    const Passes p(t, twin_batch(t.native.config(), {7, 64, 12, 128, 12, 33}), {.pooling = pooling});
    CHECK(p.hidden_difference() < 1e-4);
    CHECK(difference(p.torch_d_output, p.d_output) < 1e-3 * magnitude(p.d_output));
    CHECK(difference(p.torch_d_sums, p.d_sums) < 1e-3 * magnitude(p.d_sums));
    CHECK(gradient_difference(p.torch_gradients.block(), p.gradients.block()) < 1e-3);
  }
}

TEST_CASE(
    "torch bert: a backward pass leaves its tape, adds, and gives the same gradients when blocks are computed again") {
  Twins t = Twins::random(twin_config());
  const Batch batch = twin_batch(t.torch.config(), ragged);
  const Matrix d = random_matrix(batch.size(), t.torch.width(), 3);
  const auto run = [&](const ForwardOptions& options, int times) {
    TorchTape tape;
    Gradients gradients(t.torch_values.shared_table());
    t.torch.forward(t.torch_values, batch, options, tape, t.torch_workspace);
    for (int i = 0; i < times; ++i)
      t.torch.backward(t.torch_values, tape, {.d_embedding = d, .parameters = &gradients}, t.torch_workspace);
    return gradients.block();
  };
  for (const auto& dropout : {std::optional<Rng>(), std::optional(Rng(5, Stream::dropout))}) {
    const auto once = run({.dropout = dropout}, 1), again = run({.dropout = dropout, .keep = Keep::hidden}, 1);
    auto twice = run({.dropout = dropout}, 2);
    for (float& x : std::span(twice.data(), static_cast<std::size_t>(twice.size()))) x /= 2;
    CHECK(gradient_difference(twice, once) < 1e-6);
    CHECK(gradient_difference(again, once) < 1e-6);
  }
}

TEST_CASE("torch bert: passes entered at rows are those of the native encoder, and have no gradients at the tables") {
  for (const Entry entry : {Entry::output, Entry::sums}) {
    Twins t = Twins::random(twin_config());
    const Batch batch = twin_batch(t.torch.config(), ragged);
    BertTape tape;
    TorchTape clean, from;
    t.native.forward(t.native_values, batch, {}, tape, t.workspace, Workers());
    t.torch.forward(t.torch_values, batch, {}, clean, t.torch_workspace);
    CHECK(difference(clean.sums(), tape.sums()) < 1e-6);
    const TorchRows& rows = entry == Entry::output ? clean.hidden(0) : clean.sums();
    t.torch.forward(t.torch_values, {batch, entry, rows}, {}, from, t.torch_workspace);
    CHECK(difference(from.embedding(), clean.embedding()) == 0);
    Matrix alone(batch.size(), t.torch.width());
    t.torch.encode(t.torch_values, {batch, entry, rows}, {}, alone, t.torch_workspace);
    CHECK(difference(alone, clean.embedding()) < 1e-6);
    const Matrix d = random_matrix(batch.size(), t.torch.width(), 3);
    Gradients gradients(t.torch_values.shared_table());
    TorchRows d_output, d_sums, d_alone;
    TorchRows* const at_sums = entry == Entry::sums ? &d_sums : nullptr;
    t.torch.backward(t.torch_values, from,
                     {.d_embedding = d, .parameters = &gradients, .d_output = &d_output, .d_sums_out = at_sums},
                     t.torch_workspace);
    CHECK(magnitude(parameter_of(gradients.block(), t.torch.layers().words)) == 0);
    CHECK((magnitude(parameter_of(gradients.block(), t.torch.layers().embedding_norm.gain)) > 0) ==
          (entry == Entry::sums));
    CHECK(magnitude(d_output) > 0);
    // without parameter gradients
    t.torch.backward(t.torch_values, clean, {.d_embedding = d, .d_output = &d_alone}, t.torch_workspace);
    CHECK(difference(d_alone, d_output) == 0);
    if (entry == Entry::output)
      CHECK_THROWS_AS(
          t.torch.backward(t.torch_values, from, {.d_embedding = d, .d_sums_out = &d_sums}, t.torch_workspace),
          OptionError);
  }
}

TEST_CASE("torch bert: encoding equals a forward pass, whatever else is in the batch") {
  Twins t = Twins::random(twin_config(), {.tokens_a_pass = 20});
  const Batch batch = twin_batch(t.torch.config(), ragged);
  TorchTape tape;
  t.torch.forward(t.torch_values, batch, {}, tape, t.torch_workspace);
  const Matrix all = encoded(t, batch);
  constexpr double rounding = 1e-5;  // which of its kernels a library takes for a product depends on the number of rows
  CHECK(difference(all, tape.embedding()) < rounding);
  for (index_t i = 0; i < batch.size(); ++i) {
    const index_t one[] = {i};
    CHECK(difference(encoded(t, batch.select(one)), ConstView(all).row_range(i, 1)) < rounding);
  }
}

TEST_CASE("torch bert: dropout is a function of its random numbers") {
  Twins t = Twins::random(twin_config());
  const Batch batch = twin_batch(t.torch.config(), ragged);
  const auto run = [&](std::uint64_t step) { return encoded(t, batch, {.dropout = Rng(1, Stream::dropout, 0, step)}); };
  const Matrix first = run(0);
  at::rand({7});  // somebody else draws meanwhile
  CHECK(difference(run(0), first) == 0);
  CHECK(difference(run(1), first) > 1e-3);
  CHECK(difference(encoded(t, batch), first) > 1e-3);
}

TEST_CASE("torch bert: another's random numbers are as if no pass had been") {
  Twins t = Twins::random(twin_config());
  const Batch batch = twin_batch(t.torch.config(), ragged);
  at::manual_seed(3);
  const auto expected = at::rand({5});
  at::manual_seed(3);
  encoded(t, batch, {.dropout = Rng(1, Stream::dropout)});
  CHECK(at::equal(at::rand({5}), expected));
}

namespace {

/// Embeddings and gradients in bf16 beside those in fp32.
void compare_bf16(Twins t, double embeddings, double gradients) {
  const Batch batch = twin_batch(t.native.config(), {7, 20, 12, 12, 23});
  const Matrix d = random_matrix(batch.size(), t.torch.width(), 3), exact = encoded(t, batch);
  const auto run = [&] {
    TorchTape tape;
    Gradients found(t.torch_values.shared_table());
    t.torch.forward(t.torch_values, batch, {}, tape, t.torch_workspace);
    t.torch.backward(t.torch_values, tape, {.d_embedding = d, .parameters = &found}, t.torch_workspace);
    return found.block();
  };
  const auto exact_gradients = run();
  t.torch.lower(t.torch_values, Precision::bf16);
  const Matrix near = encoded(t, batch);
  CHECK(difference(near, exact) > 0);
  CHECK(lowest_cosine(near, exact) > embeddings);
  const auto row = [](const ParameterBlock& b) { return ConstView(b.data(), 1, b.table().size()); };
  const auto near_gradients = run();
  CHECK(lowest_cosine(row(near_gradients), row(exact_gradients)) > gradients);
  t.torch_values.data();  // changed by hand: stale
  CHECK_THROWS_AS(encoded(t, batch), OptionError);
}

}  // namespace

TEST_CASE("torch bert: bf16 is near fp32, forward and backward") {
  for (const BertFamily* family : {&bert_family, &distilbert_family})
    compare_bf16(Twins::random(twin_config(ActivationKind::gelu, *family)), 0.999, 0.99);
  const auto place = folder("KNNBERT_MINILM");
  if (!place) {
    WARN("skipped: KNNBERT_MINILM names no folder");
    return;
  }
  compare_bf16(Twins::loaded(*place), 0.9995, 0.995);
}

TEST_CASE("torch bert: values in main memory and on the device are one block") {
  Twins t = Twins::random(twin_config());
  const Batch batch = twin_batch(t.torch.config(), ragged);
  const Matrix before = encoded(t, batch);
  ParameterBlock copy = t.torch_values;
  for (float& x : std::span(t.torch_values.data(), static_cast<std::size_t>(t.torch_values.size()))) x *= 1.5f;
  CHECK(difference(encoded(t, batch), before) > 1e-3);
  follow(copy, t.torch_values, 1, {}, Workers());  // on the device: takes all over
  CHECK(same_bits(encoded(t, batch), before));
  CHECK(std::equal(copy.data(), copy.data() + copy.size(), std::as_const(t.torch_values).data()));
}

TEST_CASE("torch bert: errors are typed and leave the encoder usable") {
  CHECK_THROWS_AS(torch_device("tpu"), OptionError);
  CHECK_THROWS_AS(torch_device("meta"), OptionError);
  if (!at::globalContext().hasCUDA()) CHECK_THROWS_AS(torch_device("cuda"), OptionError);
  Twins t = Twins::random(twin_config());
  const Batch batch = twin_batch(t.torch.config(), ragged);
  const Matrix before = encoded(t, batch);
  CHECK_THROWS_AS(encoded(t, twin_batch(t.torch.config(), {25})), ShapeError);
  CHECK_THROWS_AS(encoded(t, Batch()), ShapeError);
  CHECK_THROWS_AS(t.torch.lower(t.torch_values, Precision::int8), OptionError);
  CHECK_THROWS_AS(t.torch.to_device(t.native_values), OptionError);
  CHECK_THROWS_AS(knnbert::detail::guarded("test", [] { return at::empty({index_t{1} << 50}); }), DeviceMemoryError);
  CHECK_THROWS_AS(
      knnbert::detail::guarded("test",
                               []() -> int {
                                 throw c10::OutOfMemoryError(c10::SourceLocation{"", "", 0}, "CUDA out of memory.");
                               }),
      DeviceMemoryError);
  CHECK_THROWS_AS(knnbert::detail::guarded("test",
                                           [] {
                                             return at::mm(at::ones({2, 3}), at::ones({2, 3}));
                                           }),
                  DeviceError);
  TorchTape tape;
  t.torch.forward(t.torch_values, batch, {}, tape, t.torch_workspace);
  CHECK_THROWS_AS(
      t.torch.backward(t.torch_values, tape, {.d_embedding = ConstView(before).row_range(0, 2)}, t.torch_workspace),
      ShapeError);
  CHECK(same_bits(encoded(t, batch), before));
}
