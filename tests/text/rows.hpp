#pragma once
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "knnbert/io/gzip.hpp"
#include "knnbert/io/read_file.hpp"

namespace knnbert_test {

/// Rows of T that tests/reference/tokens.py wrote.
template <class T>
class Rows {
 public:
  Rows(const std::filesystem::path& folder, const std::string& name)
      : bytes_(knnbert::decompress(knnbert::read_file(folder / (name + ".rows.gz"), most), most, name)) {
    const auto count = static_cast<std::size_t>(number(0));
    for (std::size_t i = 0; i <= count; ++i) offsets_.push_back(static_cast<std::size_t>(number(1 + i)));
    elements_.resize(offsets_.back());
    std::memcpy(elements_.data(), bytes_.data() + 8 * (count + 2), sizeof(T) * elements_.size());
    bytes_.clear();
  }

  std::size_t size() const { return offsets_.size() - 1; }
  std::span<const T> operator[](std::size_t i) const {
    return std::span(elements_).subspan(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }

 private:
  std::int64_t number(std::size_t place) const {
    std::int64_t value;
    std::memcpy(&value, bytes_.data() + 8 * place, 8);
    return value;
  }

  static constexpr knnbert::index_t most = knnbert::index_t{1} << 33;

  std::string bytes_;
  std::vector<std::size_t> offsets_;
  std::vector<T> elements_;
};

/// Texts; a row is a string_view.
class TextRows : public Rows<char> {
 public:
  using Rows<char>::Rows;
  std::string_view operator[](std::size_t i) const {
    const auto row = Rows<char>::operator[](i);
    return {row.data(), row.size()};
  }
};

}  // namespace knnbert_test
