#pragma once
#include "knnbert/io/directory.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/io/parameter_files.hpp"
#include "knnbert/model/fingerprint.hpp"
#include "knnbert/pretrain/masked_language_model.hpp"

/// Directories of MaskedLanguageModel.
namespace knnbert::inline v0_1 {

template <class Stack>
BasicMaskedLanguageModel<Stack> BasicMaskedLanguageModel<Stack>::load(const std::filesystem::path& directory,
                                                                      const MaskedLanguageOptions& options) {
  const BertCheckpoint checkpoint(directory);
  require_bert(checkpoint.config(), directory.string());
  BasicMaskedLanguageModel model(tokenizer_type::load(directory), checkpoint.config(), options);
  checkpoint.read(model.network_.encoder(), model.network_.values());
  model.read_head(checkpoint.tensors(), directory.string());
  model.refresh();
  return model;
}

/// The head, if the checkpoint has one; all of it then.
template <class Stack>
void BasicMaskedLanguageModel<Stack>::read_head(const SafeTensorsDirectory& tensors, const std::string& name) {
  const ParameterTable& own = head_values_.table();
  const auto find = [&](const std::string& parameter) {
    auto found = tensors.find(parameter);
    return found ? found : tensors.find(old_style_name(parameter));
  };
  index_t count = 0;
  for (const Parameter& p : own.all()) count += find(p.name) ? 1 : 0;
  if (count == 0) return;
  for (index_t p = 0; p < own.count(); ++p) {
    const auto tensor = find(own[p].name);
    if (!tensor) raise<FormatError>("{}: tensor '{}' is missing", name, own[p].name);
    tensor->require_floats();
    tensor->require_shape(own[p].vector ? Shape{own[p].cols} : Shape{own[p].rows, own[p].cols});
    const auto floats = tensor->as_floats();
    if (!all_finite(floats)) raise<FormatError>("{}: NaN or infinity given, finite numbers expected", tensor->name);
    head_values_.write(p, ConstView(floats.data(), own[p].rows, own[p].cols));
  }
  if (const auto decoder = tensors.find("cls.predictions.decoder.weight")) {
    decoder->require_shape(Shape{words(), network_.width()});
    const auto floats = decoder->as_floats();
    if (!std::equal(floats.begin(), floats.end(), table().data()))
      raise<FormatError>("{}: '{}' differs from the word embeddings, a tied decoder expected", name, decoder->name);
  }
  head_loaded_ = true;
}

template <class Stack>
template <class More>
void BasicMaskedLanguageModel<Stack>::save(const DirectoryLock& lock, More&& more) const {
  DirectoryChange change(lock);
  const auto& folder = change.folder();
  const BertConfig& config = network_.encoder().config();
  write_bert_config(folder, config);
  OrderedJson json = OrderedJson::parse(read_text(folder / "config.json"));
  json["architectures"] = {"BertForMaskedLM"};
  json["tie_word_embeddings"] = true;
  write_json(folder / "config.json", json);
  SafeTensorsWriter file;
  add_bert_tensors(network_.encoder().layers(), network_.values(), "bert.", file, *config.family);
  for (index_t p = 0; p < head_values_.table().count(); ++p)
    add_parameter(head_values_, p, head_values_.table()[p].name, file);
  file.metadata("format", "pt");
  file.write(folder / "model.safetensors");
  tokenizer_.save(folder);
  more(folder);
  change.commit("config.json");
}

}  // namespace knnbert::inline v0_1
