// expect: metric\.prepare\(rows\).*invalid
#include "knnbert/metric/concept.hpp"

struct Manhattan {
#ifdef KNNBERT_FIXED
  void prepare(knnbert::View) const {}
#endif
  void score(knnbert::ConstView, knnbert::ConstView, knnbert::View) const {}
};

constexpr auto name = knnbert::metric_name<Manhattan>();
