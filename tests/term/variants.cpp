// The variants of KNN-BERT: which queue, which positives, which keys; terms that may be absent.
#include "encoder/reference.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/queue/k_means.hpp"
#include "knnbert/term/proximal.hpp"
#include "knnbert/term/smoothness.hpp"
#include "knnbert/testing/queue_laws.hpp"
#include "knnbert/testing/term_laws.hpp"
#include "term/tiny_network.hpp"

using namespace knnbert_test;

namespace {

const std::vector<label_t> labels{0, 1, 2, 0, 1, 2, 1, 0};
const auto make = [] { return tiny_network(); };

QueueContrastiveOptions options(const QueueChoice& choice = {}) {
  return {.weight = 0.5f,
          .momentum = 0.9f,
          .capacity = 30,
          .positives = 2,
          .choice = choice,
          .clusters = 3,
          .contrast = {.temperature = 0.5f, .most_similar = 3, .least_similar = 1}};
}
constexpr QueueChoice moco{.positives = PositiveRule::own_key}, clustered{.kind = QueueKind::clustered};

/// The values after four steps.
template <class... Terms>
ParameterBlock trained(const Terms&... terms) {
  auto network = make();
  const TrainingData data = tiny_examples(labels);
  Stepper stepper(network, data, TrainerOptions{}, terms...);
  for (std::uint64_t step = 0; step < 4; ++step) stepper.step({.step = step, .steps = 4}, first_examples(8), 1e-2f);
  return network.values();
}

/// A term after its start and one begun step.
struct Begun {
  TinyNetwork network = make();
  TrainingData data = tiny_examples(labels);
  HandmadeStep step{.network = network, .data = data, .clock = {}, .examples = {0, 1, 3, 5}};
  BasicQueueContrastive<TinyNetwork::queue_type> term;

  explicit Begun(const QueueContrastiveOptions& o) : term(o) {
    term.prepare(network, data);
    term.start(network, data);
    auto start = step.start();
    term.begin_step(start);
  }
};

/// Six groups of rows, far from each other.
Matrix groups_of_rows(index_t rows) {
  Matrix all = testing::random_rows(rows, 5, 3);
  for (index_t i = 0; i < rows; ++i) all(i, i % 5) += i % 6 < 3 ? 40.0f : -40.0f, all(i, (i + 1) % 5) += 20;
  return all;
}

}  // namespace

TEST_CASE("a selected queue keeps the laws of queues, whichever it is") {
  for (const QueueKind kind :
       {QueueKind::fifo, QueueKind::class_balanced, QueueKind::memory_bank, QueueKind::clustered}) {
    CAPTURE(name_of(kind));
    CHECK(testing::queue_laws([&] { return SelectedQueue<>(20, 6, 2, {}, {.kind = kind}); }) == testing::BrokenLaws{});
  }
  CHECK(testing::queue_laws([&] { return SelectedQueue<>(20, 6, 2, {}, {.positives = PositiveRule::random}); }) ==
        testing::BrokenLaws{});
}

TEST_CASE("a selected queue is the queue that was chosen") {
  const Matrix keys = testing::random_rows(9, 6, 1);
  const std::vector<label_t> own{0, 0, 0, 0, 0, 0, 0, 1, 1};
  SelectedQueue<> balanced(6, 6, 3, {}, {.kind = QueueKind::class_balanced});
  balanced.push(keys, own);
  CHECK(balanced.size() == 4);  // two of each class that came
  CHECK(balanced.as<ClassBalancedQueue<>>().capacity_per_class() == 2);
  SelectedQueue<> bank(6, 6, 3, {}, {.kind = QueueKind::memory_bank});
  bank.push(keys, own), bank.push(keys, own);
  CHECK(max_difference(bank.keys(), ConstView(keys).row_range(0, 6)) == 0);
  CHECK_THROWS_AS(SelectedQueue<>(6, 6, 3, {}, {.kind = QueueKind::clustered, .positives = PositiveRule::random}),
                  OptionError);
  CHECK_THROWS_AS(SelectedQueue<>(6, 6, 3, {}, {.interleaved_negatives = true}), OptionError);
  CHECK_THROWS_AS(SelectedQueue<>(0, 6, 3), OptionError);
}

TEST_CASE("without a choice the contrast is that of a FIFO queue, bit for bit") {
  CHECK(testing::detail::same_bits(trained(CrossEntropy{}, QueueContrastive(options())),
                                   trained(CrossEntropy{}, BasicQueueContrastive<FifoQueue<>>(options()))));
}

