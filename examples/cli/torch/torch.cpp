// What the program asks LibTorch directly.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>

#include "stack.hpp"

namespace knnbert::cli {

extern "C" void knnbert_torch_threads(const index_t& threads) { at::set_num_threads(static_cast<int>(threads)); }

extern "C" void knnbert_torch_description(std::string& text) {
  const auto devices = at::hasCUDA() ? static_cast<index_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
  text = format("LibTorch {}, {} CUDA devices", TORCH_VERSION, devices);
}

}  // namespace knnbert::cli
