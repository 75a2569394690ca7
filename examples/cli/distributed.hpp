#pragma once
#include <functional>

#include "knnbert/distributed/team.hpp"
#include "options.hpp"

namespace knnbert::cli {

struct DistributedOptions {
  std::string mode = "automatic";
  double patience = 1800;
};

void add_distributed(CLI::App& verb, DistributedOptions& options);

/// Calls work(team), with all processes of the launcher as the team if there is one. An error on one process is printed with
/// its rank and ends all of them.
void with_team(const DistributedOptions& options, const std::function<void(const Team&)>& work);

/// Verbs without these options work alone: started several times by a launcher, they would all write to the same places.
/// They end with an OptionError then.
void refuse_teams(CLI::App& app);

}  // namespace knnbert::cli