TEST_CASE("a choice where the stack's queue leaves none is refused") {
  auto network = make();
  const TrainingData data = tiny_examples(labels);
  BasicQueueContrastive<FifoQueue<>> term(options({.kind = QueueKind::class_balanced}));
  CHECK(contains(message_of<OptionError>([&] { term.prepare(network, data); }), "SelectedQueue expected"));
}

TEST_CASE("MoCo: the positive is the key that was encoded for the query") {
  auto o = options(moco);
  CHECK_THROWS_AS(Begun(o), OptionError);  // two keys a query
  o.positives = 1;
  Begun begun(o);
  const auto& queue = begun.term.queue();
  REQUIRE(queue.size() == 12);  // 8 examples, then one key for each of 4 queries, which is pushed before it scores
  const auto result = begun.step.add(begun.term);
  Matrix queries(4, 11), d(4, 11);
  Batch batch;
  Targets targets;
  begun.data.assign(begun.step.examples, {}, batch, targets);
  begun.network.project(begun.network.values(), batch, std::nullopt, queries);
  const Matrix own = [&] {
    Matrix keys(4, 11);
    copy(queue.keys().row_range(8, 4), keys);
    return keys;
  }();
  FifoQueue<> plain(30, 11);
  plain.push(queue.keys(), queue.labels());
  const auto expected =
      plain.contrast(queries, targets.classes, o.contrast, Rng(1, Stream::sample), d, OnePositive{own});
  CHECK(expected.valid_anchors == 4);
  CHECK(static_cast<float>(*result.value) == approx(0.5f * expected.loss).epsilon(1e-5));
}

TEST_CASE("MoCo over a bank: keys of the model's own values, which nothing keeps") {
  auto o = options(moco);
  o.positives = 1, o.momentum = 0, o.enqueue = false;
  Begun begun(o);
  CHECK(begun.term.queue().size() == 8);
  CHECK(begun.step.add(begun.term).value.has_value());
}

TEST_CASE("a memory bank stays as the warm-up left it") {
  auto network = make();
  const TrainingData data = tiny_examples(labels);
  auto o = options({.kind = QueueKind::memory_bank});
  o.momentum = 1, o.positives = 0;
  Stepper stepper(network, data, TrainerOptions{}, CrossEntropy{}, QueueContrastive(o));
  stepper.start();
  const auto& queue = stepper.term<QueueContrastive>().queue();
  Matrix before(queue.size(), queue.width());
  copy(queue.keys(), before);
  for (std::uint64_t step = 0; step < 3; ++step)
    CHECK(stepper.step({.step = step, .steps = 3}, first_examples(8), 1e-2f).terms[1].second.has_value());
  CHECK(max_difference(queue.keys(), before) == 0);
  o.warm_up = false;  // an empty bank: the cross entropy alone
  CHECK(
      testing::detail::same_bits(trained(CrossEntropy{.weight = 0.5f}, QueueContrastive(o)), trained(CrossEntropy{})));
}

TEST_CASE("random positives are others than the most similar ones, and a run repeats them") {
  const auto o = options({.positives = PositiveRule::random});
  const auto once = trained(CrossEntropy{}, QueueContrastive(o));
  CHECK(testing::detail::same_bits(once, trained(CrossEntropy{}, QueueContrastive(o))));
  CHECK_FALSE(testing::detail::same_bits(once, trained(CrossEntropy{}, QueueContrastive(options()))));
}

TEST_CASE("ClusterMoCo: labels are clusters and classes; a query's positives share both") {
  Begun begun(options(clustered));
  const auto& queue = begun.term.queue();
  const auto classes = begun.term.key_classes();
  bool several = false;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    CHECK((queue.labels()[i] % 3 == classes[i]));
    CHECK((queue.labels()[i] / 3 < 3));
    several = several || queue.labels()[i] >= 3;
  }
  CHECK(several);
  const auto order = Rng(begun.network.seed(), Stream::sample).permutation(8);
  for (std::size_t i = 0; i < 8; ++i) CHECK(classes[i] == labels[as_size(order[i])]);
  CHECK(begun.step.add(begun.term).value.has_value());
  auto one = options(clustered), none = options();
  one.clusters = 1;  // then it is KNN-BERT without least similar positives
  none.contrast.least_similar = 0;
  CHECK(testing::detail::same_bits(trained(CrossEntropy{}, QueueContrastive(one)),
                                   trained(CrossEntropy{}, QueueContrastive(none))));
}

