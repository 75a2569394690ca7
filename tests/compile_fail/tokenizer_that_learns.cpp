// expect: tokenizer\.append\(text, batch, max_length\).*invalid
#include "knnbert/text/concept.hpp"

struct Characters {
#ifdef KNNBERT_FIXED
  void append(std::string_view, knnbert::Batch&, knnbert::index_t) const {}
#else
  void append(std::string_view, knnbert::Batch&, knnbert::index_t) {}  // not const: texts would not be independent
#endif
  void append(std::string_view, std::string_view, knnbert::Batch&, knnbert::index_t) const {}
  knnbert::index_t vocabulary_size() const { return 256; }
  knnbert::SpecialTokens special() const { return {}; }
};

template <knnbert::Tokenizer T>
struct Classifier {};

Classifier<Characters> classifier;
