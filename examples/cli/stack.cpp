#include "stack.hpp"

template class knnbert::BasicBert<knnbert::DefaultArch>;
template class knnbert::Classifier<knnbert::cli::Stack>;
