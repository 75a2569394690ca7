// expect: Stack::head_type: a Head expected, as nn/head.hpp says
#include "knnbert/model/classifier_files.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  struct head_type : knnbert::MlpHead {
    void backward() const;
  };
#endif
};

using Model = knnbert::Classifier<Stack>;
const auto size = sizeof(Model);
