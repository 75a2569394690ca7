#pragma once
#include <functional>
#include <string>

#include "distributed.hpp"

namespace knnbert::cli {

struct TrainOptions;
struct EvalOptions;
struct PredictOptions;
struct EmbedOptions;
struct StoreOptions;
struct ReportOptions;
struct CalibrateOptions;
struct PoisonOptions;
struct AuditVerbOptions;
struct ScanOptions;
struct AttackVerbOptions;

/// What the program computes on one backend: a verb each.
class Session {
 public:
  virtual ~Session() = default;
  virtual std::string description() const = 0;  ///< of the backend, for --version
  virtual void set_threads(index_t threads) const = 0;
  virtual void train(const TrainOptions& o, const Team& team) const = 0;
  virtual void eval(const EvalOptions& o) const = 0;
  virtual void predict(const PredictOptions& o) const = 0;
  virtual void embed(const EmbedOptions& o, const Team& team) const = 0;
  virtual void index(const StoreOptions& o) const = 0;
  virtual void add(const StoreOptions& o) const = 0;
  virtual void remove(const StoreOptions& o) const = 0;
  virtual void report(const ReportOptions& o) const = 0;
  virtual void calibrate(const CalibrateOptions& o) const = 0;
  virtual void poison(const PoisonOptions& o) const = 0;
  virtual void audit(const AuditVerbOptions& o) const = 0;
  virtual void scan(const ScanOptions& o) const = 0;
  virtual void attack(const AttackVerbOptions& o) const = 0;
  /// Calls work(team) with processes that meet by NCCL.  Errors: OptionError for a backend without it.
  virtual void with_nccl(const DistributedOptions& o, const Launch& launch, const std::string& device,
                         const std::function<void(const Team&)>& work) const = 0;
};

/// The session that --backend names, with as many threads as the options say.  Errors: OptionError, if the program was
/// built without it.
const Session& session_of(const CommonOptions& o);
/// LibTorch's, which lies in a library beside the program: it takes longer to load than a prediction takes. Null where
/// it was not built.
const Session* torch_session();

// The verbs, each in a file of its own, for the stack of a backend. These files are compiled twice: for the program,
// and with KNNBERT_PROGRAM_TORCH_UNIT for that library.
template <class S>
void train(const TrainOptions& o, const Team& team);
template <class S>
void eval(const EvalOptions& o);
template <class S>
void predict(const PredictOptions& o);
template <class S>
void embed(const EmbedOptions& o, const Team& team);
template <class S>
void index(const StoreOptions& o);
template <class S>
void add(const StoreOptions& o);
template <class S>
void remove(const StoreOptions& o);
template <class S>
void report(const ReportOptions& o);
template <class S>
void calibrate(const CalibrateOptions& o);
template <class S>
void poison(const PoisonOptions& o);
template <class S>
void audit(const AuditVerbOptions& o);
template <class S>
void scan(const ScanOptions& o);
template <class S>
void attack(const AttackVerbOptions& o);

/// The verbs on a stack; a backend adds what it alone knows.
template <class S>
class SessionOn : public Session {
 public:
  void train(const TrainOptions& o, const Team& team) const override { cli::train<S>(o, team); }
  void eval(const EvalOptions& o) const override { cli::eval<S>(o); }
  void predict(const PredictOptions& o) const override { cli::predict<S>(o); }
  void embed(const EmbedOptions& o, const Team& team) const override { cli::embed<S>(o, team); }
  void index(const StoreOptions& o) const override { cli::index<S>(o); }
  void add(const StoreOptions& o) const override { cli::add<S>(o); }
  void remove(const StoreOptions& o) const override { cli::remove<S>(o); }
  void report(const ReportOptions& o) const override { cli::report<S>(o); }
  void calibrate(const CalibrateOptions& o) const override { cli::calibrate<S>(o); }
  void poison(const PoisonOptions& o) const override { cli::poison<S>(o); }
  void audit(const AuditVerbOptions& o) const override { cli::audit<S>(o); }
  void scan(const ScanOptions& o) const override { cli::scan<S>(o); }
  void attack(const AttackVerbOptions& o) const override { cli::attack<S>(o); }
};

}  // namespace knnbert::cli
