// Losses against PyTorch: tests/reference/losses.py writes the dump.
#include "../dump.hpp"
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/loss/in_batch_contrast.hpp"
#include "knnbert/loss/released_scl.hpp"
#include "knnbert/loss/squared_error.hpp"
#include "knnbert/loss/symmetric_kl.hpp"
#include "knnbert/metric/cosine.hpp"

using namespace knnbert;
using namespace knnbert_test;

namespace {

void check(const SafeTensors& dump, const std::string& name, float value, const char* input, ConstView gradient) {
  CAPTURE(name, input);
  CHECK(value == approx(doubles_of(dump, name + ".value")[0]).epsilon(1e-6));
  CHECK(relative_difference(gradient, matrix_of(dump, name + ".d_" + input)) < 2e-6);
}

template <class D>
void check_pair(const SafeTensors& dump, const std::string& name, const D& divergence) {
  const Matrix a = matrix_of(dump, "a"), b = matrix_of(dump, "b");
  Matrix d_a(a.rows(), a.cols()), d_b = d_a;
  const float value = divergence(a, b, d_a, d_b);
  check(dump, name, value, "a", d_a);
  if (dump.find(name + ".d_b")) check(dump, name, value, "b", d_b);
}

void check_contrast(const SafeTensors& dump, const std::string& name, const std::string& labels, float temperature) {
  const Matrix raw = matrix_of(dump, "raw");
  Matrix z = raw, d(raw.rows(), raw.cols());
  Cosine{}.prepare(z);
  const float value = InBatchContrast{temperature}(z, labels_of(dump, labels), d);
  Cosine{}.prepare_backward(raw, z, d, d);
  check(dump, name, value, "raw", d);
}

}  // namespace

TEST_CASE("losses and gradients agree with PyTorch", "[loss][reference]") {
  const auto dump = open_dump("losses.safetensors");
  if (!dump) return;
  const Matrix a = matrix_of(*dump, "a");
  auto labels = labels_of(*dump, "labels");
  Matrix d(a.rows(), a.cols());
  check(*dump, "cross_entropy.0.0", CrossEntropyLoss{}(a, labels, d), "a", d);
  check(*dump, "cross_entropy.0.1", CrossEntropyLoss{0.1f}(a, labels, d), "a", d);
  for (auto& label : labels) label %= 3;
  check(*dump, "released_scl", ReleasedSclLoss{2.0f}(a, labels, d), "a", d);
  check_pair(*dump, "symmetric_kl", SymmetricKl{});
  check_pair(*dump, "half_detached", SymmetricKl{.half_detached = true});
  check_pair(*dump, "stable_kl", StableKl{});
  check_pair(*dump, "squared_error.mean", SquaredErrorLoss{});
  check_pair(*dump, "squared_error.batch_mean", SquaredErrorLoss{SquaredErrorReduction::batch_mean});
  check_pair(*dump, "squared_error.sum", SquaredErrorLoss{SquaredErrorReduction::sum});
  check_contrast(*dump, "supervised", "classes", 0.3f);
  check_contrast(*dump, "views", "pairs", 0.05f);
}
