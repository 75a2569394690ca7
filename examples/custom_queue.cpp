// Queues of the contrast: one that has room for every class, and one of one's own, which refuses keys of a class.
#include <algorithm>
#include <cstdio>
#include <knnbert/knnbert.hpp>
#include <knnbert/queue/class_balanced.hpp>

struct Balanced : knnbert::DefaultStack {
  template <class Metric>
  using queue_type = knnbert::ClassBalancedQueue<Metric>;
};

struct WithoutFirstClass : knnbert::DefaultStack {
  template <class Metric>
  struct queue_type : knnbert::FifoQueue<Metric> {
    using knnbert::FifoQueue<Metric>::FifoQueue;
    void push(knnbert::ConstView keys, std::span<const knnbert::label_t> labels) {
      for (knnbert::index_t i = 0; i < keys.rows(); ++i)
        if (labels[std::size_t(i)] != 0)
          knnbert::FifoQueue<Metric>::push(keys.row_range(i, 1), labels.subspan(std::size_t(i), 1));
    }
  };
};

template <class Stack>
void train(const char* name, const char* encoder, const knnbert::Dataset& data) {
  using namespace knnbert;
  Classifier<Stack> model(encoder, data.classes());
  Trainer trainer(model, {.epochs = 1, .batch_size = 8}, CrossEntropy{0.9f},
                  QueueContrastive({.weight = 0.1f, .capacity = 96, .positives = 1}));
  trainer.fit(data);
  const auto& queue = trainer.template term<QueueContrastive>().queue();
  std::printf("%s: %td keys, %td of the first class\n", name, queue.size(),
              std::count(queue.labels().begin(), queue.labels().end(), 0));
}

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: custom_queue ENCODER TRAIN.tsv\n", stderr), 2;
  const auto data = knnbert::Dataset::read(argv[2]);
  train<Balanced>("balanced", argv[1], data);
  train<WithoutFirstClass>("without the first class", argv[1], data);
}