TEST_CASE("variants of the contrast keep the laws of terms") {
  for (const QueueChoice& choice : {QueueChoice{.kind = QueueKind::class_balanced},
                                    QueueChoice{.positives = PositiveRule::random}, moco, clustered}) {
    auto o = options(choice);
    o.momentum = 1, o.capacity = 60;
    o.positives = choice == moco ? 1 : 2;
    o.contrast.most_similar = 30;  // a selection that does not change with the values
    CHECK(testing::term_laws(make, tiny_examples(labels), 0.05, CrossEntropy{.weight = 0.5f}, QueueContrastive(o)) ==
          testing::BrokenLaws{});
  }
}

TEST_CASE("k-means: every row is with its nearest mean, whatever the number of workers") {
  const Matrix rows = groups_of_rows(60);
  const auto found = k_means(rows, 6, Rng(5, Stream::clusters));
  REQUIRE(found.means.rows() == 6);
  for (index_t i = 0; i < 60; ++i) {
    const auto distance = [&](index_t c) {
      double sum = 0;
      for (index_t k = 0; k < 5; ++k) sum += std::pow(static_cast<double>(rows(i, k)) - found.means(c, k), 2);
      return sum;
    };
    index_t nearest = 0;
    for (index_t c = 1; c < 6; ++c)
      if (distance(c) < distance(nearest)) nearest = c;
    CHECK(distance(found.of[as_size(i)]) <= distance(nearest) + 1e-2);
  }
  CHECK(k_means(rows, 6, Rng(5, Stream::clusters), Workers(3)).of == found.of);
  CHECK(k_means(rows, 100, Rng(5, Stream::clusters)).means.rows() == 60);  // no more clusters than rows
  Matrix alike(7, 5);
  alike.fill(1);
  CHECK(k_means(alike, 3, Rng(5, Stream::clusters)).of.size() == 7);
  CHECK(k_means(ConstView(), 3, Rng(5, Stream::clusters)).of.empty());
  CHECK_THROWS_AS(k_means(rows, 0, Rng(5, Stream::clusters)), OptionError);
}

TEST_CASE("an optional term that is there is the term, and one that is not is none") {
  using Maybe = std::optional<QueueContrastive>;
  const QueueContrastive contrast(options());
  CHECK(testing::detail::same_bits(trained(CrossEntropy{}, Maybe(contrast)), trained(CrossEntropy{}, contrast)));
  CHECK(testing::detail::same_bits(trained(CrossEntropy{}, Maybe(), std::optional<knnbert::Smoothness>()),
                                   trained(CrossEntropy{})));
  auto network = make();
  const TrainingData data = tiny_examples(labels);
  Stepper stepper(network, data, TrainerOptions{}, CrossEntropy{}, Maybe());
  CHECK(stepper.step({.steps = 1}, first_examples(8), 1e-2f).terms.size() == 1);
  CHECK_FALSE(stepper.term<Maybe>().has_value());
}

TEST_CASE("the plain proximal point holds on to the values before a batch's updates") {
  const auto run = [](const auto&... terms) {
    auto network = make();
    const TrainingData data = tiny_examples(labels);
    Stepper stepper(network, data, TrainerOptions{.dropout = false}, terms...);
    std::vector<float> values;
    for (std::uint64_t step = 0; step < 6; ++step) {
      const auto& report = stepper.step({.step = step, .steps = 6}, first_examples(8), 1e-2f);
      values.push_back(static_cast<float>(*report.terms.back().second));
    }
    return values;
  };
  const auto values = run(CrossEntropy{}, Proximal({.updates_per_batch = 3, .plain = true}));
  for (const std::size_t first : {0u, 3u}) {
    CHECK(values[first] == 0);  // the values themselves
    CHECK(values[first + 1] > 0);
    CHECK(values[first + 2] > 0);
  }
  const auto followed = run(CrossEntropy{}, Proximal({.updates_per_batch = 3}));
  CHECK(followed[3] > 0);  // the average lies behind
  auto network = make();
  const TrainingData data = tiny_examples(labels);
  CHECK_THROWS_AS((Stepper(network, data, TrainerOptions{}, Proximal({.plain = true}))), OptionError);
}
