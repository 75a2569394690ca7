// expect: Stack::datastore_type<metric_type>: an OwnedDatastore expected, as datastore/concept.hpp says
#include "knnbert/model/classifier_files.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  template <class Metric>
  struct datastore_type : knnbert::FlatDatastore<Metric> {
    datastore_type(knnbert::index_t width, int more);
  };
#endif
};

using Model = knnbert::Classifier<Stack>;
const auto size = sizeof(Model);
