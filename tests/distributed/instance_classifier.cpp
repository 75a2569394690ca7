#include "model/tiny_model.hpp"

template class knnbert::Classifier<knnbert::DefaultStack>;
