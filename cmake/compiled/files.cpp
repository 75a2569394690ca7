// Part of knnbert::dispatch, see cmake/compiled.cmake.
#include "knnbert/core/format_impl.hpp"
#include "knnbert/distributed/parts_impl.hpp"
#include "knnbert/io/safetensors_directory_impl.hpp"
#include "knnbert/io/safetensors_header_impl.hpp"
#include "knnbert/io/safetensors_writer_impl.hpp"
#include "knnbert/model/model_file_impl.hpp"
#include "knnbert/train/checkpoint_impl.hpp"
#include "knnbert/train/run_identity_impl.hpp"
