// TorchQueue, TorchFlat and TorchAdamW under the laws of their concepts and beside the policies of main memory.
#include "torch/twins.hpp"

#include "knnbert/optimizer/clip.hpp"
#include "knnbert/testing/datastore_laws.hpp"
#include "knnbert/testing/optimizer_laws.hpp"
#include "knnbert/testing/queue_laws.hpp"

using namespace knnbert_test;

namespace {

Matrix prepared_rows(index_t rows, index_t width, std::uint64_t seed) {
  Matrix m = random_matrix(rows, width, seed);
  Cosine{}.prepare(m);
  return m;
}

std::vector<label_t> cyclic_labels(index_t size, index_t classes) {
  std::vector<label_t> labels;
  for (index_t i = 0; i < size; ++i) labels.push_back(static_cast<label_t>(i * i % classes));
  return labels;
}

}  // namespace

TEST_CASE("torch queue: laws") {
  CHECK(testing::queue_laws([] { return TorchQueue<>(8, 5); }) == testing::BrokenLaws{});
  CHECK(testing::queue_laws([] { return TorchQueue<Dot>(11, 7); }) == testing::BrokenLaws{});
  CHECK(testing::queue_laws([] {
          TorchQueue<> queue(16, 5);
          queue.scores_a_chunk = 20;
          return queue;
        }) == testing::BrokenLaws{});
}

TEST_CASE("torch queue: loss and gradient are those of the queue in main memory") {
  const index_t width = 24, keys = 700, batch = 13;
  FifoQueue<> native(600, width);
  TorchQueue<> torch(600, width);
  torch.scores_a_chunk = batch * 128;
  const Matrix rows = prepared_rows(keys, width, 1), queries = prepared_rows(batch, width, 2);
  auto labels = cyclic_labels(keys, 7);
  native.push(rows, labels), torch.push(rows, labels);
  CHECK(difference(torch.keys(), native.keys()) == 0);
  std::vector<label_t> anchors = cyclic_labels(batch, 7);
  anchors.back() = 99;  // nobody's class
  for (const auto& [most, least] : {std::pair<index_t, index_t>{10, 1}, {0, 3}, {5, 0}, {100, 20}, {400, 300}})
    for (const auto reduction : {Reduction::anchor_mean, Reduction::pair_mean})
      for (const auto overlap : {Overlap::unique, Overlap::duplicate}) {
        const ContrastOptions options{
            .most_similar = most, .least_similar = least, .reduction = reduction, .overlap = overlap};
        Matrix d(batch, width), d_torch(batch, width);
        const Rng rng(1, Stream::sample);
        const auto a = native.contrast(queries, anchors, options, rng, d),
                   b = torch.contrast(queries, anchors, options, rng, d_torch);
        CHECK(b.loss == approx(a.loss).epsilon(1e-5));
        CHECK(b.mean_positive == approx(a.mean_positive).epsilon(1e-4).margin(1e-6));
        CHECK(b.mean_negative == approx(a.mean_negative).epsilon(1e-4).margin(1e-6));
        CHECK(b.valid_anchors == a.valid_anchors);
        CHECK(b.positive_pairs == a.positive_pairs);
        CHECK(difference(d_torch, d) < 1e-5 * magnitude(d));
      }
}

TEST_CASE("torch queue: parts of a batch sum to the whole") {
  TorchQueue<> queue(50, 6);
  queue.push(prepared_rows(50, 6, 1), cyclic_labels(50, 3));
  const Matrix queries = prepared_rows(9, 6, 2);
  const auto anchors = cyclic_labels(9, 3);
  const ContrastOptions whole{.most_similar = 3};
  const Rng rng(1, Stream::sample);
  Matrix d(9, 6), parts(9, 6);
  const float loss = queue.contrast(queries, anchors, whole, rng, d).loss;
  const auto options = queue.for_batch(anchors, whole);
  float sum = 0;
  for (index_t first = 0; first < 9; first += 4) {
    const index_t count = std::min<index_t>(4, 9 - first);
    sum += queue
               .contrast(ConstView(queries).row_range(first, count),
                         std::span(anchors).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
                         options, rng, View(parts).row_range(first, count))
               .loss;
  }
  CHECK(sum == approx(loss).epsilon(1e-5));
  CHECK(difference(parts, d) < 1e-6);
}

TEST_CASE("torch queue: errors are typed") {
  TorchQueue<> queue(8, 3);
  Matrix queries = prepared_rows(2, 3, 1), d(2, 3);
  const std::vector<label_t> labels{0, 1};
  queue.push(queries, labels);
  const Rng rng(1, Stream::sample);
  CHECK_THROWS_AS(queue.contrast(queries, labels, {.lists = Lists::batch_min}, rng, d), OptionError);
  CHECK_THROWS_AS(queue.contrast(queries, std::span(labels).first(1), {}, rng, d), ShapeError);
  CHECK_THROWS_AS(queue.push(Matrix(2, 4), labels), ShapeError);
  CHECK_THROWS_AS(TorchQueue<>(0, 3), OptionError);
  CHECK_THROWS_AS(TorchQueue<>(8, 3, {}, "nowhere"), OptionError);
}

