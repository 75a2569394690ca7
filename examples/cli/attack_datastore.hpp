#pragma once
#include "attack_parts.hpp"
#include "knnbert/attack/datastore_attack.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "signals.hpp"

namespace knnbert::cli {

/// Attacks the datastore itself: how many examples, added under another class, turn answers that are right.
template <class S>
void attack_datastore(const AttackVerbOptions& o, const Dataset& data, Classifier<S> model) {
  const auto texts = o.added == "nearest"  ? AddedTexts::nearest
                     : o.added == "random" ? AddedTexts::random
                                           : AddedTexts::copies;
  if (texts != AddedTexts::copies && o.pool.empty())
    raise<OptionError>("--pool: nothing given, a file with texts expected for --added {}", o.added);
  const Dataset pool = o.pool.empty() ? Dataset() : read_data(o.pool, dataset_options(o.data, false));
  DatastoreAttack attack(model, pool,
                         {.texts = texts,
                          .predictor = o.predictor == "knn" ? Predictor::knn : Predictor::combined,
                          .most = o.most_added,
                          .seed = o.seed});
  std::vector<DatastoreAttackResult> results;
  index_t seen = 0;
  std::optional<StopBySignals> signals(std::in_place);
  for (; seen < data.size() && !stop_signal; ++seen)
    if (const auto result = attack(data.example(seen), seen)) results.push_back(*result);
  signals.reset();
  const auto summary = summarize(results);
  const auto within = [&](index_t m) {
    return std::upper_bound(summary.least.begin(), summary.least.end(), m) - summary.least.begin();
  };
  const double attacked = static_cast<double>(std::max<index_t>(1, summary.attacked));
  OrderedJson turned = OrderedJson::object();
  std::string table;
  std::vector<index_t> told{1, 2, 3, 5, 10, 20, 50, 100};
  std::erase_if(told, [&](index_t m) { return m >= o.most_added; });
  told.push_back(o.most_added);
  for (const index_t m : told) {
    const double share = static_cast<double>(within(m)) / attacked;
    turned[format("{}", m)] = share;
    table += format("turned by {} added          ", m).substr(0, 24) + two_digits(100 * share) + " %\n";
  }
  const auto median = summary.median();
  if (o.common.json)
    print_json({{"recipe", o.recipe},
                {"added", o.added},
                {"predictor", o.predictor},
                {"examples", seen},
                {"attacked", summary.attacked},
                {"turned", turned},
                {"median", median ? OrderedJson(*median) : OrderedJson(nullptr)}});
  else
    print(
        format("examples {}, of them right {}\n", seen, summary.attacked) + table +
        format("half of them turned by  {}\n", median ? format("{}", *median) : format("more than {}", o.most_added)));
  if (stop_signal && seen < data.size()) throw Stopped{stop_signal};
}

}  // namespace knnbert::cli
