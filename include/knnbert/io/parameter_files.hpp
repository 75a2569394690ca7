#pragma once
#include "knnbert/core/finite.hpp"
#include "knnbert/core/parameters.hpp"
#include "knnbert/io/safetensors.hpp"
#include "knnbert/io/safetensors_writer.hpp"

/// Parameters as tensors of files, out of and into their layout.
namespace knnbert::inline v0_1 {

/// Adds a parameter to a file in preparation. `values` must outlive it.
void add_parameter(const ParameterBlock& values, index_t number, const std::string& name, SafeTensorsWriter& file);

/// Fills a parameter with the tensor of its name.  Errors: FormatError.
void read_parameter(const SafeTensors& file, index_t number, ParameterBlock& values);

/// Whether a file says of itself what a writer of safetensors would say, and holds what its checksum says, if there is
/// one: then it need not be written again.  Cost: reads the file.
bool has_metadata(const std::filesystem::path& path, const std::map<std::string, std::string>& expected);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/io/parameter_files_impl.hpp"
#endif
