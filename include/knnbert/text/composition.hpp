#pragma once
#include "knnbert/text/aligned_text.hpp"

namespace knnbert::inline v0_1 {

/// Normalization form C, or KC: appends UTF-8 composed; what changes together comes from the whole of it.
/// Cost: linear, but for runs of n marks n log n.  Source: Unicode 9, section 3.11.
void compose(AlignedView from, bool compatibility, AlignedText& to);

}  // namespace knnbert::inline v0_1

#if !defined(KNNBERT_COMPILED)
#include "knnbert/text/composition_impl.hpp"
#endif
