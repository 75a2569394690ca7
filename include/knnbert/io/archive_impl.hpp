#pragma once
#include <deque>
#include <utility>

#include "knnbert/config.hpp"
#include "knnbert/io/archive.hpp"

namespace knnbert::inline v0_1 {

struct StateWriter::Kept {
  std::deque<std::vector<float>> floats;
  std::deque<std::vector<std::int64_t>> integers;
};

KNNBERT_INLINE StateWriter::StateWriter()
    : file_(std::make_shared<SafeTensorsWriter>()), kept_(std::make_shared<Kept>()) {}

KNNBERT_INLINE void StateWriter::operator()(const std::string& name, std::vector<float>& values) {
  kept_->floats.push_back(values);
  file_->add(prefix_ + name, {std::ssize(values)}, std::span<const float>(kept_->floats.back()));
}

KNNBERT_INLINE StateWriter StateWriter::scope(std::string_view name) const {
  StateWriter inner(*this);
  inner.prefix_ += std::string(name) + ".";
  return inner;
}

KNNBERT_INLINE void StateWriter::write(const std::filesystem::path& path) const {
  file_->with_checksum();
  file_->write(path);
}

KNNBERT_INLINE void StateWriter::add(const std::string& name, std::vector<std::int64_t> values) {
  kept_->integers.push_back(std::move(values));
  const auto& kept = kept_->integers.back();
  file_->add(prefix_ + name, {std::ssize(kept)}, std::span<const std::int64_t>(kept));
}

KNNBERT_INLINE StateReader::StateReader(const std::filesystem::path& path)
    : file_(std::make_shared<const SafeTensors>(path)) {
  file_->require_checksum();
}

KNNBERT_INLINE void StateReader::operator()(const std::string& name, std::int64_t& value) {
  const auto values = file_->at(prefix_ + name).as_int64s();
  if (values.size() != 1) raise<FormatError>("{}: {} numbers given, 1 expected", prefix_ + name, values.size());
  value = values.front();
}

KNNBERT_INLINE void StateReader::operator()(const std::string& name, std::vector<std::int64_t>& values) {
  values = file_->at(prefix_ + name).as_int64s();
}

KNNBERT_INLINE void StateReader::operator()(const std::string& name, std::vector<float>& values) {
  values = file_->at(prefix_ + name).as_floats();
}

KNNBERT_INLINE void StateReader::operator()(const std::string& name, std::span<float> values) {
  const auto tensor = file_->at(prefix_ + name);
  if (tensor.size() != std::ssize(values))
    raise<FormatError>("{}: {} numbers given, {} expected", prefix_ + name, tensor.size(), values.size());
  tensor.copy_to(values);
}

KNNBERT_INLINE StateReader StateReader::scope(std::string_view name) const {
  StateReader inner(*this);
  inner.prefix_ += std::string(name) + ".";
  return inner;
}

}  // namespace knnbert::inline v0_1
