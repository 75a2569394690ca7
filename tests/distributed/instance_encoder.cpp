#include "model/tiny_model.hpp"

template class knnbert::BasicBert<>;
template class knnbert::Network<knnbert::DefaultStack>;
