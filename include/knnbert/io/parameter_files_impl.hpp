#pragma once
#include <algorithm>

#include "knnbert/config.hpp"
#include "knnbert/io/parameter_files.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE void add_parameter(const ParameterBlock& values, index_t number, const std::string& name,
                                  SafeTensorsWriter& file) {
  const Parameter& p = values.table()[number];
  const auto fill = [&values, &p](index_t row, std::span<float> out) {
    for (index_t c = 0; c < p.cols; ++c) out[static_cast<std::size_t>(c)] = values.data()[p.at(row, c)];
  };
  if (p.vector)
    file.add(name, {p.cols}, std::span<const float>(values.data() + p.offset, static_cast<std::size_t>(p.cols)));
  else file.add_rows(name, {p.rows, p.cols}, fill);
}

KNNBERT_INLINE void read_parameter(const SafeTensors& file, index_t number, ParameterBlock& values) {
  const Parameter& p = values.table()[number];
  const TensorView tensor = file.at(p.name);
  tensor.require_shape(p.vector ? Shape{p.cols} : Shape{p.rows, p.cols});
  const auto floats = tensor.as_floats();
  if (!all_finite(floats)) raise<FormatError>("{}: NaN or infinity given, finite numbers expected", tensor.name);
  values.write(number, ConstView(floats.data(), p.rows, p.cols));
}

KNNBERT_INLINE bool has_metadata(const std::filesystem::path& path,
                                 const std::map<std::string, std::string>& expected) {
  try {
    const SafeTensors file(path);
    if (!std::includes(file.metadata().begin(), file.metadata().end(), expected.begin(), expected.end())) return false;
    file.require_checksum();
    return true;
  } catch (const Error&) {  // none there, or none that could be kept
    return false;
  }
}

}  // namespace knnbert::inline v0_1
