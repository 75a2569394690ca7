// TorchCommunicator over a backend whose processes are threads: what NCCL does on devices, in main memory.
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "torch/twins.hpp"

#include "distributed/thread_team.hpp"
#include "knnbert/distributed/gradient_reducer.hpp"
#include "knnbert/model/classifier_files.hpp"
#include "knnbert/testing/communicator_laws.hpp"
#include "knnbert/torch/communicator.hpp"
#include "train/tiny_trainer.hpp"

using namespace knnbert_test;

namespace {

struct FinishedWork final : c10d::Work {
  bool isCompleted() override { return true; }
  bool wait(std::chrono::milliseconds) override { return true; }
};

class ThreadBackend final : public c10d::Backend {
 public:
  explicit ThreadBackend(ThreadCommunicator& threads)
      : Backend(static_cast<int>(threads.rank()), static_cast<int>(threads.size())), threads_(threads) {}

  index_t sums = 0;  ///< that were asked for

  const std::string getBackendName() const override { return "threads"; }
  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& values, const c10d::AllreduceOptions&) override {
    ++sums;
    threads_.all_reduce({values.front().data_ptr<float>(), static_cast<std::size_t>(values.front().numel())});
    return done();
  }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& values,
                                           const c10d::BroadcastOptions& options) override {
    threads_.broadcast(bytes_of(values.front()), options.rootRank);
    return done();
  }
  c10::intrusive_ptr<c10d::Work> _allgather_base(at::Tensor& all, at::Tensor& own,
                                                 const c10d::AllgatherOptions&) override {
    std::vector<index_t> ends;
    for (index_t r = 1; r <= getSize(); ++r) ends.push_back(r * own.numel());
    all.narrow(0, getRank() * own.numel(), own.numel()).copy_(own);
    threads_.all_gather(bytes_of(all), ends);
    return done();
  }
  c10::intrusive_ptr<c10d::Work> barrier(const c10d::BarrierOptions&) override {
    threads_.barrier();
    return done();
  }

 private:
  static c10::intrusive_ptr<c10d::Work> done() { return c10::make_intrusive<FinishedWork>(); }
  static std::span<std::byte> bytes_of(const at::Tensor& t) {
    return {static_cast<std::byte*>(t.data_ptr()), t.nbytes()};
  }

  ThreadCommunicator& threads_;
};

/// Knows no operation.
struct MuteBackend final : c10d::Backend {
  MuteBackend() : Backend(0, 2) {}
  const std::string getBackendName() const override { return "mute"; }
};

/// Calls work(communicator, its backend) on as many threads.
template <class Work>
void run_torch_team(index_t size, Work&& work) {
  run_team(size, [&](ThreadCommunicator& threads) {
    const auto backend = c10::make_intrusive<ThreadBackend>(threads);
    TorchCommunicator communicator(backend, at::kCPU);
    work(communicator, *backend);
  });
}

void add_gradients(Twins& twins, std::span<const index_t> lengths, Gradients& gradients) {
  const Batch batch = twin_batch(twins.torch.config(), lengths);
  TorchTape tape;
  twins.torch.forward(twins.torch_values, batch, {}, tape, twins.torch_workspace);
  Matrix d(batch.size(), twins.torch.width());
  d.fill(1);
  twins.torch.backward(twins.torch_values, tape, {.d_embedding = d, .parameters = &gradients}, twins.torch_workspace);
}

struct Trained {
  Recorder record;
  ParameterBlock values;
};

template <class... Terms>
std::vector<Trained> train_together(index_t size, const std::filesystem::path& encoder, const TrainerOptions& options,
                                    Terms... terms) {
  std::vector<Trained> members(static_cast<std::size_t>(size));
  run_torch_team(size, [&](TorchCommunicator& c, ThreadBackend&) {
    Classifier<TorchStack> model(encoder, tiny_classes, tiny_options());
    Recorder recorder;
    Trainer(model, options, terms...).fit(tiny_data(), {}, recorder, c);
    members[static_cast<std::size_t>(c.rank())] = {std::move(recorder), model.network().values()};
  });
  return members;
}

}  // namespace

