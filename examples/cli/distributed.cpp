#include "distributed.hpp"

#include "config.hpp"
#include "stack.hpp"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#ifdef KNNBERT_WITH_MPI
#include "knnbert/distributed/mpi.hpp"
#endif

namespace knnbert::cli {

namespace {

const char* first_of(std::initializer_list<const char*> variables) {
  for (const char* variable : variables)
    if (const char* value = std::getenv(variable)) return value;
  return nullptr;
}

Launch launch_of_all() {
  Launch launch;
  const auto number = [](index_t& to, std::initializer_list<const char*> variables) {
    if (const char* value = first_of(variables)) to = std::atol(value);
  };
  number(launch.rank, {"RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"});
  number(launch.size, {"WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"});
  number(launch.local_rank, {"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"});
  number(launch.port, {"MASTER_PORT"});
  if (const char* value = first_of({"MASTER_ADDR"})) launch.address = value;
  return launch;
}

/// Returns the exit code. What failed on another process is left to that one, which ends the job.
int report_own_failure(const std::exception& error, const std::string& who) {
  if (dynamic_cast<const OtherProcessError*>(&error)) std::this_thread::sleep_for(std::chrono::seconds(5));
  const int code = report_failure(error, who);
  std::fflush(nullptr);
  return code;
}

/// After an error the other processes wait until the launcher ends them.
void run_with_nccl(const DistributedOptions& o, CommonOptions& common, const std::function<void(const Team&)>& work) {
  if (common.backend != "torch" || common.device.substr(0, 4) != "cuda")
    raise<OptionError>("--distributed nccl: --backend {} --device {} given, --backend torch --device cuda expected",
                       common.backend, common.device);
  if (!first_of({"WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}))
    raise<OptionError>("--distributed nccl: no launcher's variables given, those of mpirun or torchrun expected");
  const Launch launch = launch_of_all();
  if (common.device == "cuda") common.device = format("cuda:{}", launch.local_rank);
  if (launch.rank > 0) leave_warnings_to_others();
  try {
    session_of(common).with_nccl(o, launch, common.device, work);
  } catch (const std::exception& error) {
    ::_exit(report_own_failure(error, format("knnbert: rank {} of {}: ", launch.rank, launch.size)));
  }
}

#ifdef KNNBERT_WITH_MPI
char farewell[200];
std::size_t farewell_size = 0;

/// The launcher ends the other processes by SIGTERM when one has failed; they hang in a call that nobody will answer.
void leave(int) {
  (void)!::write(STDERR_FILENO, farewell, farewell_size);
  ::_exit(1);
}

/// What fails on all processes alike, the first one tells and ends the others meanwhile.
void wait_for_first() {
  std::signal(SIGTERM, SIG_DFL);
  std::this_thread::sleep_for(std::chrono::seconds(1));
}

void warn_of_bound_threads(index_t threads) {
  const index_t usable = usable_cores();
  if (threads > usable && usable < ::sysconf(_SC_NPROCESSORS_ONLN))
    print_warning(
        format("--threads {}: the launcher lets a process run on {} of the machine's cores; `mpirun --bind-to none` "
               "leaves it all of them",
               threads, usable));
}

void run_with_mpi(const DistributedOptions& o, const CommonOptions& common,
                  const std::function<void(const Team&)>& work) {
  MpiCommunicator communicator({.patience = o.patience});
  const Team team(communicator);
  if (launched() > 1 && team.size() != launched())
    raise<OptionError>(
        "--distributed: a launcher of {} processes given, of which this program's MPI joins {}; the mpirun of that MPI "
        "expected, or --distributed none",
        launched(), team.size());
  if (team.first()) warn_of_bound_threads(common.threads);
  else leave_warnings_to_others();
  const std::string who = format("knnbert: rank {} of {}: ", team.rank(), team.size());
  farewell_size = format("{}ended by the launcher, because another rank failed or the job was stopped\n", who)
                      .copy(farewell, sizeof farewell);
  std::signal(SIGTERM, leave);
  try {
    work(team);
    team.barrier();
  } catch (const std::exception& error) {
    if (!team.first()) wait_for_first();
    communicator.abort(report_own_failure(error, who));
  }
}
#else
void run_with_mpi(const DistributedOptions&, const CommonOptions&, const std::function<void(const Team&)>&) {
  raise<OptionError>(
      "--distributed: {} processes were started by an MPI launcher, but this program is compiled without MPI "
      "(KNNBERT_MPI)",
      launched());
}
#endif

}  // namespace

int launched() {
  const char* value = first_of({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"});
  return value ? std::atoi(value) : 1;
}

void add_distributed(CLI::App& verb, DistributedOptions& options) {
  verb.add_option("--distributed", options.mode,
                  "whether processes work together; automatic: those that `mpirun -n N` (Open MPI or a PMI launcher) "
                  "started; mpi: those of any MPI launcher; "
                  "nccl: with a CUDA device each, those of mpirun or torchrun (MASTER_ADDR and MASTER_PORT say where "
                  "they meet); none: this process works alone")
      ->capture_default_str()
      ->check(CLI::IsMember({"automatic", "mpi", "nccl", "none"}));
  verb.add_option("--patience-seconds", options.patience,
                  "how long a process waits for the others before the run fails")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

void with_team(const DistributedOptions& options, CommonOptions& common, const std::function<void(const Team&)>& work) {
  if (options.mode == "nccl") return run_with_nccl(options, common, work);
  if (options.mode == "mpi" || (options.mode == "automatic" && launched() > 1))
    return run_with_mpi(options, common, work);
  work({});
}

void refuse_teams(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands(nullptr)) {
    if (verb->get_option_no_throw("--distributed")) continue;
    verb->parse_complete_callback([name = verb->get_name()] {
      if (launched() > 1)
        raise<OptionError>(
            "{}: {} processes given by an MPI launcher, one expected: only train and embed divide their work", name,
            launched());
    });
  }
}

}  // namespace knnbert::cli
