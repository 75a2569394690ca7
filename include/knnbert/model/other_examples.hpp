#pragma once
#include "knnbert/model/classifier.hpp"

namespace knnbert::inline v0_1 {

/// As long as it lives, a model may be indexed with other examples, as for dev scores; then it has its own back, under
/// their ids and with the classes that it had. The model must outlive it.
template <class Stack>
class OtherExamples {
 public:
  explicit OtherExamples(Classifier<Stack>& model)
      : model_(model), datastore_(model.datastore_), classes_(model.classes_), origin_(model.origin_),
        pairs_(model.task_.pairs) {}
  OtherExamples(const OtherExamples&) = delete;
  OtherExamples& operator=(const OtherExamples&) = delete;
  ~OtherExamples() {
    model_.datastore_ = std::move(datastore_);
    model_.classes_ = std::move(classes_);
    model_.origin_ = std::move(origin_);
    model_.task_.pairs = pairs_;
  }

 private:
  Classifier<Stack>& model_;
  typename Classifier<Stack>::datastore_type datastore_;
  ClassNames classes_;
  StoreOrigin origin_;
  std::optional<bool> pairs_;
};

}  // namespace knnbert::inline v0_1
