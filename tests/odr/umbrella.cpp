// Never run: instantiates what a program uses, for arch_in_names.sh to look at.
#include <knnbert/knnbert.hpp>

namespace {

std::string use(const std::filesystem::path& folder) {
  using namespace knnbert;
  const Dataset train = Dataset::read(folder / "train.tsv");
  Classifier<> model(folder, train.classes());
  Trainer(model, {.epochs = 3}, CrossEntropy{}, QueueContrastive{}).fit(train);
  model.index(train);
  model.save(folder);
  return Classifier<>::load(folder).predict("where is my new card?").class_name;
}

}  // namespace

std::string (*user)(const std::filesystem::path&) = use;
