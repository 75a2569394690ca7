// expect: metric\.prepare\(rows\).*invalid
#include "knnbert/metric/concept.hpp"

struct Manhattan {
#ifdef KNNBERT_FIXED
  void prepare(knnbert::View) const {}
#endif
  void score(knnbert::ConstView, knnbert::ConstView, knnbert::View) const {}
};

template <knnbert::Metric M>
constexpr bool is_used = true;
static_assert(is_used<Manhattan>);
