#include <cstdio>
#include <knnbert/torch/flat.hpp>
#include <knnbert/version.hpp>
#include <knnbert/voting/majority.hpp>

int main() {
  using namespace knnbert;
  Matrix rows(2, 3);
  rows.fill(0);
  rows(0, 0) = rows(1, 2) = 1;
  TorchFlat<> store(3);
  store.add(rows, std::vector<label_t>{0, 1});

  float probabilities[2];
  MajorityVoting{}(store.search(View(rows).row_range(1, 1), 1)[0], probabilities);
  std::printf("knnbert %d.%d.%d: %.1f %.1f\n", KNNBERT_VERSION_MAJOR, KNNBERT_VERSION_MINOR, KNNBERT_VERSION_PATCH,
              static_cast<double>(probabilities[0]), static_cast<double>(probabilities[1]));
}
