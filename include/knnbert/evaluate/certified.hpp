#pragma once
#include "knnbert/evaluate/judge.hpp"

namespace knnbert::inline v0_1 {

/// The share of texts whose answer is right and stays so whatever m examples of the datastore are removed, added or
/// altered.
struct CertifiedAccuracy {
  std::vector<Ratio> at;  ///< m = 0, 1, …, neighbors, as far as there are examples
  Ratio any_number;       ///< whatever becomes of the datastore
};

struct CertifiedAccuracies {
  CertifiedAccuracy knn, combined;
};

/// Of the vote and of the combined answer; none where the model has no certificates, see Classifier::certificate.
template <class Stack>
std::optional<CertifiedAccuracies> certified_accuracies(const Classifier<Stack>& model, const Judged& judged) {
  const auto& d = judged.answers.distributions;
  const auto edits = as_size(std::min<index_t>(model.neighbors(), model.datastore().size()));
  std::vector<double> knn(edits + 2, 0), combined(edits + 2, 0);  // the last one: any number
  for (index_t i = 0; i < judged.data.size(); ++i) {
    const Certificate c = model.certificate(judged.answers, i);
    if (!c.knn || !c.combined) return std::nullopt;
    const auto count = [&](const Matrix& rows, index_t certified, std::vector<double>& right) {
      if (argmax(rows.row(i)) != judged.data.label(i)) return;
      for (std::size_t m = 0; m <= edits; ++m) right[m] += static_cast<index_t>(m) <= certified;
      right.back() += certified == Certificate::any_number;
    };
    count(d.knn, *c.knn, knn), count(d.combined, *c.combined, combined);
  }
  const auto shares = [&](const std::vector<double>& right) {
    CertifiedAccuracy all;
    const auto n = static_cast<double>(judged.data.size());
    for (std::size_t m = 0; m <= edits; ++m) all.at.push_back(ratio(right[m], n));
    all.any_number = ratio(right.back(), n);
    return all;
  };
  return CertifiedAccuracies{shares(knn), shares(combined)};
}

}  // namespace knnbert::inline v0_1
