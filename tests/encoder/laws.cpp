#include "knnbert/testing/encoder_laws.hpp"

#include "encoder/tiny.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/encoder/bert_files.hpp"
#include "knnbert/testing/archetypes.hpp"

using namespace knnbert_test;
using knnbert::testing::encoder_laws, knnbert::testing::stored_encoder_laws;

TEST_CASE("encoder laws: all families of BERT, in values and in files") {
  for (const BertConfig& config : {tiny_config(), tiny_distilbert_config(), tiny_roberta_config()}) {
    CHECK(encoder_laws<Bert>(config, random_batch(config, {5, 1, 12, 24})).empty());
    const TemporaryFolder folder;
    CHECK(stored_encoder_laws<Bert>(config, folder.path()).empty());
    CHECK(BertCheckpoint(folder.path()).config() == config);
  }
}

TEST_CASE("encoder laws: what breaks one is found") {
  struct Forgetful : knnbert::testing::TrainableEncoderArchetype {
    using TrainableEncoderArchetype::TrainableEncoderArchetype;
    void backward(const ParameterBlock& values, const tape_type& tape, const EncoderGradients& gradients,
                  workspace_type& workspace, const Workers& workers) const {
      std::fill_n(gradients.parameters->slice(bias), 3, 0.0f);  // instead of adding
      TrainableEncoderArchetype::backward(values, tape, gradients, workspace, workers);
    }
  };
  struct Neighborly : knnbert::testing::TrainableEncoderArchetype {
    using TrainableEncoderArchetype::TrainableEncoderArchetype;
    void encode(const ParameterBlock& values, const EncoderInput& input, const ForwardOptions& options, View embedding,
                workspace_type& workspace, const Workers& workers) const {
      TrainableEncoderArchetype::encode(values, input, options, embedding, workspace, workers);
      for (index_t i = 0; i < embedding.rows(); ++i) embedding(i, 0) += static_cast<float>(embedding.rows());
    }
  };
  const Batch batch = random_batch(tiny_config(), {5, 1, 12});
  CHECK(encoder_laws<knnbert::testing::TrainableEncoderArchetype>({}, batch).empty());
  const auto forgetful = encoder_laws<Forgetful>({}, batch), neighborly = encoder_laws<Neighborly>({}, batch);
  REQUIRE(forgetful.size() == 1);
  CHECK(forgetful.front() == "backward adds");
  CHECK(neighborly.size() >= 3);
}
