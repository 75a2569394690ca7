// expect: metric\.score\(queries, keys, out\).*invalid
#include "knnbert/metric/concept.hpp"

struct Manhattan {
#ifdef KNNBERT_FIXED
  using Keys = knnbert::ConstView;
#else
  using Keys = knnbert::View;  // keys are read-only
#endif
  void prepare(knnbert::View) const {}
  void score(knnbert::ConstView, Keys, knnbert::View) const {}
};

template <knnbert::Metric M>
constexpr bool is_used = true;
static_assert(is_used<Manhattan>);
