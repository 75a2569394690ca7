// expect: Stack::encoder_type: a StoredEncoder expected, as encoder/concept.hpp says
#include "knnbert/model/classifier_files.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  struct encoder_type : knnbert::Bert {
    using BasicBert::BasicBert;
    void encode() const;
  };
#endif
};

using Model = knnbert::Classifier<Stack>;
const auto size = sizeof(Model);
