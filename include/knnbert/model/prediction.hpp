#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knnbert/core/error.hpp"
#include "knnbert/core/types.hpp"
#include "knnbert/model/decision.hpp"
#include "knnbert/voting/certificate.hpp"

namespace knnbert::inline v0_1 {

/// A labeled example that supports a prediction.
struct Evidence {
  example_id id;
  label_t label;
  std::string class_name;
  float similarity;
  std::string text;
  std::string pair = {};  ///< second text, empty if there is none
};

/// Neighbors of a text, closest first; none if the datastore is empty.
class NeighborList : public std::vector<Evidence> {
 public:
  using std::vector<Evidence>::vector;
  /// The closest one.  Errors: StateError, if there is none.
  const Evidence& front() const {
    if (empty())
      raise<StateError>("NeighborList::front: no neighbors, the datastore was empty; fill it with index() or add()");
    return std::vector<Evidence>::front();
  }
};

/// A classified text. The three distributions are over all classes of the classifier; of a multi-label model they are
/// probabilities of each class by itself, of a regression they hold one number each.
struct Prediction {
  label_t label = 0;
  std::string class_name;
  float probability = 0;  ///< of `label` in `combined`
  std::vector<float> knn, head, combined;
  std::shared_ptr<const std::vector<std::string>> classes;  ///< names of theirs, in the same order
  NeighborList neighbors;
  /// Why the text counts as out of scope, if the model rejects it; `label` is then what it would be called otherwise.
  std::optional<Rejection> rejection = {};
  /// How many examples of the datastore can be removed, added or altered before the vote's and the combined answer may
  /// change, rejection apart.
  Certificate certificate = {};
  std::vector<label_t> labels = {};  ///< multi-label: the classes whose probability reaches their threshold
  std::optional<float> value = {};   ///< regression: the number in `combined`

  /// Of a class by name, in `combined`.  Errors: OptionError for one that the classifier does not have.
  float probability_of(std::string_view name) const {
    for (std::size_t c = 0; classes && c < classes->size(); ++c)
      if ((*classes)[c] == name) return combined[c];
    raise<OptionError>("Prediction::probability_of: class '{}' given, one of the classifier's expected", name);
  }
};

}  // namespace knnbert::inline v0_1
