#include "stack.hpp"

template class knnbert::BasicBert<knnbert::DefaultArch, knnbert::AnyPrecision>;
template class knnbert::Classifier<knnbert::cli::Stack>;
