#include <cstdio>
#include <knnbert/distributed/mpi.hpp>
#include <knnbert/distributed/team.hpp>

int main() {
  knnbert::MpiCommunicator communicator;
  std::printf("%d\n", static_cast<int>(knnbert::Team(communicator).size()));
}
