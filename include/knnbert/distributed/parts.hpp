#pragma once
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "knnbert/core/view.hpp"
#include "knnbert/distributed/team.hpp"
#include "knnbert/io/directory_lock.hpp"

namespace knnbert::inline v0_1 {

/// A matrix that a team computes in parts of rows and that becomes one .npy file. Finished parts lie in a folder beside
/// it, so that a run that was cut short continues with what is missing. All processes must see the same folder, which
/// one team at a time may use.
class PartFiles {
 public:
  /// `identity` names all that the rows depend on: parts of another one are refused. rows_a_part: 0 chooses, or keeps
  /// that of the parts which are there.  Errors: IoError, also while others write the same file; FormatError.
  PartFiles(const std::filesystem::path& target, index_t rows, index_t rows_a_part, const std::string& identity,
            const Team& team);

  index_t rows_a_part() const { return rows_a_part_; }
  /// At least one, which tells the columns.
  index_t count() const { return std::max<index_t>(1, (rows_ + rows_a_part_ - 1) / rows_a_part_); }
  Range rows_of(index_t part) const { return {part * rows_a_part_, std::min(rows_, (part + 1) * rows_a_part_)}; }

  /// Computes what is missing, the parts handed out in turn: compute(rows) returns a matrix of them. Processes meet
  /// behind every part, so that none waits for longer than one takes. Then joins the parts to the file and removes
  /// them. Returns how many parts were missing. compute() calls nothing collective.
  /// Errors: IoError, FormatError; OtherProcessError.
  template <class Compute>
  index_t run(Compute&& compute) {
    const auto missing = missing_parts();
    for (std::size_t own = as_size(team_.rank()), met = 0; met < missing.size();
         own += as_size(team_.size()), met += as_size(team_.size()))
      team_.together("PartFiles", [&] {
        if (own < missing.size()) write(missing[own], ConstView(compute(rows_of(missing[own]))));
      });
    team_.on_first("PartFiles", [&] { join(); });
    return std::ssize(missing);
  }

 private:
  std::filesystem::path file_of(index_t part) const;
  void open(const std::string& identity, index_t rows_a_part);
  bool has_parts() const;
  void write(index_t part, ConstView rows) const;
  /// As the first process sees it: the others may be later, when some parts are new already.
  std::vector<index_t> missing_parts() const;
  void join();

  std::filesystem::path target_, folder_;
  index_t rows_, rows_a_part_;
  Team team_;
  std::shared_ptr<const DirectoryLock> lock_;  // the first process's
};

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/distributed/parts_impl.hpp"
#endif