TEST_CASE("torch communicator: keeps the laws") {
  for (const index_t size : {1, 2, 3}) {
    std::vector<testing::BrokenLaws> broken(static_cast<std::size_t>(size));
    run_torch_team(size, [&](TorchCommunicator& c, ThreadBackend&) {
      broken[static_cast<std::size_t>(c.rank())] = testing::communicator_laws(c);
    });
    for (const auto& laws : broken)
      for (const auto& law : laws) FAIL_CHECK("of " << size << ": " << law);
  }
}

TEST_CASE("torch communicator: what a backend refuses is a CommunicationError that names the operation") {
  TorchCommunicator mute(c10::make_intrusive<MuteBackend>(), at::kCPU);
  std::vector<float> values(3);
  const auto message = message_of<CommunicationError>([&] { mute.all_reduce(values); });
  CHECK(contains(message, "all_reduce"));
  CHECK(contains(message, "mute"));
  CHECK_THROWS_AS(mute.broadcast(std::as_writable_bytes(std::span(values)), 0), CommunicationError);
  CHECK_THROWS_AS(mute.barrier(), CommunicationError);
  CHECK_THROWS_AS(mute.all_gather(std::as_writable_bytes(std::span(values)), {}), ShapeError);
}

TEST_CASE("torch communicator: what is given up touches no value any more, and nothing is called again") {
  run_torch_team(2, [](TorchCommunicator& c, ThreadBackend&) {
    std::vector<float> values(3, 1);
    c.start_all_reduce(values);
    c.abandon();
    require_error_in_team<CommunicationError>([&] { c.wait(); });
    require_error_in_team<CommunicationError>([&] { c.barrier(); });
    require_in_team(values == std::vector<float>(3, 1), "values were touched");
  });
}

TEST_CASE("torch communicator: gradients are summed where they lie, pieces leave while the pass runs") {
  const std::vector<index_t> lengths{5, 9, 2, 7};
  Twins whole = Twins::random(twin_config());
  Gradients expected(whole.torch_values.shared_table());
  add_gradients(whole, lengths, expected);
  std::vector<double> worst(2);
  std::vector<index_t> early(2);
  run_torch_team(2, [&](TorchCommunicator& c, ThreadBackend& backend) {
    const auto rank = static_cast<std::size_t>(c.rank());
    Twins own = Twins::random(twin_config());
    Gradients gradients(own.torch_values.shared_table());
    GradientReducer reducer(gradients, c, 500);
    for (int step = 0; step < 2; ++step) {
      gradients.clear();
      reducer.start();
      gradients.set_listener(&reducer);
      backend.sums = 0;
      // All have the whole batch: each sums its twice.
      add_gradients(own, lengths, gradients);
      gradients.set_listener(nullptr);
      early[rank] = backend.sums;
      reducer.finish();
    }
    const ParameterBlock& block = gradients.block();
    for (index_t i = 0; i < block.size(); ++i)
      worst[rank] = std::max(worst[rank],
                             std::abs(static_cast<double>(block.data()[i]) - 2.0 * std::as_const(expected).data()[i]));
  });
  for (const double w : worst) CHECK(w < 1e-4);
  for (const index_t e : early) CHECK(e > 5);
}

TEST_CASE("torch communicator: processes train as one does, also where one has no example from the first step on") {
  const TemporaryFolder folder;
  write_encoder(folder / "encoder");
  for (const index_t batch_size : {8, 2}) {
    const TrainerOptions options{.epochs = 2, .batch_size = batch_size, .learning_rate = 1e-2f, .dropout = false};
    const auto alone = train_together(1, folder / "encoder", options, CrossEntropy{0.7f}, tiny_contrast());
    for (const index_t size : {2, 3}) {
      CAPTURE(batch_size, size);
      const auto team = train_together(size, folder / "encoder", options, CrossEntropy{0.7f}, tiny_contrast());
      for (const Trained& member : team) {
        REQUIRE(member.record.steps.size() == alone.front().record.steps.size());
        for (std::size_t s = 0; s < member.record.steps.size(); ++s) {
          CHECK(std::abs(member.record.steps[s].loss - alone.front().record.steps[s].loss) <= 1e-5);
          CHECK(member.record.steps[s].loss == team.front().record.steps[s].loss);
        }
        for (index_t i = 0; i < member.values.size(); ++i)
          REQUIRE(member.values.data()[i] == team.front().values.data()[i]);
      }
    }
  }
}
