// A datastore of one's own: it keeps the newest examples of each class only, as many as three.
#include <algorithm>
#include <cstdio>
#include <knnbert/knnbert.hpp>
#include <map>

template <class Metric>
struct NewestThree : knnbert::FlatDatastore<Metric> {
  using Base = knnbert::FlatDatastore<Metric>;
  using Base::Base;
  NewestThree(Base base) : Base(std::move(base)) {}

  std::vector<knnbert::example_id> add(knnbert::ConstView keys, std::span<const knnbert::label_t> labels,
                                       std::span<const std::string> texts) {
    auto ids = Base::add(keys, labels, texts);
    std::map<knnbert::label_t, std::vector<knnbert::example_id>> of_class;
    for (const auto id : this->ids()) of_class[this->label(id)].push_back(id);
    for (auto& [label, all] : of_class) {
      all.resize(all.size() > 3 ? all.size() - 3 : 0);  // the oldest ones
      this->remove(all);
    }
    return ids;
  }
  template <class... A>
  static NewestThree load(A&&... arguments) {
    return Base::load(std::forward<A>(arguments)...);
  }
};

struct MyStack : knnbert::DefaultStack {
  template <class Metric>
  using datastore_type = NewestThree<Metric>;
};

int main(int argc, char** argv) {
  using namespace knnbert;
  if (argc != 3) return std::fputs("usage: custom_datastore ENCODER TRAIN.tsv\n", stderr), 2;
  const Dataset train = Dataset::read(argv[2]);
  Classifier<MyStack> model(argv[1], train.classes(), {.feature = Feature::embedding});
  model.index(train);
  std::vector<std::ptrdiff_t> counts(train.classes().size());
  for (const label_t label : model.datastore().labels()) ++counts[std::size_t(label)];
  std::printf("%td of %td examples, at most %td of a class\n", model.datastore().size(), train.size(),
              *std::max_element(counts.begin(), counts.end()));
}
