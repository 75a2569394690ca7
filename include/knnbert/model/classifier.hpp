#pragma once
#include "knnbert/core/finite.hpp"
#include "knnbert/core/progress.hpp"
#include "knnbert/distributed/team.hpp"
#include "knnbert/encoder/sentence_settings.hpp"
#include "knnbert/fwd.hpp"
#include "knnbert/io/directory_lock.hpp"
#include "knnbert/loss/softmax.hpp"
#include "knnbert/model/answers.hpp"
#include "knnbert/model/class_names.hpp"
#include "knnbert/model/decision.hpp"
#include "knnbert/model/network.hpp"
#include "knnbert/model/prediction.hpp"
#include "knnbert/model/stack.hpp"
#include "knnbert/model/store_origin.hpp"
#include "knnbert/text/dataset.hpp"
#include "knnbert/text/training_data.hpp"

namespace knnbert::inline v0_1 {

/// A text classifier with a nearest-neighbor vote beside its head: texts in, predictions with their evidence out.
/// Thread safety: const members may run concurrently and, if the datastore has snapshot(), with add() and remove().
template <class Stack>
class Classifier {
 public:
  static_assert(StoredEncoder<typename Stack::encoder_type>,
                "Stack::encoder_type: a StoredEncoder expected, as encoder/concept.hpp says");
  static_assert(StoredTokenizer<typename Stack::tokenizer_type>,
                "Stack::tokenizer_type: a StoredTokenizer expected, as text/concept.hpp says");
  static_assert(Head<typename Stack::head_type>, "Stack::head_type: a Head expected, as nn/head.hpp says");
  static_assert(Metric<typename Stack::metric_type>,
                "Stack::metric_type: a Metric expected, as metric/concept.hpp says");
  static_assert(OwnedDatastore<typename Stack::template datastore_type<typename Stack::metric_type>>,
                "Stack::datastore_type<metric_type>: an OwnedDatastore expected, as datastore/concept.hpp says");
  static_assert(Voting<typename Stack::voting_type>,
                "Stack::voting_type: a Voting expected, as voting/concept.hpp says");
  static_assert(Fusion<typename Stack::fusion_type>,
                "Stack::fusion_type: a Fusion expected, as voting/concept.hpp says");

  using stack_type = Stack;
  using network_type = Network<Stack>;
  using checkpoint_type = typename Stack::encoder_type::checkpoint_type;
  using tokenizer_type = typename Stack::tokenizer_type;
  using metric_type = typename Stack::metric_type;
  using datastore_type = typename Stack::template datastore_type<metric_type>;
  using voting_type = typename Stack::voting_type;
  using fusion_type = typename Stack::fusion_type;

  /// A pretrained encoder with fresh heads and an empty datastore. Pooling and length that the options leave open are
  /// those of sentence-transformers' files in the directory.  Errors: IoError, FormatError, OptionError.
  Classifier(const std::filesystem::path& encoder, const std::vector<std::string>& classes,
             const ClassifierOptions& options = {});
  Classifier(Classifier&&) = default;
  Classifier& operator=(Classifier&&) = default;
  ~Classifier();

  /// A model directory that save() wrote.  Errors: IoError, FormatError.
  static Classifier load(const std::filesystem::path& directory, index_t threads = 1);
  /// The same in another precision than the one it was saved with. For predictions alone, reduced precision keeps no
  /// fp32 values of the large weights: neither training nor saving; the fingerprint is then the one in the files.
  static Classifier load(const std::filesystem::path& directory, index_t threads, std::optional<Precision> precision,
                         Loading loading = Loading::complete, const std::string& device = "cpu");
  /// Writes a model directory as one unit: all or nothing.  Errors: IoError, also while another process writes.
  void save(const std::filesystem::path& directory) const;
  /// The same for who has held the directory since load(); perhaps with more files, which more(folder) writes.
  void save(const DirectoryLock& lock) const;
  template <class More>
  void save(const DirectoryLock& lock, More&& more) const;

  const ClassifierOptions& options() const { return network_.options(); }
  network_type& network() { return network_; }  ///< its values(), if not const, count as changed
  const network_type& network() const { return network_; }
  /// Takes over a network whose head may know more classes; keys stay valid if it makes them.  Errors: ShapeError.
  void set_network(network_type network);
  const tokenizer_type& tokenizer() const { return tokenizer_; }
  const datastore_type& datastore() const { return datastore_; }
  /// Names of the labels of examples: classes, or of another task than one label a text, its targets. Hold the pointer
  /// while you use the names: other lists follow when classes are added.
  ClassNames::List classes() const { return classes_.list(); }
  const TaskSettings& task() const { return task_; }
  /// Of a multi-label model: a threshold for every class that the head knows, or none. Errors: ShapeError, OptionError.
  void set_thresholds(std::vector<float> thresholds);
  /// Of a regression: mean and deviation of the examples' numbers, which the head's are relative to; Trainer sets them.
  void set_scale(const Dataset& data);
  void set_scale(float mean, float scale);  ///< Errors: OptionError unless finite, the second positive.
  /// What the columns of distributions are: classes, also added ones.
  std::shared_ptr<const std::vector<std::string>> outputs() const { return outputs(classes()); }
  voting_type& voting() { return voting_; }
  const voting_type& voting() const { return voting_; }
  fusion_type& fusion() { return fusion_; }
  const fusion_type& fusion() const { return fusion_; }
  /// The temperature of the combined distribution and the rule that rejects texts, if any: see calibrate().
  Decision& decision() { return decision_; }
  const Decision& decision() const { return decision_; }
  index_t neighbors() const { return neighbors_; }
  bool head_trained() const { return head_trained_; }  ///< until then neighbors alone decide
  void set_head_trained(bool trained) { head_trained_ = trained; }
  void set_neighbors(index_t k);  ///< Errors: OptionError.

