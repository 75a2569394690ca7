#pragma once

/// Declarations of the types that users name most, without their definitions.
namespace knnbert {

struct Batch;
class Dataset;
class WordPiece;
struct ClassifierOptions;
struct TrainerOptions;
struct Prediction;
struct CrossEntropy;
template <class Stack>
class Classifier;
template <class Stack, class... Terms>
class Trainer;

}  // namespace knnbert
