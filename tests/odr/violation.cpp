// What arch_in_names.sh must find: the name of the function does not tell for which instruction set it was compiled.
#include "knnbert/metric/cosine.hpp"

inline void prepare(knnbert::View rows) { knnbert::Cosine{}.prepare(rows); }

void (*use)(knnbert::View) = prepare;
