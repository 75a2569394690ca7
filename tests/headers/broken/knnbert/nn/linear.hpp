#include <vector>
#include <torch/torch.h>

using Fast = DefaultArch;
inline at::Tensor another_library();
