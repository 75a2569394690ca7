// expect: a member of a constraint has a name of attack/constraint.hpp, but cannot be called as it
#include "knnbert/attack/constraint.hpp"

struct KeepAll {
  bool may_change(const knnbert::WordPlace&)
#ifdef KNNBERT_FIXED
      const
#endif
  {
    return false;
  }
  std::string description() const { return "nothing is replaced"; }
};

const auto size = sizeof(knnbert::Constraints<KeepAll>);
