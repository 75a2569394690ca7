// Terms as users write them, by LibTorch: the same code as tests/term/user_terms.cpp runs by this library's own
// kernels.
#include "torch/twins.hpp"

#include "term/user_terms_reference.hpp"

using namespace knnbert_test;

TEST_CASE("user terms by torch: values and gradients are those of PyTorch's autograd") {
  const auto place = folder_with(terms_dump);
  if (!place) return;
  TermsReference<Network<TorchStack>>(*place).check_all();
}
