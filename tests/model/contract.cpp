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
  using queue_type = TrainingQueueArchetype;
  template <class Metric>
  using datastore_type = StoredDatastoreArchetype;
};

/// Counts what is done with texts.
struct Counting : Archetypes {
  struct tokenizer_type : TokenizerArchetype {
    static inline index_t texts = 0;
    void append(std::string_view text, Batch& batch, index_t max_length) const {
      ++texts;
      TokenizerArchetype::append(text, batch, max_length);
    }
    void append(std::string_view text, std::string_view, Batch& batch, index_t max_length) const {
      append(text, batch, max_length);
    }
    static tokenizer_type load(const std::filesystem::path&) { return {}; }
  };
  template <class Metric>
  struct datastore_type : OwnedDatastoreArchetype {
    static inline index_t queries = 0;
    using OwnedDatastoreArchetype::OwnedDatastoreArchetype;
    NeighborLists search(ConstView rows, index_t k) const {
      queries += rows.rows();
      return DatastoreArchetype::search(rows, k);
    }
  };
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
  model.save(folder / "saved");
  CHECK(Classifier<Archetypes>::load(folder / "saved").predict("a").combined.size() == 3);
}

TEST_CASE("contract: a text is tokenized and looked up once, also by a training with dev data") {
  const TemporaryFolder folder;
  using Tokenizer = Counting::tokenizer_type;
  using Store = Counting::datastore_type<Counting::metric_type>;
  Classifier<Counting> model(folder.path(), {"x", "y"});
  Tokenizer::texts = 0, Store::queries = 0;
  CHECK(model.predict({"a", "b", "c"}).size() == 3);
  CHECK(Tokenizer::texts == 3);
  CHECK(Store::queries == 3);

  Tokenizer::texts = 0, Store::queries = 0;
  Trainer(model, {.epochs = 3, .batch_size = 1}, CrossEntropy{}).fit(two_texts(), two_texts());
  CHECK(Tokenizer::texts == 4);    // whatever the number of epochs
  CHECK(Store::queries == 3 * 2);  // dev texts
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
