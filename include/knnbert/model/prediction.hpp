#pragma once
#include <string>
#include <vector>

#include "knnbert/core/types.hpp"

namespace knnbert {

/// A labeled example that supports a prediction.
struct Evidence {
  example_id id;
  label_t label;
  std::string class_name;
  float similarity;
  std::string text;
};

/// A classified text. The three distributions are over all classes of the classifier.
struct Prediction {
  label_t label = 0;
  std::string class_name;
  float probability = 0;             ///< of `label` in `combined`
  std::vector<float> knn, head, combined;
  std::vector<Evidence> neighbors;   ///< closest first
};

}  // namespace knnbert
