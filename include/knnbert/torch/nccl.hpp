#pragma once
// Needs a CUDA build of LibTorch and the headers of NCCL and of the CUDA runtime: link knnbert::nccl.
#ifndef USE_C10D_NCCL
#define USE_C10D_NCCL 1  // LibTorch's header is empty without
#endif
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "knnbert/torch/communicator.hpp"

namespace knnbert::inline v0_1 {

struct NcclOptions {
  index_t rank = 0, size = 1;         ///< as the launcher says
  std::string address = "127.0.0.1";  ///< of process 0
  index_t port = 29500;               ///< where process 0 listens until all have met
  double patience = 1800;             ///< seconds that a call waits for the other processes before it gives up

  /// Errors: OptionError.
  void validate() const {
    if (size < 1 || rank < 0 || rank >= size)
      raise<OptionError>("NcclOptions: rank {} of {} given, one of 0 to size - 1 expected", rank, size);
    if (port < 1 || port > 65535) raise<OptionError>("NcclOptions::port: {} given, 1 to 65535 expected", port);
    if (!(patience > 0)) raise<OptionError>("NcclOptions::patience: {} seconds given, more than 0 expected", patience);
  }
};

/// A backend for TorchCommunicator: processes with a CUDA device each. They meet at process 0, then talk device to
/// device. When a process dies or falls silent, LibTorch ends the others after `patience`.  Errors: OptionError,
/// CommunicationError.
inline c10::intrusive_ptr<c10d::Backend> nccl(const NcclOptions& options) {
  options.validate();
  try {
    const auto patience =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(options.patience));
    c10d::TCPStoreOptions meeting;
    meeting.port = static_cast<std::uint16_t>(options.port);
    meeting.isServer = options.rank == 0;
    meeting.numWorkers = static_cast<std::size_t>(options.size);
    meeting.timeout = patience;
    auto group = c10d::ProcessGroupNCCL::Options::create();
    group->timeout = patience;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::TCPStore>(options.address, meeting),
                                                       static_cast<int>(options.rank), static_cast<int>(options.size),
                                                       std::move(group));
  } catch (const c10::Error& error) {
    raise<CommunicationError>("nccl: rank {} of {} at {}:{}: {}", options.rank, options.size, options.address,
                              options.port, detail::without_trace(error.what_without_backtrace()));
  }
}

}  // namespace knnbert::inline v0_1
