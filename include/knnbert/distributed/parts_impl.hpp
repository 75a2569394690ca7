#pragma once
#include "knnbert/config.hpp"
#include "knnbert/distributed/parts.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/npy.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Four parts or more for every process, as many for each; not so small that files take longer than rows, nor so large
/// that a process without one waits for long.
inline index_t usual_rows_a_part(index_t rows, index_t processes) {
  constexpr index_t fewest = 64, most = 1024, rounds = 4;
  const index_t parts = processes * std::max(rounds, (rows + most * processes - 1) / (most * processes));
  return std::clamp((rows + parts - 1) / parts, fewest, most);
}

}  // namespace detail

KNNBERT_INLINE PartFiles::PartFiles(const std::filesystem::path& target, index_t rows, index_t rows_a_part,
                                    const std::string& identity, const Team& team)
    : target_(target), folder_(target.string() + ".parts"), rows_(rows),
      rows_a_part_(rows_a_part ? rows_a_part : detail::usual_rows_a_part(rows, team.size())), team_(team) {
  if (rows_a_part < 0) raise<OptionError>("PartFiles: parts of {} rows given, at least 0 expected", rows_a_part);
  team_.on_first("PartFiles", [&] { open(format("{} rows: {}", rows, identity), rows_a_part); });
  rows_a_part_ = broadcast_value(team_, rows_a_part_);
}

KNNBERT_INLINE std::filesystem::path PartFiles::file_of(index_t part) const { return folder_ / format("{}.npy", part); }

KNNBERT_INLINE bool PartFiles::has_parts() const {
  std::error_code failed;
  const std::filesystem::directory_iterator all(folder_, failed);
  if (failed) raise_io("list", folder_, failed.value());
  return std::any_of(begin(all), end(all), [](const auto& file) { return file.path().extension() == ".npy"; });
}

KNNBERT_INLINE void PartFiles::open(const std::string& identity, index_t rows_a_part) {
  const auto note = folder_ / "parts.json";
  std::error_code failed;
  if (const auto place = target_.parent_path(); !place.empty() && !std::filesystem::is_directory(place, failed))
    raise_io("open", place, ENOENT);
  lock_ = std::make_shared<const DirectoryLock>(folder_);
  if (!detail::is_there(note) || !has_parts())
    return write_json(note, OrderedJson{{"identity", identity}, {"rows_a_part", rows_a_part_}});
  const Json there = read_json(note);
  const auto own = require<index_t>(there, "rows_a_part", note.string());
  if (rows_a_part == 0 && own > 0) rows_a_part_ = own;
  if (require<std::string>(there, "identity", note.string()) != identity || own != rows_a_part_)
    raise<FormatError>(
        "{}: the parts in this folder belong to another run; the same input, model and options expected, or an empty "
        "folder",
        note.string());
}

KNNBERT_INLINE void PartFiles::write(index_t part, ConstView rows) const { write_npy(file_of(part), rows); }

KNNBERT_INLINE std::vector<index_t> PartFiles::missing_parts() const {
  std::vector<index_t> missing;
  if (team_.first())
    for (index_t part = 0; part < count(); ++part)
      if (!detail::is_there(file_of(part))) missing.push_back(part);
  missing.resize(broadcast_value(team_, missing.size()));
  team_.broadcast(std::as_writable_bytes(std::span(missing)));
  return missing;
}

KNNBERT_INLINE void PartFiles::join() {
  write_file_atomically(target_, [&](AtomicFile& file) {
    index_t width = -1;
    for (index_t part = 0; part < count(); ++part) {
      const auto piece = read_npy<float>(file_of(part));
      const Range own = rows_of(part);
      if (piece.shape.size() != 2 || piece.shape[0] != own.end - own.begin || (width >= 0 && piece.shape[1] != width))
        raise<FormatError>("{}: {} given, {} rows expected", file_of(part).string(), shape_text(piece.shape),
                           own.end - own.begin);
      if (width < 0) file.append(detail::npy_header(detail::npy_type<float>(), {rows_, piece.shape[1]}));
      width = piece.shape[1];
      file.append(std::as_bytes(std::span(piece.values)));
    }
  });
  std::error_code ignored;  // the file is whole
  for (index_t part = 0; part < count(); ++part) std::filesystem::remove(file_of(part), ignored);
  std::filesystem::remove(folder_ / "parts.json", ignored);
  lock_.reset();  // which is the last file there
  std::filesystem::remove(folder_, ignored);
}

}  // namespace knnbert::inline v0_1
