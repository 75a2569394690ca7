#pragma once
#include <algorithm>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <vector>

#include "knnbert/distributed/concept.hpp"
#include "knnbert/torch/floats.hpp"

namespace knnbert::inline v0_1 {

/// The processes of one of LibTorch's communication backends, as nccl() makes it. Floats on the backend's device are
/// summed there, beside whatever else the device has to do; what lies in main memory travels by way of the device.
/// Thread safety: one thread at a time.  Errors of all members: CommunicationError; DeviceMemoryError.
class TorchCommunicator {
 public:
  /// device: where the backend's tensors lie.
  TorchCommunicator(c10::intrusive_ptr<c10d::Backend> backend, at::Device device)
      : backend_(std::move(backend)), device_(device) {}
  TorchCommunicator(const TorchCommunicator&) = delete;
  TorchCommunicator& operator=(const TorchCommunicator&) = delete;

  index_t rank() const { return backend_->getRank(); }
  index_t size() const { return backend_->getSize(); }
  at::Device device() const { return device_; }

  void all_reduce(std::span<float> values) {
    start_all_reduce(values);
    wait();
  }
  void start_all_reduce(std::span<float> values) {
    if (values.empty()) return;
    started("all_reduce", [&] {
      const at::Tensor host = at::from_blob(values.data(), {std::ssize(values)}, at::kFloat);
      const at::Tensor there = at::empty_like(host, host.options().device(device_)).copy_(host);
      return Started{sum(there), there, host};
    });
  }
  void start_all_reduce(Mirror& mirror, Range range) {
    if (range.begin == range.end) return;
    started("all_reduce", [&] {
      const at::Tensor part =
          detail::require_device(mirror, device_).floats().narrow(0, range.begin, range.end - range.begin);
      return Started{sum(part), part, {}};
    });
  }
  /// What is used next on this thread's stream of the device comes behind the sums; values in main memory are there.
  void wait() {
    const std::vector<Started> all = std::exchange(started_, {});
    guarded("wait", [&] {
      for (const Started& s : all) s.work->wait();
      for (const Started& s : all)
        if (s.host.defined()) s.host.copy_(s.there);
    });
  }

  /// What was started goes on in memory of its own and is forgotten.
  void abandon() {
    started_.clear();
    failed_ = true;
  }

  void broadcast(std::span<std::byte> bytes, index_t root) {
    if (bytes.empty()) return;
    guarded("broadcast", [&] {
      const at::Tensor host = tensor_of(bytes);
      std::vector<at::Tensor> there{at::empty_like(host, host.options().device(device_)).copy_(host)};
      c10d::BroadcastOptions options;
      options.rootRank = root;
      backend_->broadcast(there, options)->wait();
      host.copy_(there.front());
    });
  }

  /// Every process sends as many bytes as the one that has the most.
  void all_gather(std::span<std::byte> all, std::span<const index_t> ends) {
    if (std::ssize(ends) != size())
      raise<ShapeError>("TorchCommunicator::all_gather: {} ends given, {} expected", ends.size(), size());
    const auto bytes_of = [&](index_t r) {
      const auto first = static_cast<std::size_t>(r ? ends[static_cast<std::size_t>(r - 1)] : 0);
      return all.subspan(first, static_cast<std::size_t>(ends[static_cast<std::size_t>(r)]) - first);
    };
    std::size_t most = 0;
    for (index_t r = 0; r < size(); ++r) most = std::max(most, bytes_of(r).size());
    if (most == 0) return;
    guarded("all_gather", [&] {
      const auto options = at::TensorOptions().dtype(at::kByte).device(device_);
      at::Tensor own = at::zeros({static_cast<std::int64_t>(most)}, options),
                 gathered = at::empty({size() * static_cast<std::int64_t>(most)}, options);
      if (const auto mine = bytes_of(rank()); !mine.empty()) own.narrow(0, 0, std::ssize(mine)).copy_(tensor_of(mine));
      backend_->_allgather_base(gathered, own)->wait();
      for (index_t r = 0; r < size(); ++r)
        if (const auto theirs = bytes_of(r); !theirs.empty())
          tensor_of(theirs).copy_(gathered.narrow(0, r * static_cast<std::int64_t>(most), std::ssize(theirs)));
    });
  }

  void barrier() {
    guarded("barrier", [&] {
      c10d::BarrierOptions options;
      if (!device_.is_cpu()) options.device = device_;
      backend_->barrier(options)->wait();
    });
  }

 private:
  struct Started {
    c10::intrusive_ptr<c10d::Work> work;
    at::Tensor there, host;  // host: undefined where the device has the only copy
  };

  static at::Tensor tensor_of(std::span<std::byte> bytes) {
    return at::from_blob(bytes.data(), {std::ssize(bytes)}, at::kByte);
  }

  c10::intrusive_ptr<c10d::Work> sum(const at::Tensor& values) {
    std::vector<at::Tensor> all{values};
    return backend_->allreduce(all);
  }

  template <class Start>
  void started(std::string_view name, Start&& start) {
    guarded(name, [&] { started_.push_back(start()); });
  }

  template <class F>
  void guarded(std::string_view name, F&& f) const {
    if (failed_)
      raise<CommunicationError>("TorchCommunicator::{}: a call failed before, a new communicator expected", name);
    const c10::NoGradGuard no_graph;
    try {
      detail::guarded("TorchCommunicator", f);
    } catch (const DeviceMemoryError&) { throw; } catch (const DeviceError& error) {
      raise<CommunicationError>("TorchCommunicator::{}: {}", name, error.what());
    }
  }

  c10::intrusive_ptr<c10d::Backend> backend_;
  at::Device device_;
  std::vector<Started> started_;
  bool failed_ = false;
};
static_assert(DeviceCommunicator<TorchCommunicator>);

}  // namespace knnbert::inline v0_1
