// Rows on a device and numbers that nobody has read: what stays there until somebody asks.
#include "torch/twins.hpp"

#include <ATen/record_function.h>

#include <atomic>

#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

at::Tensor tensor_of(ConstView rows) { return knnbert::detail::to_device(rows, at::kCPU); }

/// How often main memory asks a tensor for a number, while it exists; but for torch's AdamW, which on the CPU alone
/// reads its count of steps.
class Reads {
 public:
  Reads() : before_(count) {
    const auto start = [](const at::RecordFunction& f) -> std::unique_ptr<at::ObserverContext> {
      in_adamw += is_adamw(f);
      count += in_adamw == 0 && std::string_view(f.name()) == "aten::_local_scalar_dense";
      return nullptr;
    };
    const auto end = [](const at::RecordFunction& f, at::ObserverContext*) { in_adamw -= is_adamw(f); };
    handle_ = at::addGlobalCallback(at::RecordFunctionCallback(start, end).scopes({at::RecordScope::FUNCTION}));
  }
  ~Reads() { at::removeCallback(handle_); }
  Reads(const Reads&) = delete;
  int operator()() const { return count - before_; }

 private:
  static bool is_adamw(const at::RecordFunction& f) { return std::string_view(f.name()) == "aten::_fused_adamw_"; }
  static inline std::atomic<int> count = 0, in_adamw = 0;
  int before_;
  at::CallbackHandle handle_;
};

/// A term behind others: whether rows of the step have come to main memory by then.
struct Watch {
  static constexpr std::string_view name = "watch";
  bool* crossed;
  TermValue add(auto& context) const {
    *crossed = *crossed || context.embedding.in_main_memory() || context.logits.in_main_memory() ||
               context.d_logits.in_main_memory();
    return std::nullopt;
  }
};

}  // namespace

TEST_CASE("torch rows: whoever reads the older copy sees what was written last") {
  const Matrix a = random_matrix(3, 5, 1), b = random_matrix(3, 5, 2);
  TorchRows rows;
  rows.resize(3, 5);
  rows.fill(0);
  CHECK(rows.in_main_memory());
  rows.add(tensor_of(a));
  CHECK_FALSE(rows.in_main_memory());
  rows.add(tensor_of(b));
  CHECK(rows(1, 2) == a(1, 2) + b(1, 2));
  CHECK(rows.in_main_memory());
  static_cast<View>(rows)(1, 2) = 7;
  CHECK(rows.on(at::kCPU)[1][2].item<float>() == 7);
  CHECK(rows.on(at::kCPU)[2][4].item<float>() == a(2, 4) + b(2, 4));
  rows.assign(tensor_of(b));
  CHECK(rows.row(2)[4] == b(2, 4));
  rows.resize(2, 4);
  rows.fill(3);
  CHECK(at::equal(rows.on(at::kCPU), at::full({2, 4}, 3.0f)));
}

TEST_CASE("torch rows: functions take them as they take a matrix") {
  const Matrix a = random_matrix(3, 5, 1);
  TorchRows rows;
  rows.assign(tensor_of(a));
  const TorchInput lent(rows), copied(a);
  CHECK_FALSE(rows.in_main_memory());
  CHECK(at::equal(lent.on(at::kCPU), copied.on(at::kCPU)));
  CHECK((lent.rows() == 3 && lent.cols() == 5 && !lent.empty() && TorchInput().empty()));
  CHECK_THROWS_AS(require_shape("rows", lent, 3, 4), ShapeError);
}

TEST_CASE("torch cross entropy: value and gradient are those in main memory") {
  const std::vector<label_t> labels{2, 0, 1, 1};
  const Matrix logits = random_matrix(4, 3, 3);
  const std::vector<float> weights{0.5f, 2, 1.25f};
  for (const auto& loss : {CrossEntropyLoss{}, CrossEntropyLoss{0.2f}, CrossEntropyLoss{1},
                           CrossEntropyLoss{0, weights}, CrossEntropyLoss{0.2f, weights}}) {
    Matrix expected = random_matrix(4, 3, 4);
    TorchRows rows, gradient;
    rows.assign(tensor_of(logits)), gradient.assign(tensor_of(expected));
    const auto value = add_weighted(loss, rows, labels, 0.7f, gradient);
    CHECK(value == approx(static_cast<float>(add_weighted(loss, logits, labels, 0.7f, expected))).epsilon(1e-5));
    CHECK(difference(gradient, expected) < 1e-6);
    CHECK_THROWS_AS(add_weighted(loss, rows, std::vector<label_t>{0, 1, 2, 3}, 1, gradient), ShapeError);
  }
  TorchRows certain, gradient;
  Matrix sure(1, 2);
  sure(0, 0) = 0, sure(0, 1) = -std::numeric_limits<float>::infinity();
  certain.assign(tensor_of(sure));
  gradient.assign(at::zeros({1, 2}));
  CHECK(add_weighted(CrossEntropyLoss{}, certain, std::vector<label_t>{0}, 1, gradient) == 0.0f);
}

TEST_CASE("torch training: a step with cross entropy waits for nobody, before its report is read") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  Classifier<TorchStack> model(folder / "encoder", tiny_classes, tiny_options());
  const TrainingData data = model.tokenize(tiny_data());
  bool crossed = false;
  Stepper stepper(model.network(), data, TrainerOptions{.clip_norm = 1}, CrossEntropy{}, Watch{&crossed});
  std::vector<index_t> all(static_cast<std::size_t>(data.size()));
  std::iota(all.begin(), all.end(), index_t{0});
  stepper.step({}, all, 1e-3f);
  const Reads reads;
  const StepReport& report = stepper.step({.step = 1}, all, 1e-3f);
  CHECK_FALSE(crossed);
  CHECK(reads() == 0);
  CHECK_FALSE((report.loss.known() || report.gradient_norm.known() || report.finite.known()));
  CHECK(report.loss > 0);
  CHECK(report.finite);
  CHECK(reads() == 2);
  CHECK(*report.terms[0].second == report.loss);
}
