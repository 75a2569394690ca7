// What the program asks LibTorch directly.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>

#include "stack.hpp"

namespace knnbert::cli {

void set_torch_threads(index_t threads) { at::set_num_threads(static_cast<int>(threads)); }

std::string torch_description() {
  const auto devices = at::hasCUDA() ? static_cast<index_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
  return format("LibTorch {}, {} CUDA devices", TORCH_VERSION, devices);
}

}  // namespace knnbert::cli
