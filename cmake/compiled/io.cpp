// Part of knnbert::dispatch, see cmake/compiled.cmake.
#include "knnbert/io/safetensors_directory_impl.hpp"
#include "knnbert/io/safetensors_header_impl.hpp"
#include "knnbert/io/safetensors_writer_impl.hpp"
