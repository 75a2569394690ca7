#include "config.hpp"
#include "session.hpp"
#include "signals.hpp"
#include "train.hpp"

namespace knnbert::cli {

namespace {

void add_model_options(CLI::App& verb, TrainOptions& o) {
  verb.add_option("--head", o.head, "classification head")
      ->capture_default_str()
      ->check(CLI::IsMember({"mlp", "linear"}));
  verb.add_option("--pooling", o.pooling,
                  "what represents a text; default: as the encoder's directory says (1_Pooling), else mean")
      ->check(CLI::IsMember({"mean", "pooler", "cls"}));
  verb.add_option("--feature", o.feature,
                  "what the datastore compares; automatic: contrastive features where a queue held some, unless "
                  "--pretrained-weight moves the encoder away from them, else the embedding")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "contrastive", "embedding"}));
  verb.add_option("--max-length", o.classifier.max_length,
                  "tokens of a text, special tokens included; default: as the encoder's directory says "
                  "(sentence-transformers' files), else 128")
      ->check(CLI::Range(3, 1 << 20));
  verb.add_option("--neighbors", o.classifier.neighbors, "neighbors that vote")
      ->default_str("recipe")
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--voting", o.voting, "how neighbors vote")
      ->default_str("recipe")
      ->check(CLI::IsMember({"count", "softmax", "distance"}));
  verb.add_option("--voting-temperature", o.voting_temperature, "of the softmax vote")
      ->default_str("recipe")
      ->check(CLI::PositiveNumber);
  verb.add_option(
          "--store", o.store,
          "what the datastore holds: the training data encoded anew, or the keys that the queue held at the end")
      ->capture_default_str()
      ->check(CLI::IsMember({"rebuilt", "queue"}));
  verb.add_option("--phi", o.phi, "weight of the vote in the combined prediction")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
}

void add_trainer_options(CLI::App& verb, TrainOptions& o) {
  auto& t = o.trainer;
  verb.add_option("--epochs", t.epochs,
                  "passes over the data; 0: keep the pretrained encoder and only fill the datastore")
      ->default_str("recipe")
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--batch-size", t.batch_size, "examples of a step")
      ->default_str("recipe")
      ->check(CLI::Range(1, 1 << 20));
  verb.add_option("--part-size", t.part_size, "examples of a forward and backward pass; 0: the whole step")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_flag("--recompute", t.recompute,
                "keep fewer activations and compute them again: less memory, one forward pass more, the same result");
  verb.add_option("--learning-rate", t.learning_rate, "highest learning rate")
      ->default_str("recipe")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--head-learning-rate", t.head_learning_rate, "of the heads; 0: the same")
      ->default_str("recipe")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--frozen-layers", t.frozen_layers,
                  "blocks of the encoder, from the first, that keep their values, as the embedding then does; a step "
                  "does not go back into them, which saves time. 0: all are trained")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--pretrained-weight", o.pretrained_weight,
                  "after training the encoder's values become 1 - this times what they are and this times the "
                  "pretrained ones (WiSE-FT), and the head is fitted to that: for classes that are added later. Dev "
                  "scores are of before")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--schedule", o.schedule, "of the learning rate")
      ->capture_default_str()
      ->check(CLI::IsMember({"linear", "cosine", "constant"}));
  verb.add_option("--warmup", t.warmup, "fraction of the steps with rising learning rate")
      ->default_str("recipe")
      ->check(CLI::Range(0.0, 1.0));
  verb.add_option("--weight-decay", t.weight_decay, "decoupled; not on biases and normalizations")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--clip", t.clip_norm, "largest global norm of the gradient; 0: unlimited")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_flag("--no-dropout", o.no_dropout, "train without dropout");
  verb.add_option("--seed", t.seed, "of everything random")->capture_default_str();
  verb.add_option("--selection", o.selection, "whose dev score chooses the best epoch; any: the highest of the three")
      ->capture_default_str()
      ->check(CLI::IsMember({"knn", "head", "combined", "any"}));
  verb.add_option("--metric", o.metric, "the dev score that chooses the best epoch")
      ->capture_default_str()
      ->check(CLI::IsMember({"accuracy", "macro-f1", "f1", "mcc"}));
  verb.add_option("--positive", o.positive, "the class of --metric f1; default: the second one");
  verb.add_option("--sampling", o.sampling,
                  "which examples an epoch has: each one once, or as many draws, of every class the same number")
      ->capture_default_str()
      ->check(CLI::IsMember({"shuffled", "balanced"}));
  verb.add_flag("--no-dev-store", o.no_dev_store,
                "do not rebuild the datastore for dev scores: only the head is measured");
  verb.add_option("--patience", t.patience, "epochs without a better dev score before training stops; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 20));
  verb.add_option("--checkpoint-every", t.checkpoint_every, "steps between checkpoints; 0: at the end of epochs")
      ->default_str("recipe")
      ->check(CLI::Range(0, 1 << 28));
  verb.add_flag("--profile", o.profile,
                "print the time of each phase of the steps and its share of the processor's peak");
  verb.add_flag("--resume", t.resume, "continue from the newest checkpoint in the output directory");
}

}  // namespace

