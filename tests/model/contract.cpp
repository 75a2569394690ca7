// A stack whose members say no more than their concepts ask for, through the real classes.
#include "knnbert/testing/archetypes.hpp"

#include "catch.hpp"
#include "io/temporary_folder.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/term/queue_contrastive.hpp"
#include "knnbert/testing/encoder_laws.hpp"
#include "knnbert/train/trainer.hpp"

using namespace knnbert;
using namespace knnbert::testing;
using knnbert_test::TemporaryFolder;

namespace {

struct Archetypes {
  using tokenizer_type = TokenizerArchetype;
  using encoder_type = StoredEncoderArchetype;
  using head_type = HeadArchetype;
  using metric_type = DifferentiableMetricArchetype;
  using voting_type = VotingArchetype;
  using fusion_type = FusionArchetype;
  using optimizer_type = OptimizerArchetype;
  using schedule_type = ScheduleArchetype;
  template <class Metric>
  using queue_type = FifoQueue<Metric>;
  template <class Metric>
  using datastore_type = StoredDatastoreArchetype;
};

Dataset two_texts() { return Dataset({{.text = "a", .label = 0}, {.text = "b", .label = 1}}, {"x", "y"}); }

}  // namespace

TEST_CASE("contract: a classifier asks of a stack what the concepts say") {
  const TemporaryFolder folder;
  Classifier<Archetypes> model(folder.path(), {"x", "y"});
  Trainer(model, {.epochs = 1, .batch_size = 2}, CrossEntropy{0.9f},
          QueueContrastive({.weight = 0.1f, .capacity = 4, .positives = 1}))
      .fit(two_texts(), two_texts());
  model.index(two_texts());
  CHECK(model.predict("a").combined.size() == 2);
  CHECK(model.distributions(model.tokenize(two_texts()).tokens()).combined.rows() == 2);
  const Answers answers = model.answers(model.tokenize(two_texts()).tokens());
  CHECK(model.scope_scores(ScopeScore::energy, answers).size() == 2);
  CHECK_THROWS_AS(model.scope_scores(ScopeScore::class_mean, answers), OptionError);  // no keys are shown
  const std::vector<std::string> texts{"c"};
  model.add(texts, "z");
  CHECK(model.classes()->size() == 3);
  model.remove(std::vector<example_id>{1});
}

TEST_CASE("contract: an encoder that cannot be trained predicts, and a pass that is kept is refused") {
  struct Untrained : Archetypes {
    struct encoder_type : EncoderArchetype {
      struct checkpoint_type {
        explicit checkpoint_type(const std::filesystem::path&) {}
        config_type config() const { return {}; }
        void read(const encoder_type&, ParameterBlock&) const {}
        static void write_weights(const encoder_type&, const ParameterBlock&, const CheckpointFacts&,
                                  const std::filesystem::path&) {}
      };
      using EncoderArchetype::EncoderArchetype;
    };
  };
  const TemporaryFolder folder;
  Classifier<Untrained> model(folder.path(), {"x", "y"});
  model.index(two_texts());
  CHECK(model.predict("a").combined.size() == 2);
  const auto& network = model.network();
  Network<Untrained>::pass_type pass;
  const Batch batch = model.tokenize(two_texts()).tokens();
  network.forward(network.values(), batch, {.keep = Keep::nothing}, pass);
  CHECK(pass.logits().rows() == 2);
  CHECK_THROWS_AS(network.forward(network.values(), batch, {.keep = Keep::all}, pass), OptionError);
}
