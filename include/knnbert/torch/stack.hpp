#pragma once
#include "knnbert/model/stack.hpp"
#include "knnbert/torch/adamw.hpp"
#include "knnbert/torch/bert.hpp"
#include "knnbert/torch/cross_entropy.hpp"
#include "knnbert/torch/flat.hpp"
#include "knnbert/torch/head.hpp"
#include "knnbert/torch/queue.hpp"

namespace knnbert::inline v0_1 {

/// BasicStack computed by LibTorch on the device that ClassifierOptions::device names:
///   Classifier<TorchStack> model("all-MiniLM-L6-v2", classes, {.device = "cuda"});
/// Trainer and terms are the same; metric, voting, texts and files too.
template <class Arch = DefaultArch>
struct BasicTorchStack : BasicStack<Arch> {
  using encoder_type = TorchBert;
  using head_type = TorchMlpHead<Arch>;
  using optimizer_type = TorchAdamW;
  template <class Metric>
  using queue_type = TorchQueue<Metric>;
  template <class Metric>
  using datastore_type = TorchFlat<Metric>;
};

using TorchStack = BasicTorchStack<>;

}  // namespace knnbert::inline v0_1