  /// Tokens of texts, cut to the options' length; pairs: none or as many. Labels are found by their classes' names.
  Batch tokenize(std::span<const std::string> texts, std::span<const std::string> pairs = {}) const;
  TrainingData tokenize(const Dataset& data) const;

  /// Embeddings [N, H] of tokenized texts, in bounded memory; each process of a team encodes a range and gets all, and
  /// a listener hears of its own process.  Errors: NonFiniteError; CancelledError if a listener asks to stop.
  Matrix embed(const Batch& texts, ProgressListener* listener = nullptr) const {
    return embed(texts, Team(), listener);
  }
  Matrix embed(const Batch& texts, const Team& team, ProgressListener* listener = nullptr) const;
  /// What the datastore compares, [N, D], made as the embeddings are.  Errors: as embed().
  Matrix features(const Batch& texts, const Team& team = {}, ProgressListener* listener = nullptr) const;

  /// Errors: StateError if the datastore was filled with other parameters than the model has now: see index().
  Prediction predict(std::string_view text, std::string_view pair = {}) const;
  std::vector<Prediction> predict(std::span<const std::string> texts, std::span<const std::string> pairs = {},
                                  ProgressListener* listener = nullptr) const;
  std::vector<Prediction> predict(std::span<const std::string_view> texts) const;
  std::vector<Prediction> predict(std::initializer_list<std::string_view> texts,
                                  std::initializer_list<std::string_view> pairs = {}) const;
  /// All that predictions are made of, of tokenized texts.  Errors: as predict.
  Answers answers(const Batch& texts, ProgressListener* listener = nullptr) const;
  /// The three distributions of tokenized texts.  Errors: as predict.
  Distributions distributions(const Batch& texts) const { return std::move(answers(texts).distributions); }
  /// Makes `combined` anew, as fusion and temperature are now.  Errors: OptionError, NonFiniteError.
  void combine(Distributions& all) const;
  /// How far each text is out of scope, [N]; infinitely where the score looks at examples and there are none.  Errors:
  /// OptionError for class_mean with a datastore that does not show its keys.
  std::vector<float> scope_scores(ScopeScore score, const Answers& texts) const {
    return scope_scores(score, *store_view(), texts);
  }
  /// How many edits of the datastore leave the answers to a text as they are, see Certificate. None for sets, numbers,
  /// one class, classes that the head does not know, and policies that are not is_weighted, best_score, is_convex.
  Certificate certificate(const Answers& texts, index_t text) const;
  /// What the head alone says of tokenized texts, [N, C] over the classes that it was trained on.
  Matrix head_distributions(const Batch& texts) const;

  /// Fills the datastore with labeled examples, replacing what it held; added classes without any are forgotten. With a
  /// team, which divides the encoding, all processes do so. To be called after training, alone: keys that other
  /// parameters made are refused by predictions, add() and save().
  /// Errors: FormatError for a class that the model does not have; ShapeError for an example without label.
  void index(const Dataset& data, const Team& team = {}, ProgressListener* listener = nullptr);
  /// The same of texts that tokenize() has seen already.  Errors: also ShapeError for another number of texts.
  void index(const Dataset& data, const Batch& texts, const Team& team = {}, ProgressListener* listener = nullptr);
  /// The same of keys of another source, such as a queue, without texts.  Errors: ShapeError, also for unnamed labels.
  void index(ConstView keys, std::span<const label_t> labels);
  /// Adds examples of one class, which may be new; no training. Returns their ids.  pairs: second texts, or none.
  /// Errors: StateError as predict; OptionError for an empty class name.
  std::vector<example_id> add(std::span<const std::string> texts, const std::string& class_name,
                              std::span<const std::string> pairs = {});
  std::vector<example_id> add(std::initializer_list<std::string> texts, const std::string& class_name,
                              std::initializer_list<std::string> pairs = {}) {
    return add(std::span(texts.begin(), texts.end()), class_name, std::span(pairs.begin(), pairs.end()));
  }
  /// The same of any classes.  Errors: also ShapeError for an example without label.
  std::vector<example_id> add(const Dataset& data);
  /// Removes examples; returns how many of the ids were there.
  index_t remove(std::span<const example_id> ids) { return datastore_.remove(ids); }
  index_t remove(std::initializer_list<example_id> ids) { return remove({ids.begin(), ids.end()}); }
  /// Forgets the last classes that neither head nor examples know; returns them. Not beside others who use the model.
  std::vector<std::string> forget_classes();

