// expect: Stack::tokenizer_type: a StoredTokenizer expected, as text/concept.hpp says
#include "knnbert/model/classifier_files.hpp"

struct Stack : knnbert::DefaultStack {
#ifndef KNNBERT_FIXED
  struct tokenizer_type {
    static tokenizer_type load(const std::filesystem::path&);
  };
#endif
};

using Model = knnbert::Classifier<Stack>;
const auto size = sizeof(Model);
