#pragma once
#include "knnbert/config.hpp"
#include "knnbert/distributed/parts.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/npy.hpp"

namespace knnbert::inline v0_1 {

KNNBERT_INLINE PartFiles::PartFiles(const std::filesystem::path& target, index_t rows, index_t rows_a_part,
                                    const std::string& identity, const Team& team)
    : target_(target), folder_(target.string() + ".parts"), rows_(rows), rows_a_part_(rows_a_part), team_(team) {
  if (rows_a_part < 1) raise<OptionError>("PartFiles: parts of {} rows given, at least 1 expected", rows_a_part);
  team_.on_first("PartFiles", [&] { open(format("{} rows in parts of {}: {}", rows, rows_a_part, identity)); });
}

KNNBERT_INLINE std::filesystem::path PartFiles::file_of(index_t part) const { return folder_ / format("{}.npy", part); }

KNNBERT_INLINE void PartFiles::open(const std::string& identity) const {
  const auto note = folder_ / "parts.json";
  std::error_code failed;
  if (const auto place = target_.parent_path(); !place.empty() && !std::filesystem::is_directory(place, failed))
    raise_io("open", place, ENOENT);
  std::filesystem::create_directories(folder_, failed);
  if (failed) raise_io("create", folder_, failed.value());
  if (!detail::is_there(note)) return write_json(note, OrderedJson{{"identity", identity}});
  if (require<std::string>(read_json(note), "identity", note.string()) != identity)
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

KNNBERT_INLINE void PartFiles::join() const {
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
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace knnbert::inline v0_1