 private:
  friend class OtherExamples<Stack>;
  static constexpr index_t texts_per_group = 256;
  static Classifier load_once(const std::filesystem::path& directory, index_t threads,
                              std::optional<Precision> precision, Loading loading, const std::string& device);
  Classifier(tokenizer_type tokenizer, const checkpoint_type& checkpoint, const SentenceSettings& settings,
             const std::vector<std::string>& classes, const ClassifierOptions& options);
  Classifier(tokenizer_type tokenizer, network_type network, std::vector<std::string> classes, TaskSettings task);
  /// Errors: FormatError for numbers that are none.
  static TaskSettings settings_of(const std::vector<std::string>& classes, const ClassifierOptions& options);
  static index_t head_outputs(const std::vector<std::string>& classes, const ClassifierOptions& options);
  /// What options leave open is as the directory says.
  static ClassifierOptions complete(ClassifierOptions options, const SentenceSettings& settings,
                                    const typename Stack::encoder_type& encoder);
  void lower_datastore();

  void replace_examples(ConstView keys, std::span<const label_t> labels, std::span<const std::string> texts,
                        std::span<const std::string> pairs);
  std::vector<example_id> store(ConstView keys, std::span<const label_t> labels, std::span<const std::string> texts,
                                std::span<const std::string> pairs);
  /// The labels of data here, where its classes are added if they are new.
  std::vector<label_t> own_labels(const Dataset& data);
  std::vector<std::string> used_names(const Dataset& own) const;
  bool single_label() const { return task_.task == Task::single_label; }
  std::shared_ptr<const std::vector<std::string>> outputs(const ClassNames::List& names) const;
  /// What the head says, from its logits; the spans may be the same.
  void answer(std::span<const float> logits, std::span<float> out) const;
  static std::span<const std::string> pairs_of(const Dataset& data) {
    return data.has_pairs() ? data.pairs() : std::span<const std::string>();
  }
  void require_labels(std::span<const label_t> labels) const;
  void require_pairs(const Dataset& data) const;
  void require_current(std::string_view where) const;
  void datastore_to_device() {
    if constexpr (requires { datastore_.set_device(options().device); }) datastore_.set_device(options().device);
  }
  /// Embeddings of the first texts, up to the group before which the listener asked to stop, if it did.
  index_t embed_groups(const Batch& texts, ProgressListener* listener, View embeddings) const;
  Matrix embed_own_range(const Batch& texts, const Team& team, ProgressListener* listener) const;
  void fuse(std::span<const float> head, std::span<const float> knn, std::span<float> combined) const;
  /// The datastore at one moment, behind a pointer. Taken before the class names, which only grow, so that every label
  /// in it has a name.
  auto store_view() const {
    if constexpr (requires { datastore_.snapshot(); }) return datastore_.snapshot();
    else return &datastore_;
  }
  template <class Store>
  NeighborLists nearest(const Store& store, ConstView features) const;
  /// What the votes for each class are multiplied by, or nothing.
  template <class Store>
  std::vector<float> vote_weights(const Store& store, index_t classes) const;
  /// Answers to texts [first, first + embedding.rows()) into rows of `out`, whose neighbors are those of texts before.
  template <class Store>
  void decide(const Store& store, const ClassNames::List& names, ConstView embedding, index_t first,
              Answers& out) const;
  template <class Store>
  Answers decide_all(const Store& store, const ClassNames::List& names, const Batch& texts,
                     ProgressListener* listener) const;
  template <class Store>
  std::vector<float> scope_scores(ScopeScore score, const Store& store, const Answers& texts) const;
  template <class Store>
  Prediction describe(const Store& store, const Answers& all, index_t row, const ClassNames::List& classes) const;

  tokenizer_type tokenizer_;
  network_type network_;
  ClassNames classes_;
  TaskSettings task_;
  CurrentTable table_;
  datastore_type datastore_;
  voting_type voting_;
  fusion_type fusion_;
  Decision decision_;
  StoreOrigin origin_;
  index_t neighbors_;
  bool head_trained_ = true;
};

#if defined(KNNBERT_COMPILED)
extern template class Network<DefaultStack>;
extern template class Classifier<DefaultStack>;
#endif

}  // namespace knnbert::inline v0_1

#include "knnbert/model/classifier_examples.hpp"
#include "knnbert/model/classifier_predict.hpp"
#include "knnbert/model/classifier_scope.hpp"
#include "knnbert/model/classifier_settings.hpp"
#include "knnbert/model/classifier_votes.hpp"
