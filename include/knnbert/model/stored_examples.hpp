#pragma once
#include "knnbert/model/classifier.hpp"

namespace knnbert::inline v0_1 {

/// The examples of a model's datastore at one moment, in its order, with the model's classes. Keys that came without
/// texts have empty ones.
template <class Stack>
Dataset stored_examples(const Classifier<Stack>& model) {
  const auto view = [&] {  // before the class names, which only grow
    if constexpr (requires { model.datastore().snapshot(); }) return model.datastore().snapshot();
    else return &model.datastore();
  }();
  const auto& store = *view;
  const auto ids = store.ids();
  const auto labels = store.labels();
  std::vector<Example> examples;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    examples.push_back({std::string(store.text(ids[i])), {}, labels[i]});
    if constexpr (requires { store.pair(ids[i]); }) examples.back().pair = store.pair(ids[i]);
  }
  return Dataset(std::move(examples), *model.classes());
}

}  // namespace knnbert::inline v0_1
