#pragma once
#include <mutex>

#include "knnbert/datastore/chunk.hpp"
#include "knnbert/torch/device.hpp"

namespace knnbert::inline v0_1::detail {

/// The keys of a datastore on a device, in the order of its rows. New rows are copied when a search first needs them;
/// keys that were there stay.  Thread safety: all members.
class DeviceKeys {
 public:
  DeviceKeys(index_t width, at::Device device) : width_(width), device_(device) {}

  at::Device device() const { return device_; }

  struct Rows {
    at::Tensor keys;  // [N, D]
    double longest;   // largest length of a row, removed ones included
  };
  /// The rows of a snapshot, removed ones included.
  Rows rows(std::span<const ChunkView> chunks) {
    const std::lock_guard lock(mutex_);
    const index_t wanted = chunks.empty() ? 0 : chunks.back().first + chunks.back().rows;
    std::size_t same = 0;  // chunks that are there, at least in part
    while (same < std::min(chunks.size(), held_.size()) && held_[same].chunk == chunks[same].chunk &&
           held_[same].first == chunks[same].first)
      ++same;
    if (same < held_.size() && same < chunks.size()) {
      held_.clear();  // another store: rows that a search still reads must not be overwritten
      keys_ = at::Tensor(), longest_ = 0;
    }
    reserve(wanted);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      if (i == held_.size()) held_.push_back({chunks[i].chunk, chunks[i].first, 0});
      Held& held = held_[i];
      if (held.rows >= chunks[i].rows) continue;
      const ConstView fresh = chunks[i].keys().row_range(held.rows, chunks[i].rows - held.rows);
      keys_.narrow(0, held.first + held.rows, fresh.rows()).copy_(to_device(fresh, device_));
      for (index_t r = 0; r < fresh.rows(); ++r) longest_ = std::max(longest_, length(fresh.row(r)));
      held.rows = chunks[i].rows;
    }
    return {wanted > 0 ? keys_.narrow(0, 0, wanted) : at::empty({0, width_}, at::TensorOptions().device(device_)),
            longest_};
  }

  static double length(std::span<const float> row) {
    double sum = 0;
    for (const float x : row) sum += static_cast<double>(x) * x;
    return std::sqrt(sum);
  }

 private:
  struct Held {
    std::shared_ptr<Chunk> chunk;
    index_t first, rows;
  };

  void reserve(index_t rows) {
    const index_t capacity = keys_.defined() ? keys_.size(0) : 0;
    if (rows <= capacity) return;
    at::Tensor larger = at::empty({std::max(rows, capacity + capacity / 2), width_},
                                  at::TensorOptions().dtype(at::kFloat).device(device_));
    if (capacity > 0) larger.narrow(0, 0, capacity).copy_(keys_);
    keys_ = std::move(larger);
  }

  std::mutex mutex_;
  index_t width_;
  at::Device device_;
  at::Tensor keys_;  // [capacity, D]
  std::vector<Held> held_;
  double longest_ = 0;
};

}  // namespace knnbert::inline v0_1::detail
