#pragma once
#include <bit>

#include "knnbert/config.hpp"
#include "knnbert/core/checksum.hpp"
#include "knnbert/core/finite.hpp"
#include "knnbert/encoder/lowered_files.hpp"
#include "knnbert/io/safetensors.hpp"
#include "knnbert/io/safetensors_writer.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// The tensors of a lowered weight, with their sizes.
template <class Visit>
void for_each_lowered_part(const Parameter& weight, Precision precision, Visit&& visit) {
  const index_t panels = round_up(weight.rows, panel_width) / panel_width,
                elements = precision == Precision::int8 ? 4 : 2;
  visit(weight.name + ".lanes", &LoweredWeight::panels,
        Shape{panels, (weight.cols + elements - 1) / elements, panel_width});
  if (precision != Precision::int8) return;
  visit(weight.name + ".scales", &LoweredWeight::scales, Shape{panels * panel_width});
  visit(weight.name + ".sums", &LoweredWeight::sums, Shape{panels * panel_width});
}

/// Whether floats, or two bf16 in every lane, are finite; lanes of int8 always are.
inline bool lowered_part_is_finite(std::span<const float> part, bool is_lanes, Precision precision) {
  if (!is_lanes) return all_finite(part);
  if (precision != Precision::bf16) return true;
  return std::none_of(part.begin(), part.end(), [](float lane) {
    const auto bits = std::bit_cast<std::uint32_t>(lane);
    return (bits & 0x7f80) == 0x7f80 || (bits & 0x7f800000) == 0x7f800000;
  });
}

inline index_t count_of(const Shape& shape) {
  index_t count = 1;
  for (const index_t size : shape) count *= size;
  return count;
}

}  // namespace detail

KNNBERT_INLINE std::string checksum_of_others(std::span<const Linear> layers, const ParameterBlock& values) {
  Checksum checksum;
  for (const Parameter& p : values.table().all()) {
    if (!of_encoder(p)) continue;
    const auto is_p = [&](const Linear& layer) { return values.table()[layer.weight].offset == p.offset; };
    if (std::any_of(layers.begin(), layers.end(), is_p)) continue;
    checksum.update(std::as_bytes(std::span(values.data() + p.offset, as_size(p.size))));
  }
  return checksum.digits();
}

KNNBERT_INLINE void write_lowered(std::span<const Linear> layers, const ParameterBlock& values,
                                  const std::string& print, const std::filesystem::path& path) {
  SafeTensorsWriter file;
  for (const Linear& layer : layers)
    detail::for_each_lowered_part(
        values.table()[layer.weight], values.precision(), [&](const std::string& name, auto part, const Shape& shape) {
          const std::span all(reinterpret_cast<const std::byte*>((values.lowered(layer.weight).*part).data()),
                              static_cast<std::size_t>(detail::count_of(shape)) * sizeof(float));
          file.add(name, shape.size() == 1 ? DType::f32 : DType::u32, shape, all);
        });
  file.metadata("fingerprint", print).metadata("precision", name_of(values.precision()));
  file.metadata("encoder_others", checksum_of_others(layers, values));
  file.with_checksum();
  file.write(path);
}

KNNBERT_INLINE std::optional<LoweredFile> read_lowered(std::span<const Linear> layers, const ParameterTable& table,
                                                       Precision precision, const std::string& print,
                                                       const std::filesystem::path& path) {
  const SafeTensors file(path);
  const auto says = [&](const char* key, const std::string& value) {
    const auto found = file.metadata().find(key);
    return found != file.metadata().end() && found->second == value;
  };
  if (!says("fingerprint", print) || !says("precision", name_of(precision))) return std::nullopt;
  file.require_checksum();
  LoweredFile lowered{std::vector<LoweredWeight>(as_size(table.count())), {}};
  if (const auto others = file.metadata().find("encoder_others"); others != file.metadata().end())
    lowered.others = others->second;
  for (const Linear& layer : layers)
    detail::for_each_lowered_part(
        table[layer.weight], precision, [&](const std::string& name, auto part, const Shape& shape) {
          const TensorView tensor = file.at(name);
          tensor.require_shape(shape);
          if (dtype_size(tensor.dtype) != sizeof(float))
            raise<FormatError>("{}: {} given, elements of 4 bytes expected", tensor.name, dtype_name(tensor.dtype));
          auto& memory = lowered.weights[as_size(layer.weight)].*part;
          memory.reserve(detail::count_of(shape));
          std::memcpy(memory.data(), tensor.bytes.data(), tensor.bytes.size());
          const std::span<const float> part_values(memory.data(), tensor.bytes.size() / sizeof(float));
          if (!detail::lowered_part_is_finite(part_values, shape.size() == 3, precision))
            raise<FormatError>("{}: NaN or infinity given, finite numbers expected", tensor.name);
          release_pages(tensor.bytes);
        });
  return lowered;
}

}  // namespace knnbert::inline v0_1
