// usage: mpirun -n N test_mpi laws | training FOLDER | silence | lateness
//        test_mpi encoder FOLDER | curves FILE FILE...
#include <cstdio>
#include <fstream>

#include "knnbert/datastore/flat.hpp"
#include "knnbert/distributed/mpi.hpp"
#include "knnbert/distributed/sharded_datastore.hpp"
#include "knnbert/io/json.hpp"
#include "knnbert/testing/communicator_laws.hpp"
#include "knnbert/testing/datastore_laws.hpp"
#include "train/tiny_trainer.hpp"

template class knnbert::BasicBert<>;
template class knnbert::Network<knnbert::DefaultStack>;
template class knnbert::Classifier<knnbert::DefaultStack>;

namespace {

using namespace knnbert_test;

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

void check_laws(MpiCommunicator& communicator) {
  auto broken = testing::communicator_laws(communicator);
  const auto more = testing::datastore_laws([&] { return ShardedDatastore(FlatDatastore<Cosine>(24), communicator); });
  broken.insert(broken.end(), more.begin(), more.end());
  for (const auto& law : broken) std::fprintf(stderr, "rank %td: %s\n", communicator.rank(), law.c_str());
  require(broken.empty(), "broken laws");
}

struct Curve {
  std::vector<float> losses{}, keys{};
  ParameterBlock values;
};

Curve train(const std::filesystem::path& place, const Team& team) {
  auto model = tiny_classifier(place);
  Recorder recorder;
  Trainer trainer(model, tiny_training(), CrossEntropy{0.7f}, tiny_contrast());
  trainer.fit(tiny_data(), tiny_data(17, 8), recorder, team);
  Curve curve{.values = model.network().values()};
  for (const auto& step : recorder.steps) curve.losses.push_back(step.loss);
  const auto& queue = trainer.term<QueueContrastive>().queue();
  for (index_t i = 0; i < queue.size(); ++i)
    curve.keys.insert(curve.keys.end(), queue.key(i).begin(), queue.key(i).end());
  return curve;
}

template <class T>
std::uint64_t hash_of(std::span<const T> values) {
  return knnbert::detail::mix_bytes(0, std::as_bytes(values));
}

void check_training(MpiCommunicator& communicator, const std::filesystem::path& place) {
  const Team team(communicator);
  if (team.first()) tiny_classifier(place);  // writes the encoder
  team.barrier();
  const Curve alone = train(place, {}), together = train(place, team);
  require(alone.losses.size() == together.losses.size() && alone.losses.size() == 20, "another number of steps");
  double worst = 0;
  for (std::size_t s = 0; s < alone.losses.size(); ++s)
    worst = std::max(worst, std::abs(static_cast<double>(alone.losses[s]) - together.losses[s]));
  require(worst <= 1e-5, format("losses differ from those of one process by {}", worst));
  require_same(team, "queue", hash_of(std::span(together.keys)));
  require_same(team, "parameters",
               hash_of(std::span(together.values.data(), static_cast<std::size_t>(together.values.size()))));
  require(team.size() > 1 || same_values(alone.values, together.values), "a team of one has other bits");
  if (team.first()) std::printf("%td processes: losses within %g of one process, one queue\n", team.size(), worst);
}

/// The first process expects an answer of another, which sleeps.
int check_silence() {
  MpiCommunicator communicator({.patience = 1});
  if (communicator.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(20));
  try {
    communicator.barrier();
  } catch (const CommunicationError& error) {
    std::fprintf(stderr, "rank %td: %s\n", communicator.rank(), error.what());
    std::fflush(nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    communicator.abort(1);
  }
  return 1;
}

/// The first process gives up waiting for the second, which comes later; what it then does with its memory is its own.
int check_lateness() {
  MpiCommunicator communicator({.patience = 1});
  std::vector<float> values(1000, 1);
  if (communicator.rank() == 1) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    communicator.start_all_reduce(values);
    std::this_thread::sleep_for(std::chrono::seconds(20));
    return 1;
  }
  try {
    communicator.all_reduce(values);
  } catch (const CommunicationError&) {
    values.assign(values.size(), 42);
    std::this_thread::sleep_for(std::chrono::seconds(3));
    const bool own = values == std::vector<float>(values.size(), 42);
    std::string later;
    try {
      communicator.barrier();
    } catch (const CommunicationError& error) { later = error.what(); }
    std::fprintf(stderr, "memory %s, then %s\n", own ? "kept" : "written to", later.c_str());
    std::fflush(nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    communicator.abort(1);
  }
  return 1;
}

std::vector<double> losses_in(const std::string& path) {
  std::ifstream file(path);
  std::vector<double> losses;
  for (std::string line; std::getline(file, line);)
    if (const Json row = Json::parse(line); row.contains("loss")) losses.push_back(row["loss"]["total"].get<double>());
  return losses;
}

void compare_curves(std::span<char*> files) {
  const auto first = losses_in(files[0]);
  require(!first.empty(), std::string(files[0]) + ": no losses");
  for (const char* file : files.subspan(1)) {
    const auto losses = losses_in(file);
    require(losses.size() == first.size(), std::string(file) + ": another number of steps");
    double worst = 0;
    for (std::size_t s = 0; s < losses.size(); ++s) worst = std::max(worst, std::abs(losses[s] - first[s]));
    std::printf("%s: %zu steps within %g\n", file, losses.size(), worst);
    require(worst <= 1e-5, std::string(file) + ": losses differ");
  }
}

int run(const std::string& task, std::span<char*> arguments) {
  if (task == "encoder") return write_encoder(arguments[0]), 0;
  if (task == "curves") return compare_curves(arguments), 0;
  if (task == "silence") return check_silence();
  if (task == "lateness") return check_lateness();
  MpiCommunicator communicator;
  try {
    if (task == "laws") check_laws(communicator);
    else check_training(communicator, arguments[0]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %td of %td: %s\n", communicator.rank(), communicator.size(), error.what());
    std::fflush(nullptr);
    communicator.abort(1);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return run(argv[1], std::span(argv, static_cast<std::size_t>(argc)).subspan(2));
}
