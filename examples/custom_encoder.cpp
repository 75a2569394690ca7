// An encoder of one's own: a text is the mean of its tokens' vectors, which start as BERT's. Nothing else changes.
#include <cstdio>
#include <knnbert/knnbert.hpp>
using namespace knnbert;

struct Bag : EncoderDefaults {
  using config_type = std::array<index_t, 2>;  // words, width
  using tape_type = EmbeddingTape;
  static constexpr const char* tensor = "embeddings.word_embeddings.weight";  // in BERT's files and in its own
  config_type size;
  index_t vectors = -1;  // number of the parameter
  explicit Bag(const config_type& config) : size(config) {}
  index_t vocabulary_size() const { return size[0]; }
  index_t width() const { return size[1]; }
  void declare_lookup(ParameterTable& table) { vectors = table.add_lookup(tensor, size[0], size[1]); }
  void encode(const ParameterBlock& values, const EncoderInput& in, const auto&, View means, auto&&...) const {
    in.require_tokens("Bag::encode");
    means.fill(0);
    for (index_t i = 0; i < means.rows(); ++i)
      for (const index_t id : in.batch.text(i))
        for (index_t c = 0; c < width(); ++c)
          means(i, c) += values.slice(vectors)[id * width() + c] / float(in.batch.length(i));
  }
  void forward(const ParameterBlock& values, const EncoderInput& in, const auto& options, auto& tape, auto&&...) const {
    encode(values, in, options, tape.start(in.batch, width()));
  }
  void backward(const ParameterBlock&, const EmbeddingTape& tape, const EncoderGradients& g, auto&&...) const {
    g.require_embedding_only("Bag::backward");
    if (!g.parameters || g.d_embedding.empty()) return;
    for (index_t i = 0; i < tape.batch().size(); ++i)
      for (const index_t id : tape.batch().text(i)) {
        g.parameters->touch(id);
        float* d = g.parameters->slice(vectors) + id * width();
        for (index_t c = 0; c < width(); ++c) d[c] += g.d_embedding(i, c) / float(tape.batch().length(i));
      }
  }
  struct checkpoint_type {
    SafeTensors file;
    explicit checkpoint_type(const std::filesystem::path& folder) : file(folder / "model.safetensors") {}
    config_type config() const { return {file.at(tensor).dimension(0), file.at(tensor).dimension(1)}; }
    void read(const Bag& bag, ParameterBlock& values) const { read_parameter(file, bag.vectors, values); }
    static void write_weights(const Bag& bag, const ParameterBlock& values, const auto&, const auto& folder) {
      SafeTensorsWriter out;
      add_parameter(values, bag.vectors, tensor, out);
      out.write(folder / "model.safetensors");
    }
  };
};
struct MyStack : DefaultStack {
  using encoder_type = Bag;
};
int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: custom_encoder ENCODER TRAIN.tsv OUTPUT\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes());
  Trainer(model, {.epochs = 5, .learning_rate = 1e-3f}, CrossEntropy{0.9f}, QueueContrastive()).fit(train);
  model.index(train);
  model.save(argv[3]);
  std::printf("%s\n", Classifier<MyStack>::load(argv[3]).predict(train.text(0)).class_name.c_str());
}
