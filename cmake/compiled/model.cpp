// Part of knnbert::dispatch, see cmake/compiled.cmake.
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/model/model_file_impl.hpp"

namespace knnbert {
template class BasicBert<DefaultArch, StackPrecisions<DefaultArch>>;
template class Classifier<DefaultStack>;
}  // namespace knnbert
