#pragma once
#include <memory>
#include <span>

#include "knnbert/io/safetensors.hpp"
#include "knnbert/io/safetensors_writer.hpp"

/// Saving and restoring the state of objects: an object's member archive(ar) calls ar(name, value) for each piece of
/// its state; the same calls write it to a StateWriter and overwrite it from a StateReader. Values are std::int64_t,
/// std::vector<float>, std::vector<std::int64_t> and, for what has a fixed size, std::span<float>.
namespace knnbert::inline v0_1 {

/// An archive that takes values and gives none back: objects may hand out what they have as it lies there.
template <class Archive>
concept WritesOnly = requires {
  typename Archive::writes_only;
};

class StateWriter {
 public:
  using writes_only = void;

  StateWriter();

  void operator()(const std::string& name, std::int64_t& value) { add(name, std::vector<std::int64_t>{value}); }
  void operator()(const std::string& name, std::vector<std::int64_t>& values) { add(name, values); }
  void operator()(const std::string& name, std::vector<float>& values);
  /// The values must live until write().
  void operator()(const std::string& name, std::span<const float> values) {
    file_->add(prefix_ + name, {std::ssize(values)}, values);
  }

  /// The same archive with every name behind "name.".
  StateWriter scope(std::string_view name) const;

  void write(const std::filesystem::path& path) const;

 private:
  void add(const std::string& name, std::vector<std::int64_t> values);

  struct Kept;  // values that the file refers to

  std::shared_ptr<SafeTensorsWriter> file_;
  std::shared_ptr<Kept> kept_;
  std::string prefix_;
};

/// Errors: IoError, FormatError for a value that is missing or of another size than the state it goes to.
class StateReader {
 public:
  explicit StateReader(const std::filesystem::path& path);

  void operator()(const std::string& name, std::int64_t& value);
  void operator()(const std::string& name, std::vector<std::int64_t>& values);
  void operator()(const std::string& name, std::vector<float>& values);
  void operator()(const std::string& name, std::span<float> values);

  StateReader scope(std::string_view name) const;

 private:
  std::shared_ptr<const SafeTensors> file_;
  std::string prefix_;
};

/// The floats of a parameter block for an archive. One that only writes leaves alone what depends on them: values on a
/// device, lowered weights.
template <class Archive, class Block>
auto archived_floats(Block& block) {
  const auto size = static_cast<std::size_t>(block.size());
  if constexpr (WritesOnly<Archive>) return std::span<const float>(std::as_const(block).data(), size);
  else return std::span<float>(block.data(), size);
}

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/io/archive_impl.hpp"
#endif
