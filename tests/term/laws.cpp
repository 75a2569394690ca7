// testing/term_laws.hpp finds nothing in terms that are right, and what is wrong in terms that are not.
#include "knnbert/testing/term_laws.hpp"

#include "term/tiny_network.hpp"
#include "term/user_terms.hpp"

using namespace knnbert_test;

namespace {

const std::vector<label_t> laws_labels{0, 1, 2, 0, 1, 2};

/// Cross entropy whose gradient is half of what it should be.
struct HalfGradient {
  static constexpr std::string_view name = "half";
  template <class Context>
  TermValue add(Context& c) const {
    const TermValue value = CrossEntropy{.weight = 0.5f}.add(c);
    return TermValue(2 * static_cast<float>(*value));
  }
};

/// A mean over the part in place of the step.
struct MeanOfPart {
  static constexpr std::string_view name = "part";
  template <class Context>
  TermValue add(Context& c) const {
    return add_weighted(CrossEntropyLoss{}, c.logits, c.labels, 1, c.d_logits);
  }
};

/// Says that it is absent from steps without an example of the first class, and is not.
template <bool Leaks>
struct FirstClassOnly {
  static constexpr std::string_view name = "first";
  template <class Context>
  TermValue add(Context& c) const {
    const bool absent = std::find(c.labels.begin(), c.labels.end(), 0) == c.labels.end();
    if (absent && !Leaks) return std::nullopt;
    const TermValue value = CrossEntropy{}.add(c);
    return absent ? TermValue() : value;
  }
};

/// Has a state that it does not archive.
struct Forgetful {
  static constexpr std::string_view name = "forgetful";
  float weight = 1;
  template <class Context>
  TermValue add(Context& c) {
    return CrossEntropy{.weight = weight += 0.5f}.add(c);
  }
};

template <class... Terms>
testing::BrokenLaws laws_of(double tolerance, const Terms&... terms) {
  return testing::term_laws([] { return tiny_network(); }, tiny_examples(laws_labels), tolerance, terms...);
}

bool says(const testing::BrokenLaws& broken, std::string_view what) {
  return std::any_of(broken.begin(), broken.end(),
                     [&](const std::string& law) { return law.find(what) != std::string::npos; });
}

}  // namespace

TEST_CASE("term laws hold for terms of the library and of users") {
  CHECK(laws_of(0.02, CrossEntropy{}) == testing::BrokenLaws{});
  CHECK(laws_of(0.02, CrossEntropy{.label_smoothing = 0.1f}, Layerwise<MlpHead>{}) == testing::BrokenLaws{});
  const QueueContrastive contrast({.weight = 0.5f,
                                   .momentum = 1,
                                   .capacity = 20,
                                   .positives = 2,
                                   .contrast = {.temperature = 0.5f, .most_similar = 20}});
  CHECK(laws_of(0.02, CrossEntropy{.weight = 0.5f}, contrast) == testing::BrokenLaws{});
  const TrainingData data = tiny_examples(laws_labels);
  CHECK(testing::term_laws([] { return tiny_network(); }, MaskedTexts{.texts = data.tokens(), .mask = 40, .rate = 0.3},
                           0.02, MaskedTokens{.mask = 40}) == testing::BrokenLaws{});
}

TEST_CASE("term laws: a wrong gradient, a wrong mean, a gradient without a value and a forgotten state are found") {
  CHECK(says(laws_of(0.02, HalfGradient{}), "the gradient of classifier.out_proj.weight"));
  CHECK(says(laws_of(0.02, MeanOfPart{}), "add up"));
  CHECK(says(laws_of(0.02, FirstClassOnly<true>{}), "first has no value for example 1 alone"));
  CHECK_FALSE(says(laws_of(0.02, FirstClassOnly<false>{}), "has no value"));
  CHECK(says(laws_of(0.02, Forgetful{}), "same bits"));
}
