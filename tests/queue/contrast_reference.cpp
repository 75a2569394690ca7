// The contrast of a queue against PyTorch: tests/reference/losses.py writes the dump.
#include "../dump.hpp"
#include "knnbert/metric/euclidean.hpp"
#include "knnbert/queue/clustered.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

const Rng reference_rng(1, Stream::positives);

struct Dump {
  SafeTensors file;
  Matrix keys = matrix_of(file, "keys"), queries = matrix_of(file, "queries");
  std::vector<label_t> labels = labels_of(file, "labels"), anchors = labels_of(file, "anchors");

  void check(const std::string& name, const ContrastReport& report, ConstView d) const {
    CAPTURE(name);
    CHECK(report.loss == approx(doubles_of(file, name + ".value")[0]).epsilon(2e-6));
    CHECK(relative_difference(d, matrix_of(file, name + ".d_queries")) < 5e-6);
  }

  template <class Q, class P = typename Q::positives_type>
  void run(const std::string& name, const Q& queue, std::span<const label_t> own, const ContrastOptions& options,
           const P& positives = {}) const {
    Matrix d(queries.rows(), queries.cols());
    const auto report = queue.contrast(queries, own, options, reference_rng, d, positives);
    check(name, report, d);
  }
};

}  // namespace

TEST_CASE("the contrast of a queue agrees with PyTorch", "[queue][reference]") {
  auto file = open_dump("contrast.safetensors");
  if (!file) return;
  const Dump dump{std::move(*file)};
  FifoQueue<> queue(2000, 48);
  queue.push(dump.keys, dump.labels);
  const ContrastOptions usual{.most_similar = 20, .least_similar = 5};
  const auto with = [&](auto change) {
    ContrastOptions options = usual;
    change(options);
    return options;
  };
  dump.run("plain", queue, dump.anchors, usual);
  dump.run("pair_mean", queue, dump.anchors,
           with([](auto& o) { o.reduction = Reduction::pair_mean, o.most_similar = 500; }));
  dump.run("batch_min", queue, dump.anchors, with([](auto& o) { o.lists = Lists::batch_min; }));
  dump.run("duplicate", queue, dump.anchors,
           with([](auto& o) { o.overlap = Overlap::duplicate, o.most_similar = 390, o.least_similar = 60; }));
  dump.run("released", queue, dump.anchors,
           {.most_similar = 340,
            .least_similar = 30,
            .reduction = Reduction::pair_mean,
            .lists = Lists::batch_min,
            .overlap = Overlap::duplicate});
  dump.run("warm", queue, dump.anchors, {.temperature = 0.5f, .most_similar = 1, .least_similar = 0});
  dump.run("one", queue, dump.anchors, usual, OnePositive{matrix_of(dump.file, "own_keys")});

  FifoQueue<Euclidean> distances(2000, 48);
  distances.push(dump.keys, dump.labels);
  dump.run("euclidean", distances, dump.anchors, usual);
}

TEST_CASE("the contrast through the normalization agrees with PyTorch", "[queue][reference]") {
  auto file = open_dump("contrast.safetensors");
  if (!file) return;
  const Dump dump{std::move(*file)};
  FifoQueue<> queue(2000, 48);
  queue.push(dump.keys, dump.labels);
  const Matrix raw = matrix_of(dump.file, "raw");
  Matrix z = raw, d(raw.rows(), raw.cols());
  queue.metric().prepare(z);
  const auto report = queue.contrast(z, dump.anchors, {.most_similar = 20, .least_similar = 5}, reference_rng, d);
  queue.metric().prepare_backward(raw, z, d, d);
  dump.check("raw", report, d);
}

TEST_CASE("the contrast of clusters agrees with PyTorch", "[queue][reference]") {
  auto file = open_dump("contrast.safetensors");
  if (!file) return;
  const Dump dump{std::move(*file)};
  const auto clusters = labels_of(dump.file, "clusters"), anchor_clusters = labels_of(dump.file, "anchor_clusters");
  ClusteredQueue<> plain(2000, 48, 6), released(2000, 48, 6, ClusterRule::xnor);
  std::vector<label_t> codes, anchors;
  for (std::size_t i = 0; i < clusters.size(); ++i) codes.push_back(plain.encode(dump.labels[i], clusters[i]));
  for (std::size_t i = 0; i < anchor_clusters.size(); ++i)
    anchors.push_back(plain.encode(dump.anchors[i], anchor_clusters[i]));
  plain.push(dump.keys, codes);
  released.push(dump.keys, codes);
  ContrastOptions options{.most_similar = 20};
  dump.run("cluster", plain, anchors, options);
  dump.run("cluster_interleaved", released, anchors, options, ClusterPositives{.interleaved_negatives = true});
  options.lists = Lists::batch_min;
  dump.run("cluster_xnor", released, anchors, options);
}
