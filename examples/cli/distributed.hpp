#pragma once
#include <functional>

#include "knnbert/distributed/team.hpp"
#include "options.hpp"

namespace knnbert::cli {

struct DistributedOptions {
  std::string mode = "automatic";
  double patience = 1800;
};

/// What a launcher tells a process: Open MPI's, one that speaks PMI, or torchrun.
struct Launch {
  index_t rank = 0, size = 1, local_rank = 0;  // local: among those of the same machine
  std::string address = "127.0.0.1";           // of process 0
  index_t port = 29500;
};

/// Processes that an MPI launcher says it started; 1 without one.
int launched();

void add_distributed(CLI::App& verb, DistributedOptions& options);

/// Calls work(team), with all processes of the launcher as the team if there is one. An error on one process is printed
/// with its rank and ends all of them. With NCCL a device without a number becomes that of the process.
void with_team(const DistributedOptions& options, CommonOptions& common, const std::function<void(const Team&)>& work);

/// Verbs without these options work alone: started several times by a launcher, they would all write to the same
/// places. They end with an OptionError then.
void refuse_teams(CLI::App& app);

}  // namespace knnbert::cli
