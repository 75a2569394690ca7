#pragma once
#include <filesystem>
#include <string>

#include "knnbert/distributed/team.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/npy.hpp"

namespace knnbert {

/// A matrix that a team computes in parts of rows and that becomes one .npy file. Finished parts lie in a folder beside
/// it, so that a run that was cut short continues with what is missing. All processes must see the same folder.
class PartFiles {
 public:
  /// `identity` names all that the rows depend on: parts of another one are refused.  Errors: IoError, FormatError.
  PartFiles(const std::filesystem::path& target, index_t rows, index_t rows_a_part, const std::string& identity,
            const Team& team)
      : target_(target), folder_(target.string() + ".parts"), rows_(rows), rows_a_part_(rows_a_part), team_(team) {
    if (rows_a_part < 1) raise<OptionError>("PartFiles: parts of {} rows given, at least 1 expected", rows_a_part);
    if (team_.first()) open(format("{} rows in parts of {}: {}", rows, rows_a_part, identity));
    team_.barrier();
  }

  index_t count() const { return (rows_ + rows_a_part_ - 1) / rows_a_part_; }
  Range rows_of(index_t part) const { return {part * rows_a_part_, std::min(rows_, (part + 1) * rows_a_part_)}; }

  /// Computes what is missing, the parts shared out in turn: compute(rows) returns a matrix of them. Then joins the
  /// parts to the file and removes them. Returns how many parts were missing.  Errors: IoError, FormatError.
  template <class Compute>
  index_t run(Compute&& compute) {
    const auto missing = missing_parts();
    for (std::size_t i = 0; i < missing.size(); ++i)
      if (static_cast<index_t>(i) % team_.size() == team_.rank())
        write_npy(file_of(missing[i]), ConstView(compute(rows_of(missing[i]))));
    team_.barrier();
    if (team_.first()) join();
    team_.barrier();
    return std::ssize(missing);
  }

 private:
  std::filesystem::path file_of(index_t part) const { return folder_ / format("{}.npy", part); }

  void open(const std::string& identity) const {
    const auto note = folder_ / "parts.json";
    std::filesystem::create_directories(folder_);
    if (!std::filesystem::exists(note)) return write_json(note, OrderedJson{{"identity", identity}});
    if (require<std::string>(read_json(note), "identity", note.string()) != identity)
      raise<FormatError>(
          "{}: the parts in this folder belong to another run; the same input, model and options expected, or an empty "
          "place",
          note.string());
  }

  /// As the first process sees it: the others may be later, when some parts are new already.
  std::vector<index_t> missing_parts() const {
    std::vector<index_t> missing;
    if (team_.first())
      for (index_t part = 0; part < count(); ++part)
        if (!std::filesystem::exists(file_of(part))) missing.push_back(part);
    missing.resize(broadcast_value(team_, missing.size()));
    team_.broadcast(std::as_writable_bytes(std::span(missing)));
    return missing;
  }

  void join() const {
    write_file_atomically(target_, [&](AtomicFile& file) {
      index_t width = -1;
      for (index_t part = 0; part < count(); ++part) {
        const auto piece = read_npy<float>(file_of(part));
        const Range own = rows_of(part);
        if (piece.shape.size() != 2 || piece.shape[0] != own.end - own.begin || (width >= 0 && piece.shape[1] != width))
          raise<FormatError>("{}: {} given, {} rows expected", file_of(part).string(), shape_text(piece.shape),
                             own.end - own.begin);
        if (width < 0) file.append(detail::npy_header(detail::npy_type<float>, {rows_, piece.shape[1]}));
        width = piece.shape[1];
        file.append(std::as_bytes(std::span(piece.values)));
      }
    });
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path target_, folder_;
  index_t rows_, rows_a_part_;
  Team team_;
};

}  // namespace knnbert
