#include "stack.hpp"

#include <dlfcn.h>

#if !defined(KNNBERT_DISPATCH)
template class knnbert::BasicBert<knnbert::DefaultArch, knnbert::AnyPrecision>;
template class knnbert::Classifier<knnbert::cli::Stack>;
#endif

namespace knnbert::cli {

namespace {

/// Found by the program's run path, which is its own folder; null where it was not built.
void* torch_library() {
  static void* const library = ::dlopen("libknnbert_torch.so", RTLD_NOW | RTLD_LOCAL);
  return library;
}

}  // namespace

bool has_torch() { return torch_library() != nullptr; }

void* torch_function(const char* name) {
  if (!has_torch()) {
    const char* why = ::dlerror();
    raise<OptionError>("--backend torch: native expected, this program has no LibTorch ({})",
                       why ? why : "libknnbert_torch.so does not load");
  }
  void* const function = ::dlsym(torch_library(), name);
  if (!function)
    raise<OptionError>("--backend torch: libknnbert_torch.so has no {}; it must be of the same build as the program",
                       name);
  return function;
}

}  // namespace knnbert::cli
