// What the program asks LibTorch directly.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>

#include "distributed.hpp"
#include "stack.hpp"
#ifdef KNNBERT_WITH_NCCL
#include "knnbert/torch/nccl.hpp"
#endif

namespace knnbert::cli {

extern "C" void knnbert_torch_threads(const index_t& threads) { at::set_num_threads(static_cast<int>(threads)); }

extern "C" void knnbert_torch_description(std::string& text) {
  const auto devices = at::hasCUDA() ? static_cast<index_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
  text = format("LibTorch {}, {} CUDA devices", TORCH_VERSION, devices);
}

#ifdef KNNBERT_WITH_NCCL
extern "C" void knnbert_torch_with_nccl(const DistributedOptions& o, const Launch& launch, const std::string& device,
                                        const std::function<void(const Team&)>& work) {
  const at::Device place = torch_device(device);
  TorchCommunicator communicator(nccl({.rank = launch.rank,
                                       .size = launch.size,
                                       .address = launch.address,
                                       .port = launch.port,
                                       .patience = o.patience}),
                                 place);
  work(Team(communicator));
  communicator.barrier();
}
#else
extern "C" void knnbert_torch_with_nccl(const DistributedOptions&, const Launch&, const std::string&,
                                        const std::function<void(const Team&)>&) {
  raise<OptionError>("--distributed nccl: mpi expected, this program's LibTorch has no NCCL");
}
#endif

}  // namespace knnbert::cli
