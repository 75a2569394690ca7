#include <cstdio>
#include <knnbert/core/matrix.hpp>
#include <knnbert/core/rng.hpp>
#include <knnbert/version.hpp>

int main() {
  knnbert::Matrix matrix(2, 3);
  matrix.fill(0.5f);
  std::printf("knnbert %d.%d.%d: %.1f\n", KNNBERT_VERSION_MAJOR, KNNBERT_VERSION_MINOR, KNNBERT_VERSION_PATCH,
              static_cast<double>(matrix(1, 2)));
}