TEST_CASE("torch flat: laws") {
  CHECK(testing::datastore_laws([] { return TorchFlat<>(6); }) == testing::BrokenLaws{});
  CHECK(testing::datastore_laws([] { return TorchFlat<Dot>(9); }) == testing::BrokenLaws{});
  CHECK(testing::datastore_laws([] {
          TorchFlat<> store(6);
          store.scores_a_block = 100;
          return store;
        }) == testing::BrokenLaws{});
}

TEST_CASE("torch flat: neighbors and scores are those of the datastore in main memory, to the bit") {
  const index_t width = 40, size = 9000;
  FlatDatastore<> native(width);
  TorchFlat<> torch(width);
  torch.scores_a_block = 300 * 1000;
  Matrix keys = random_matrix(size, width, 1);
  // a third are equal: ties
  for (index_t i = 0; i < size; i += 3) copy(ConstView(keys).row_range(0, 1), View(keys).row_range(i, 1));
  const Matrix queries = random_matrix(300, width, 2);
  const auto labels = cyclic_labels(size, 11);
  const auto same = [&](auto&&... arguments) {
    return native.search(queries, arguments...) == torch.search(queries, arguments...);
  };
  for (index_t first = 0; first < size; first += 2500) {
    const index_t count = std::min<index_t>(2500, size - first);
    const auto part = std::span(labels).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    native.add(ConstView(keys).row_range(first, count), part), torch.add(ConstView(keys).row_range(first, count), part);
    CHECK(same(10));
  }
  const auto old = torch.snapshot();
  const auto before = native.snapshot();
  CHECK(same(100, [](example_id id, label_t label) { return id % 5 == 0 && label != 3; }));
  CHECK(same(3, [](index_t query, example_id id, label_t) { return (id + query) % 7 == 0; }));
  const auto ids = native.ids();
  for (const std::size_t count : {std::size_t{1000}, std::size_t{5000}}) {  // the second compacts
    native.remove(std::span(ids).first(count)), torch.remove(std::span(ids).first(count));
    CHECK(same(25));
  }
  CHECK(old->search(queries, 4) == before->search(queries, 4));
  CHECK(same(25));
  TorchFlat<> copied = torch;
  copied.clear();
  CHECK(copied.search(queries, 2)[0].empty());
  CHECK(same(1));
}

TEST_CASE("torch adamw: laws") {
  CHECK(testing::optimizer_laws(TorchAdamW()) == testing::BrokenLaws{});
  CHECK(testing::optimizer_laws(TorchAdamW({.weight_decay = 0.1f})) == testing::BrokenLaws{});
}

TEST_CASE("torch adamw: steps, clipping and state are those of AdamW") {
  const std::vector<index_t> rows{2, 5};
  const std::vector<float> multipliers{1, 0.5f, 2};
  for (const float decay : {0.0f, 0.1f})
    for (const double limit : {0.0, 1.0, 1e6}) {
      testing::SmallModel a, b;
      AdamW native({.weight_decay = decay});
      TorchAdamW torch({.weight_decay = decay});
      for (std::uint64_t step = 0; step < 6; ++step) {
        a.draw_gradients(step, rows), b.draw_gradients(step, rows);
        const double norm = clip_global_norm(a.gradients, limit);
        native.step(a.values, a.gradients, 0.01f, Workers(), multipliers);
        CHECK(torch.clipped_step(b.values, b.gradients, limit, 0.01f, Workers(), multipliers) ==
              approx(norm).epsilon(1e-5));
        CHECK(difference(b.all(), a.all()) < 1e-5);
        if (step == 3) {  // each goes on with the other's state
          testing::MemoryArchive from_native, from_torch;
          native.archive(from_native), torch.archive(from_torch);
          from_native.rewind(), from_torch.rewind();
          native.archive(from_torch), torch.archive(from_native);
          CHECK(torch.updates() == 4);
        }
      }
    }
}

TEST_CASE("torch adamw: a gradient or loss that is not finite moves nothing") {
  testing::SmallModel model;
  TorchAdamW optimizer;
  const std::vector<index_t> rows{1};
  model.draw_gradients(1, rows);
  optimizer.clipped_step(model.values, model.gradients, 1, 0.1f);
  testing::SmallModel before = model;
  model.gradients.data()[7] = std::numeric_limits<float>::infinity();
  CHECK_FALSE(std::isfinite(optimizer.clipped_step(model.values, model.gradients, 1, 0.1f)));
  model.draw_gradients(2, rows);
  optimizer.clipped_step(model.values, model.gradients, 1, 0.1f, Workers(), {}, false);
  CHECK(same_bits(model.all(), before.all()));
  CHECK(optimizer.updates() == 1);
}
