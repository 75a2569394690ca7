// expect: a vote or fusion with members: settings\(visit\) expected for saving
#include "knnbert/model/classifier_files.hpp"

struct Weighted {
  float alpha = 0.5f;

#ifdef KNNBERT_FIXED
  template <class Visit>
  void settings(Visit&& visit) {
    visit("alpha", alpha, 0.0f, 1.0f);
  }
#endif
  void operator()(std::span<const float>, std::span<const float>, std::span<float>) const {}
};

struct Stack : knnbert::DefaultStack {
  using fusion_type = Weighted;
};

void save(const knnbert::Classifier<Stack>& model) { model.save("model"); }
