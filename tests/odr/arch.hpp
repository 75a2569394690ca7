#pragma once
#include <string>
#include <vector>

/// What one unit computed, and for which instruction set.
struct ArchResult {
  std::string arch;
  std::vector<float> values;
};

namespace baseline {
ArchResult compute();
}
namespace avx2 {
ArchResult compute();
}
