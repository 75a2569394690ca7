#pragma once
#include "knnbert/kernel/default_arch.hpp"

/// Declarations of the types that users name most, without their definitions: Classifier<> can be named from here.
namespace knnbert::inline v0_1 {

struct Batch;
class Dataset;
class WordPiece;
class BytePairEncoding;
class Unigram;
class AnyTokenizer;
struct ClassifierOptions;
struct TrainerOptions;
struct Prediction;
struct CrossEntropy;
template <class Arch = DefaultArch>
struct BasicStack;
using DefaultStack = BasicStack<>;
template <class Stack = DefaultStack>
class Classifier;
template <class Stack, class... Terms>
class Trainer;
template <class Stack>
class OtherExamples;

}  // namespace knnbert::inline v0_1
