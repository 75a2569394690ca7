#pragma once
// Word-substitution attacks: not part of knnbert/knnbert.hpp, so that who does not attack does not compile them.
#include "knnbert/attack/classifier_victim.hpp"
#include "knnbert/attack/nearest_words.hpp"
#include "knnbert/attack/recipes.hpp"
#include "knnbert/attack/result_json.hpp"
