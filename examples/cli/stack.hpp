#pragma once
#include "knnbert/model/classifier_files.hpp"
#include "output.hpp"
#include "session.hpp"
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

/// The stack that a verb's file is compiled for.
#ifdef KNNBERT_PROGRAM_TORCH_UNIT
using ProgramStack = TorchStack;
#else
using ProgramStack = Stack;
#endif

/// Refuses a --max-length (0: none given) that the encoder in a directory does not have.  Errors: OptionError, IoError,
/// FormatError.
inline void require_length(index_t given, const std::string& directory) {
  if (given == 0) return;
  const index_t most = read_bert_config(directory).max_length();
  if (given < 3 || given > most)
    raise<OptionError>("--max-length: {} given, 3 to {} expected, what the model in {} allows", given, most, directory);
}

/// Refuses more --frozen-layers than the encoder in a directory has.  Errors: as above.
inline void require_layers(index_t frozen, const std::string& directory) {
  if (frozen == 0) return;
  const index_t most = read_bert_config(directory).num_hidden_layers;
  if (frozen > most)
    raise<OptionError>("--frozen-layers: {} given, at most {} expected, the layers of the encoder in {}", frozen, most,
                       directory);
}

/// What --precision says, else how a model directory was saved; fp32 for an encoder's.  Errors: OptionError where the
/// backend does not have it; IoError, FormatError.
inline Precision precision_for(const std::string& directory, const CommonOptions& o) {
  if (const auto given = precision_of(o)) return *given;
  const auto path = std::filesystem::path(directory) / "knnbert.json";
  if (!committed_exists(path)) return Precision::fp32;
  const std::string name = read_model_file(path).precision;
  const auto own = detail::from_file(path.string(), [&] { return precision_from(name); });
  if (own == Precision::int8 && o.backend == "torch")
    raise<OptionError>("--backend torch: {} was saved in int8, --precision fp32 or bf16 expected", directory);
  return own;
}

/// Errors: FormatError for an encoder's directory, which is taken for a model's easily.
inline void require_model(const std::filesystem::path& directory) {
  if (!committed_exists(directory / "knnbert.json") && committed_exists(directory / "config.json"))
    raise<FormatError>("{}: an encoder given, a model expected, such as `train --encoder {} --output MODEL` writes",
                       directory.string(), directory.string());
}

template <class S>
Classifier<S> load_model(const std::string& directory, const CommonOptions& o, Loading loading = Loading::complete) {
  require_model(directory);
  if (o.backend == "torch") precision_for(directory, o);
  return Classifier<S>::load(directory, threads_of(o), precision_of(o), loading, o.device);
}

/// The same of a model that is saved again with the keys that it has.  Errors: OptionError for another precision than
/// these were made with.
template <class S>
Classifier<S> load_to_change(const std::string& directory, const CommonOptions& o) {
  require_model(directory);
  const auto own = read_model_file(std::filesystem::path(directory) / "knnbert.json").precision;
  if (!o.precision.empty() && o.precision != own)
    raise<OptionError>("--precision {}: {} expected, with which the keys in {} were made; `index` makes them anew",
                       o.precision, own, directory);
  return load_model<S>(directory, o);
}

/// What `calibrate` has chosen speaks of the model as it was. with: what is another now.
template <class S>
void warn_of_calibration(const Classifier<S>& model, std::string_view with) {
  const Decision& d = model.decision();
  if (d.rejection || d.temperature != 1)
    print_warning(format("calibration: it was measured with {}; `calibrate` measures it again", with));
}

/// Lets other neighbors vote, with another weight; 0 and a negative phi: as the model says.
template <class S>
void set_vote(Classifier<S>& model, index_t neighbors, float phi = -1) {
  const index_t own_neighbors = model.neighbors();
  const float own_phi = model.fusion().phi;
  if (neighbors > 0) model.set_neighbors(neighbors);
  if (phi >= 0) model.fusion().phi = phi;
  if (model.neighbors() == own_neighbors && model.fusion().phi == own_phi) return;
  const Decision& d = model.decision();  // the other scores are those of any number of neighbors, and of any phi
  if (d.temperature != 1 || (d.rejection && d.rejection->score == ScopeScore::max_probability))
    warn_of_calibration(model, format("{} neighbors and phi {}", own_neighbors, own_phi));
}

}  // namespace knnbert::cli

#if !defined(KNNBERT_DISPATCH)  // which has compiled them
extern template class knnbert::BasicBert<knnbert::DefaultArch, knnbert::AnyPrecision>;
extern template class knnbert::Classifier<knnbert::cli::Stack>;
#endif
