#pragma once
#include "knnbert/datastore/flat.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/nn/head.hpp"
#include "knnbert/queue/fifo.hpp"
#include "knnbert/text/wordpiece.hpp"
#include "knnbert/voting/convex_fusion.hpp"
#include "knnbert/voting/majority.hpp"

namespace knnbert {

/// The policies of a classifier in one bundle. Derive and redefine what you want to change; what depends on it follows:
///   struct MyStack : DefaultStack { using metric_type = Pairwise<Manhattan>; };   // queue and datastore follow
///   template <class Arch> struct Small : BasicStack<Arch> { using encoder_type = BasicBert<Arch, AnyPrecision>; };  // bf16, int8;
///                                                                       the same for FlatDatastore<Metric, AnyPrecision>
/// The instruction set is part of the name, so that units compiled for different ones may be linked together.
template <class Arch = DefaultArch>
struct BasicStack {
  using tokenizer_type = WordPiece;
  using encoder_type = BasicBert<Arch>;
  using head_type = BasicMlpHead<Arch>;
  using metric_type = BasicCosine<Arch>;
  using voting_type = MajorityVoting;
  using fusion_type = ConvexFusion;
  template <class Metric>
  using queue_type = FifoQueue<Metric, Arch>;
  template <class Metric>
  using datastore_type = FlatDatastore<Metric>;
};

using DefaultStack = BasicStack<>;

}  // namespace knnbert
