#pragma once
// The whole library but its optional components and gzip input (io/gzip.hpp needs zlib).
#include "knnbert/config.hpp"
#include "knnbert/datastore/flat.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/metric/euclidean.hpp"
#include "knnbert/metric/pairwise.hpp"
#include "knnbert/model/classifier.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/optimizer/adamw.hpp"
#include "knnbert/queue/fifo.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/text/any_tokenizer.hpp"
#include "knnbert/text/dataset.hpp"
#include "knnbert/train/printing_observer.hpp"
#include "knnbert/train/refit_head.hpp"
#include "knnbert/train/trainer.hpp"
#include "knnbert/version.hpp"
#include "knnbert/voting/convex_fusion.hpp"
#include "knnbert/voting/majority.hpp"
#include "knnbert/voting/softmax_weighted.hpp"

#if defined(KNNBERT_COMPILED)
namespace knnbert::inline v0_1 {
extern template class Trainer<DefaultStack, CrossEntropy>;
extern template class Trainer<DefaultStack, CrossEntropy, QueueContrastive>;
}  // namespace knnbert::inline v0_1
#endif
