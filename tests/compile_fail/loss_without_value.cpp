// expect: loss\(x, labels, d_x\)|std::same_as<void, float>
#include "knnbert/loss/concept.hpp"

struct Hinge {
#ifdef KNNBERT_FIXED
  using Value = float;
#else
  using Value = void;
#endif
  Value operator()(knnbert::ConstView, std::span<const knnbert::label_t>, knnbert::View) const { return Value(); }
};

template <knnbert::Loss L>
struct Training {};

Training<Hinge> training;