void add_train(CLI::App& app) {
  const auto o = std::make_shared<TrainOptions>();
  auto& verb = *app.add_subcommand("train", "fine-tune a BERT encoder and fill its datastore");
  verb.add_option("--encoder", o->encoder, "directory of a Hugging Face BERT encoder")->required();
  verb.add_option("--train", o->train, "labeled training examples")->required();
  verb.add_option("--dev", o->dev, "labeled examples that choose the best epoch");
  verb.add_option("--output", o->output, "model directory to write")->required();
  verb.add_option("--task", o->task,
                  "what a text has: one class; any number of classes, in a list or with a separator between them; or a "
                  "number")
      ->capture_default_str()
      ->check(CLI::IsMember({"single-label", "multi-label", "regression"}));
  verb.add_option("--label-separator", o->separator, "between the classes of a text, with --task multi-label")
      ->capture_default_str();
  verb.add_option("--recipe", o->recipe,
                  "what decides options that say =recipe and are not given: auto, rules over the numbers of examples "
                  "and classes and the encoder's width that make "
                  "a good classifier; paper, the constants of the KNN-BERT paper. auto: about 320 / sqrt(examples) "
                  "epochs, 1 for 100,000 and more, but at least 200 "
                  "steps; batches of 16, from 2,500 examples 32; rate 1e-4 for a width up to 384 and less for wider "
                  "ones, heads ten times that, up to 1e-3; lambda 0.5 for up to 8 "
                  "examples a class, falling with the root of their number. For 2 to 16 examples a class, and at least "
                  "two of each in a batch, method scl with lambda 0.9 and half the rate, else knn-bert")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "paper"}));
  add_method_options(verb, o->method);
  add_model_options(verb, *o);
  add_trainer_options(verb, *o);
  add_augment_options(verb, o->augment);
  add_common(verb, o->common);
  add_distributed(verb, o->distributed);
  add_data(verb, o->data);
  verb.callback([o, &verb] {
    o->typed = options_of(verb);
    for (const CLI::Option* option : verb.get_options())
      if (option->count() > 0) {
        const std::string& name = option->get_lnames().front();
        o->given.insert(name);
        const bool flag = option->get_items_expected_max() == 0;
        if (option->results().front() != (flag ? "false" : option->get_default_str())) o->changed.insert(name);
      }
    if (launched() > 1) std::signal(SIGUSR1, ask_to_stop);  // it may come while processes meet
    with_team(o->distributed, o->common, [&](const Team& team) { session_of(o->common).train(*o, team); });
  });
}
}  // namespace knnbert::cli
