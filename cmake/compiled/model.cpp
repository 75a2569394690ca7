// Part of knnbert::dispatch, see cmake/compiled.cmake.
#include "knnbert/model/classifier_files.hpp"

namespace knnbert {
template class BasicBert<DefaultArch, StackPrecisions<DefaultArch>>;
template class Network<DefaultStack>;
template class Classifier<DefaultStack>;
}  // namespace knnbert
