// Part of knnbert::dispatch, see cmake/compiled.cmake.
#include "knnbert/attack/synonyms_impl.hpp"
#include "knnbert/attack/word_vectors_impl.hpp"
#include "knnbert/attack/wordnet_impl.hpp"
#include "knnbert/attack/words_impl.hpp"
