#include "arch.hpp"

#include "knnbert/core/matrix.hpp"
#include "knnbert/kernel/arch.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/metric/euclidean.hpp"

namespace KNNBERT_UNIT {

template <class Metric>
void append_scores(const Metric& metric, std::vector<float>& values) {
  knnbert::Matrix queries(3, 37), keys(9, 37), out(3, 9);
  for (knnbert::index_t j = 0; j < 37; ++j) {
    for (knnbert::index_t i = 0; i < 3; ++i) queries(i, j) = static_cast<float>((7 * i + 3 * j) % 11) - 5.0f;
    for (knnbert::index_t i = 0; i < 9; ++i) keys(i, j) = static_cast<float>((5 * i + 2 * j) % 13) - 6.0f;
  }
  metric.prepare(queries);
  metric.prepare(keys);
  metric.score(queries, keys, out);
  for (knnbert::index_t i = 0; i < 3; ++i) values.insert(values.end(), out.row(i).begin(), out.row(i).end());
}

ArchResult compute() {
  ArchResult result{knnbert::DefaultArch::name(), {}};
  append_scores(knnbert::Cosine{}, result.values);
  append_scores(knnbert::Euclidean{}, result.values);
  return result;
}

}  // namespace KNNBERT_UNIT
