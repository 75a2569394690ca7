// A head of one's own: logits are cosines, so that long embeddings are no surer than short ones.
#include <cmath>
#include <cstdio>
#include <knnbert/knnbert.hpp>

/// One linear layer over embeddings of length `scale`.
struct CosineHead : knnbert::MlpHead {
  using Base = knnbert::MlpHead;
  static constexpr float scale = 16;
  struct tape_type {
    knnbert::HeadTape linear;
    knnbert::Matrix unit;       // [B, H], rows of length `scale`
    std::vector<float> length;  // of the rows before
    mutable knnbert::Matrix d_unit;
  };

  static CosineHead declare(knnbert::ParameterTable& table, const std::string& name, knnbert::index_t inputs,
                            knnbert::HeadOptions options) {
    options.hidden_layer = false;
    return {Base::declare(table, name, inputs, options)};
  }
  void forward(const knnbert::ParameterBlock& values, knnbert::ConstView x, const std::optional<knnbert::Rng>& dropout,
               knnbert::index_t first_example, tape_type& tape, knnbert::View out) const {
    tape.unit.resize(x.rows(), x.cols());
    tape.length.clear();
    for (knnbert::index_t i = 0; i < x.rows(); ++i) {
      float squares = 1e-12f;
      for (const float v : x.row(i)) squares += v * v;
      tape.length.push_back(std::sqrt(squares));
      for (knnbert::index_t k = 0; k < x.cols(); ++k) tape.unit(i, k) = x(i, k) * scale / tape.length.back();
    }
    Base::forward(values, tape.unit, dropout, first_example, tape.linear, out);
  }
  void backward(const knnbert::ParameterBlock& values, const tape_type& tape, knnbert::ConstView d_out,
                knnbert::Gradients* gradients, knnbert::View d_x, const knnbert::Workers& workers) const {
    tape.d_unit.resize(d_x.rows(), d_x.cols());
    tape.d_unit.fill(0);
    Base::backward(values, tape.linear, d_out, gradients, tape.d_unit, workers);
    for (knnbert::index_t i = 0; i < d_x.rows(); ++i) {  // only what is across the row moves its direction
      float along = 0;
      for (knnbert::index_t k = 0; k < d_x.cols(); ++k) along += tape.unit(i, k) * tape.d_unit(i, k);
      for (knnbert::index_t k = 0; k < d_x.cols(); ++k)
        d_x(i, k) += (tape.d_unit(i, k) * scale - tape.unit(i, k) * along / scale) / tape.length[std::size_t(i)];
    }
  }
};

struct MyStack : knnbert::DefaultStack {
  using head_type = CosineHead;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_head ENCODER TRAIN.tsv\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes());
  struct Printer : SilentObserver {
    void epoch(const EpochReport& report) {
      std::printf("epoch %td: loss %.3f\n", report.epoch, double(report.mean_loss));
    }
  } printer;
  Trainer(model, {.epochs = 3, .batch_size = 8, .learning_rate = 1e-4f}, CrossEntropy{}).fit(train, {}, printer);
}
