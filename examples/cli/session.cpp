#include "session.hpp"

#include <dlfcn.h>

#include "knnbert/kernel/arch.hpp"
#include "stack.hpp"

#if !defined(KNNBERT_DISPATCH)
template class knnbert::BasicBert<knnbert::DefaultArch, knnbert::AnyPrecision>;
template class knnbert::Classifier<knnbert::cli::Stack>;
#endif

namespace knnbert::cli {

namespace {

struct NativeSession final : SessionOn<Stack> {
  std::string description() const override {
    return format("native backend, instruction set {}", kernel::instruction_set<DefaultArch>());
  }
  void set_threads(index_t) const override {}  // every model has its own
  void with_nccl(const DistributedOptions&, const Launch&, const std::string&,
                 const std::function<void(const Team&)>&) const override {
    raise<OptionError>("--distributed nccl: --backend native given, --backend torch --device cuda expected");
  }
};

struct TorchLibrary {
  const Session* session = nullptr;
  std::string error;
};

/// Found by the program's run path, which is its own folder.
TorchLibrary load_torch() {
  const auto problem = [](const char* fallback) {
    const char* why = ::dlerror();
    return std::string(why ? why : fallback);
  };
  void* const library = ::dlopen("libknnbert_torch.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) return {nullptr, problem("libknnbert_torch.so does not load")};
  using Factory = const Session* (*)();
  const auto factory = reinterpret_cast<Factory>(::dlsym(library, "knnbert_torch_session"));
  if (!factory) return {nullptr, problem("libknnbert_torch.so has no session")};
  return {factory(), {}};
}

const TorchLibrary& torch_library() {
  static const TorchLibrary library = load_torch();
  return library;
}

}  // namespace

const Session* torch_session() { return torch_library().session; }

const Session& session_of(const CommonOptions& o) {
  static const NativeSession native;
  const Session* const session = o.backend == "native" ? &native : torch_session();
  if (!session)
    raise<OptionError>("--backend torch: native expected, this program has no LibTorch ({})", torch_library().error);
  if (session != &native && o.precision == "int8")
    raise<OptionError>("--precision int8: fp32 or bf16 expected with --backend torch");
  session->set_threads(threads_of(o));
  return *session;
}

}  // namespace knnbert::cli
