#pragma once
#include <optional>
#include <string>

#include "knnbert/core/precision.hpp"
#include "knnbert/encoder/pooling.hpp"
#include "knnbert/model/target_table.hpp"

namespace knnbert::inline v0_1 {

/// What the datastore holds: the projected features that the contrastive loss shapes, or the encoder's embedding.
enum class Feature { contrastive, embedding };

/// How much of a model directory is loaded: all of it, or what predictions need.
enum class Loading { complete, predictions };

struct ClassifierOptions {
  static constexpr index_t most_neighbors = index_t{1} << 20;

  std::optional<Pooling> pooling = {};  ///< none: as sentence-transformers' files in the encoder's directory say, else
                                        ///< mean
  bool head_hidden_layer = true;        ///< false: one linear layer, as Hugging Face's sequence classifiers have
  index_t projection_width = 0;         ///< D of the contrastive features; 0: the encoder's width
  Feature feature = Feature::contrastive;
  index_t neighbors = 10;   ///< k of the vote, 1 to most_neighbors
  index_t max_length = 0;   ///< tokens of a text, special tokens included; longer texts are cut. 0: as these
                            ///< files say, else 128
  bool normalized = false;  ///< sentence-transformers scales the saved encoder's embeddings to length 1; also
                            ///< if the directory says so
  index_t threads = 1;
  Precision precision = Precision::fp32;  ///< of the encoder's large products; the stack's encoder has to be compiled
                                          ///< for it
  std::uint64_t seed = 42;                ///< of the heads' first values
  Task task = Task::single_label;         ///< of another one the classes are targets: sets of classes, or numbers
  std::string label_separator = "|";      ///< between the classes of a set
  /// where encoder, heads, queue and datastore compute; others than "cpu": a stack of another backend, which knows
  /// their names
  std::string device = "cpu";
};

}  // namespace knnbert::inline v0_1
