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
struct DefaultStack {
  using tokenizer_type = WordPiece;
  using encoder_type = Bert;
  using head_type = MlpHead;
  using metric_type = Cosine;
  using voting_type = MajorityVoting;
  using fusion_type = ConvexFusion;
  template <class Metric>
  using queue_type = FifoQueue<Metric>;
  template <class Metric>
  using datastore_type = FlatDatastore<Metric>;
};

}  // namespace knnbert
