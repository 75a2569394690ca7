#include "distributed/thread_team.hpp"
#include "knnbert/distributed/self.hpp"
#include "knnbert/testing/communicator_laws.hpp"

using namespace knnbert_test;

TEST_CASE("communicator: one process on its own") {
  SelfCommunicator self;
  for (const auto& law : testing::communicator_laws(self)) FAIL_CHECK(law);
}

TEST_CASE("communicator: threads") {
  for (const index_t size : {1, 2, 3, 4, 7}) {
    std::vector<testing::BrokenLaws> broken(static_cast<std::size_t>(size));
    run_team(size, [&](ThreadCommunicator& c) {
      broken[static_cast<std::size_t>(c.rank())] = testing::communicator_laws(c);
    });
    for (index_t rank = 0; rank < size; ++rank)
      for (const auto& law : broken[static_cast<std::size_t>(rank)])
        FAIL_CHECK("rank " << rank << " of " << size << ": " << law);
  }
}

TEST_CASE("communicator: ranges are contiguous, in order and of nearly one size") {
  ThreadMeeting meeting(5);
  ThreadCommunicator communicator(meeting, 3);
  const Team team(communicator);
  for (const index_t count : {0, 1, 4, 5, 6, 31, 1000}) {
    index_t next = 0;
    for (index_t r = 0; r < 5; ++r) {
      const Range range = team.range_of(r, count);
      CHECK(range.begin == next);
      CHECK(range.end - range.begin >= count / 5);
      CHECK(range.end - range.begin <= count / 5 + 1);
      next = range.end;
    }
    CHECK(next == count);
  }
}

TEST_CASE("communicator: processes that disagree are told") {
  CHECK_THROWS_AS(run_team(3, [](ThreadCommunicator& c) { require_same(c, "numbers", c.rank() == 2); }),
                  CommunicationError);
  run_team(3, [](ThreadCommunicator& c) { require_same(c, "numbers", 7); });
}

TEST_CASE("communicator: where one process fails, all stop, and the team goes on") {
  run_team(3, [](ThreadCommunicator& c) {
    const Team team(c);
    for (const index_t failing : {0, 1, 2}) {
      const auto work = [&] {
        if (c.rank() == failing) raise<ShapeError>("rank {}", failing);
      };
      if (c.rank() == failing) require_error_in_team<ShapeError>([&] { team.together("test", work); });
      else require_error_in_team<OtherProcessError>([&] { team.together("test", work); });
      index_t calls = 0;
      team.on_first("test", [&] { ++calls; });
      require_in_team(calls == (c.rank() == 0), "work of the first process elsewhere");
    }
  });
}
