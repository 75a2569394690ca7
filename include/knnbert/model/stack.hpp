#pragma once
#include "knnbert/datastore/flat.hpp"
#include "knnbert/encoder/bert.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/fwd.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/nn/head.hpp"
#include "knnbert/optimizer/adamw.hpp"
#include "knnbert/optimizer/schedule.hpp"
#include "knnbert/queue/fifo.hpp"
#include "knnbert/text/any_tokenizer.hpp"
#include "knnbert/voting/convex_fusion.hpp"
#include "knnbert/voting/selected.hpp"

namespace knnbert::inline v0_1 {

/// What encoder and datastore may compute with: everything where knnbert::dispatch has compiled the kernels already.
/// Elsewhere fp32, because a unit that compiles the others too takes three times as long: a stack that wants them names
/// BasicBert<Arch, AnyPrecision> and FlatDatastore<Metric, AnyPrecision>.
template <class Arch>
using StackPrecisions = std::conditional_t<std::is_same_v<Arch, kernel::Dispatched>, AnyPrecision, OnlyFp32>;

/// The policies of a classifier in one bundle. Derive and redefine what you want to change; what depends on it follows:
///   struct MyStack : DefaultStack { using metric_type = Pairwise<Manhattan>; };   // queue and datastore follow
/// The instruction set is part of the name, so that units compiled for different ones may be linked together.
template <class Arch>
struct BasicStack {
  using tokenizer_type = AnyTokenizer;
  using encoder_type = BasicBert<Arch, StackPrecisions<Arch>>;
  using head_type = BasicMlpHead<Arch>;
  using metric_type = BasicCosine<Arch>;
  using voting_type = SelectedVoting;
  using fusion_type = ConvexFusion;
  using optimizer_type = BasicAdamW<Arch>;
  using schedule_type = SelectedSchedule;
  template <class Metric>
  using queue_type = FifoQueue<Metric, Arch>;
  template <class Metric>
  using datastore_type = FlatDatastore<Metric, StackPrecisions<Arch>>;
};

#if defined(KNNBERT_COMPILED)
extern template class BasicBert<DefaultArch, StackPrecisions<DefaultArch>>;
#endif

}  // namespace knnbert::inline v0_1
