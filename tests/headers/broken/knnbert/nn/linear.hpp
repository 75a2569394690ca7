#include <vector>
#include <torch/torch.h>

using Fast = DefaultArch;
