// What the program asks LibTorch directly.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>

#include "session.hpp"
#include "stack.hpp"
#ifdef KNNBERT_WITH_NCCL
#include "knnbert/torch/nccl.hpp"
#endif

namespace knnbert::cli {

namespace {

struct TorchSession final : SessionOn<TorchStack> {
  std::string description() const override {
    const auto devices = at::hasCUDA() ? static_cast<index_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
    return format("LibTorch {}, {} CUDA devices", TORCH_VERSION, devices);
  }
  void set_threads(index_t threads) const override { at::set_num_threads(static_cast<int>(threads)); }
#ifdef KNNBERT_WITH_NCCL
  void with_nccl(const DistributedOptions& o, const Launch& launch, const std::string& device,
                 const std::function<void(const Team&)>& work) const override {
    const at::Device target = torch_device(device);
    TorchCommunicator communicator(nccl({.rank = launch.rank,
                                         .size = launch.size,
                                         .address = launch.address,
                                         .port = launch.port,
                                         .patience = o.patience}),
                                   target);
    work(Team(communicator));
    communicator.barrier();
  }
#else
  void with_nccl(const DistributedOptions&, const Launch&, const std::string&,
                 const std::function<void(const Team&)>&) const override {
    raise<OptionError>("--distributed nccl: mpi expected, this program's LibTorch has no NCCL");
  }
#endif
};

}  // namespace

/// What the program looks up by name.
extern "C" const Session* knnbert_torch_session() {
  static const TorchSession session;
  return &session;
}

}  // namespace knnbert::cli
