#pragma once
#include "knnbert/model/classifier_files.hpp"
#include "options.hpp"
#ifdef KNNBERT_PROGRAM_TORCH_UNIT
#include "knnbert/torch/stack.hpp"
#endif

namespace knnbert::cli {

#if defined(KNNBERT_DISPATCH)
using Stack = DefaultStack;
#else
struct Stack : DefaultStack {
  using encoder_type = BasicBert<DefaultArch, AnyPrecision>;
  template <class Metric>
  using datastore_type = FlatDatastore<Metric, AnyPrecision>;
};
#endif

/// The same by LibTorch. The files of the verbs are compiled twice: as they are, and with KNNBERT_PROGRAM_TORCH_UNIT
/// for this stack alone, into a library beside the program: LibTorch takes longer to load than a prediction takes.
#ifdef KNNBERT_PROGRAM_TORCH_UNIT
using TorchProgram = TorchStack;
#else
struct TorchProgram;
#endif

/// A function of that library.  Errors: OptionError, if it is not there or does not load.
void* torch_function(const char* name);
bool has_torch();

/// Calls knnbert_torch_<name>(arguments).
template <class... A>
void call_torch(const char* name, const A&... arguments) {
  reinterpret_cast<void (*)(const A&...)>(torch_function(name))(arguments...);
}

/// verb<S>() for the stack that --backend names.  Errors: OptionError, if the program was built without it.
template <class Verb>
void with_stack(const CommonOptions& o, Verb&& verb) {
  if (o.backend == "native") return verb.template operator()<Stack>();
  call_torch("knnbert_torch_threads", threads_of(o));
  verb.template operator()<TorchProgram>();
}

/// Refuses a --max-length (0: none given) that the encoder in a directory does not have.  Errors: OptionError, IoError,
/// FormatError.
inline void require_length(index_t given, const std::string& directory) {
  if (given == 0) return;
  const index_t most = read_bert_config(directory).max_length();
  if (given < 3 || given > most)
    raise<OptionError>("--max-length: {} given, 3 to {} expected, what the model in {} allows", given, most, directory);
}

template <class S>
Classifier<S> load_model(const std::string& directory, const CommonOptions& o, Loading loading = Loading::complete) {
  return Classifier<S>::load(directory, threads_of(o), precision_of(o), loading, o.device);
}

}  // namespace knnbert::cli

#if !defined(KNNBERT_DISPATCH)  // which has compiled them
extern template class knnbert::BasicBert<knnbert::DefaultArch, knnbert::AnyPrecision>;
extern template class knnbert::Classifier<knnbert::cli::Stack>;
#endif
