#include "catch.hpp"
#include "knnbert/loss/binary_cross_entropy.hpp"
#include "knnbert/loss/cross_entropy.hpp"
#include "knnbert/loss/in_batch_contrast.hpp"
#include "knnbert/loss/released_scl.hpp"
#include "knnbert/loss/squared_error.hpp"
#include "knnbert/loss/symmetric_kl.hpp"
#include "knnbert/metric/cosine.hpp"
#include "knnbert/testing/loss_laws.hpp"

using namespace knnbert;
using knnbert_test::approx;
using Labels = std::vector<label_t>;

static_assert(Loss<CrossEntropyLoss> && Loss<InBatchContrast> && Loss<ReleasedSclLoss>);
static_assert(Divergence<SymmetricKl> && Divergence<SquaredErrorLoss> && Divergence<StableKl>);

namespace {

Matrix matrix(std::initializer_list<std::initializer_list<float>> rows) {
  Matrix m(std::ssize(rows), std::ssize(*rows.begin()));
  index_t i = 0;
  for (const auto& row : rows) std::copy(row.begin(), row.end(), m.row(i++).begin());
  return m;
}

struct OffByTwo {
  float operator()(ConstView x, std::span<const label_t> labels, View d) const {
    return 2 * CrossEntropyLoss{}(x, labels, d);
  }
};

}  // namespace

TEST_CASE("losses keep their laws", "[loss]") {
  CHECK(testing::loss_laws(CrossEntropyLoss{}) == testing::BrokenLaws{});
  CHECK(testing::loss_laws(CrossEntropyLoss{0.1f}) == testing::BrokenLaws{});
  CHECK(testing::loss_laws(CrossEntropyLoss{1.0f}, 1) == testing::BrokenLaws{});
  const std::vector<float> weights{0.5f, 2, 1.25f, 3};
  CHECK(testing::loss_laws(CrossEntropyLoss{0.2f, weights}) == testing::BrokenLaws{});
  CHECK(testing::loss_laws(InBatchContrast{0.5f}) == testing::BrokenLaws{});
  CHECK(testing::loss_laws(InBatchContrast{0.5f}, 7, 40) == testing::BrokenLaws{});
  CHECK(testing::loss_laws(ReleasedSclLoss{2.0f}) == testing::BrokenLaws{});
  CHECK(testing::divergence_laws(SymmetricKl{}) == testing::BrokenLaws{});
  CHECK(testing::divergence_laws(SymmetricKl{.half_detached = true}, 4, 5, false) == testing::BrokenLaws{});
  CHECK(testing::divergence_laws(StableKl{}, 4, 5, false) == testing::BrokenLaws{});
  for (const auto r : {SquaredErrorReduction::mean, SquaredErrorReduction::batch_mean, SquaredErrorReduction::sum})
    CHECK(testing::divergence_laws(SquaredErrorLoss{r}) == testing::BrokenLaws{});
  CHECK_FALSE(testing::loss_laws(OffByTwo{}).empty());
}

TEST_CASE("cross entropy of known logits", "[loss]") {
  Matrix logits = matrix({{0, 0, 0}, {std::log(2.0f), 0, 0}}), d(2, 3);
  CHECK(CrossEntropyLoss{}(logits, Labels{1, 0}, d) == approx((std::log(3) + std::log(2)) / 2));
  CHECK(d(0, 0) == approx(1.0 / 6));
  CHECK(d(0, 1) == approx(-1.0 / 3));
  CHECK(d(1, 0) == approx(-0.25));
  const float smoothed = CrossEntropyLoss{0.3f}(logits, Labels{1, 0}, d);
  CHECK(smoothed == approx((std::log(3) + 0.8 * std::log(2) + 0.2 * std::log(4)) / 2));
}

/// PyTorch 2.13: CrossEntropyLoss(weight, reduction='none', label_smoothing)(logits, labels).mean(), in float64.
TEST_CASE("cross entropy with weights of the classes has PyTorch's values and gradients", "[loss]") {
  const Matrix logits = matrix({{0.5f, -1, 2}, {1.5f, 0.25f, -0.75f}, {-0.5f, 0, 1}, {2, -2, 0.5f}});
  const Labels labels{2, 0, 1, 0};
  const std::vector<float> weights{0.5f, 2, 1.25f};
  Matrix d(4, 3);
  const auto check = [&](float smoothing, double value, const std::vector<double>& gradient) {
    CHECK(CrossEntropyLoss{smoothing, weights}(logits, labels, d) == approx(value).epsilon(1e-6));
    for (index_t i = 0; i < 12; ++i) CHECK(std::abs(d(i / 3, i % 3) - gradient[static_cast<std::size_t>(i)]) < 1e-7);
  };
  check(0, 0.8759628318565903,
        {0.05477824754376147, 0.012222679147089828, -0.06700092669085128, -0.035194957356116885, 0.025729575499706444,
         0.00946538185641044, 0.07012219158304424, -0.3843880511889255, 0.3142658596058812, -0.024310948494934675,
         0.0018441843074159332, 0.022466764187518723});
  check(0.2f, 1.1905179336650527,
        {0.04644491421042814, -0.021110654186243506, -0.025334260024184603, 0.008413222103714717, 0.0001151148162850454,
         -0.008528336919999761, 0.05652969388098259, -0.3263922806830894, 0.2698625868021068, 0.02256243362325159,
         -0.03093589373369262, 0.008373460110441008});
  const Matrix before = d;
  CHECK(CrossEntropyLoss{0.2f, weights}.add(logits, labels, 2, d) == approx(1.1905179336650527).epsilon(1e-6));
  CHECK(d(2, 1) == approx(3 * before(2, 1)));
}

/// PyTorch 2.13: BCEWithLogitsLoss in float64.
TEST_CASE("binary cross entropy has PyTorch's value and gradient", "[loss]") {
  Matrix logits = matrix({{0.5f, -1, 2}, {1.5f, 0.25f, -0.75f}, {-0.5f, 0, 1}, {2, -2, 0.5f}}), d(4, 3), again(4, 3);
  const Matrix targets = matrix({{1, 0, 1}, {0, 0, 0}, {1, 1, 1}, {0, 1, 0}});
  CHECK(BinaryCrossEntropyLoss{}(logits, targets, d) == approx(0.9197424371035104).epsilon(1e-6));
  const std::vector<double> gradient{-0.03146172239984545, 0.02241178511416626,   -0.009933576835176474,
                                     0.0681312063494703,   0.046848041740483175,  0.026735108402050584,
                                     -0.05187161093348788, -0.041666666666666664, -0.02241178511416626,
                                     0.07339975649815686,  -0.07339975649815687,  0.05187161093348788};
  for (index_t i = 0; i < 12; ++i) CHECK(std::abs(d(i / 3, i % 3) - gradient[static_cast<std::size_t>(i)]) < 1e-7);
  CHECK(testing::gradient_error(logits, d, [&] { return BinaryCrossEntropyLoss{}(logits, targets, again); }) < 1e-2);
  Matrix sure(1, 2);
  CHECK(BinaryCrossEntropyLoss{}(matrix({{-1000, 1000}}), matrix({{0, 1}}), sure) == 0);
  CHECK(BinaryCrossEntropyLoss{}(matrix({{-1000, 1000}}), matrix({{1, 0}}), sure) == approx(1000));
  CHECK_THROWS_AS(BinaryCrossEntropyLoss{}(logits, matrix({{0, 1}}), d), ShapeError);
}

TEST_CASE("cross entropy does not overflow", "[loss]") {
  Matrix logits = matrix({{3e38f, -3e38f}}), d(1, 2);
  CHECK(CrossEntropyLoss{}(logits, Labels{0}, d) == 0.0f);
  CHECK(CrossEntropyLoss{}(matrix({{1000, 0}}), Labels{1}, d) == approx(1000));
  CHECK(d(0, 0) == approx(1));
  CHECK(CrossEntropyLoss{0.5f}(matrix({{1000, 0}}), Labels{0}, d) == approx(250));
}

TEST_CASE("losses refuse bad labels and options", "[loss]") {
  Matrix d(1, 2);
  CHECK_THROWS_AS(CrossEntropyLoss{}(matrix({{0, 0}}), Labels{2}, d), ShapeError);
  CHECK_THROWS_AS(CrossEntropyLoss{}(matrix({{0, 0}}), Labels{-1}, d), ShapeError);
  CHECK_THROWS_AS(CrossEntropyLoss{2.0f}(matrix({{0, 0}}), Labels{0}, d), OptionError);
  const std::vector<float> two{1, 1}, three{1, 1, 1}, zero{0, 1};
  CHECK_NOTHROW(CrossEntropyLoss{0, two}(matrix({{0, 0}}), Labels{0}, d));
  CHECK_THROWS_AS((CrossEntropyLoss{0, three}(matrix({{0, 0}}), Labels{0}, d)), ShapeError);
  CHECK_THROWS_AS((CrossEntropyLoss{0, zero}(matrix({{0, 0}}), Labels{0}, d)), OptionError);
  CHECK_THROWS_AS(InBatchContrast{0.0f}(matrix({{0, 0}}), Labels{0}, d), OptionError);
  CHECK_THROWS_AS(SymmetricKl{}(matrix({{0, 0}}), matrix({{0, 0, 0}}), d), ShapeError);
}

TEST_CASE("symmetric KL of nearly equal rows keeps its digits", "[loss]") {
  // L ~ (a - b)^T F (a - b), F = diag(p) - p p^T: with p = 1/2 each and a - b = (h, -h) it is h^2.
  const float h = 0x1p-20f;
  Matrix a = matrix({{1 + h, 1 - h}}), b = matrix({{1, 1}}), d(1, 2);
  CHECK(SymmetricKl{}(a, b, d) == approx(static_cast<double>(h) * h));
  CHECK(d(0, 0) == approx(static_cast<double>(h)));
  CHECK(SymmetricKl{.half_detached = true}(a, b, d) == approx(static_cast<double>(h) * h));
  CHECK(d(0, 0) == approx(0.5 * static_cast<double>(h)));
}

TEST_CASE("symmetric KL of rows that share nothing has finite gradients", "[loss]") {
  for (const float far : {-700.0f, -720.0f, -760.0f, -3000.0f}) {
    Matrix a(1, 2), b(1, 2), d_a(1, 2), d_b(1, 2);
    a(0, 1) = far;
    const float value = SymmetricKl{.half_detached = true}(a, b, d_a, d_b);
    CHECK(value == approx(-far / 2).epsilon(1e-3));
    CHECK(d_a(0, 0) == approx(0.5));
    CHECK(d_a(0, 1) == approx(-0.5));
    CHECK(d_b(0, 0) == approx(-0.5));
    CHECK(d_b(0, 1) == approx(0.5));
  }
}

TEST_CASE("in-batch contrast of degenerate batches", "[loss]") {
  Matrix z = testing::random_rows(4, 6, 1), d(4, 6);
  Cosine{}.prepare(z);
  CHECK(InBatchContrast{}(z, Labels{0, 1, 2, 3}, d) == 0.0f);  // nobody has a partner
  CHECK(testing::largest_difference(d, Matrix(4, 6)) == 0.0);
  CHECK(InBatchContrast::count_valid(Labels{0, 1, 2, 1}) == 2);
  Matrix one(1, 3), d_one(1, 3);
  CHECK(InBatchContrast{}(one, Labels{0}, d_one) == 0.0f);
  Matrix equal(5, 2), d_equal(5, 2);  // one class, equal rows: the minimum log(N - 1)
  for (index_t i = 0; i < 5; ++i) equal(i, 0) = 1;
  CHECK(InBatchContrast{}(equal, Labels(5, 0), d_equal) == approx(std::log(4)));
  CHECK(testing::largest_difference(d_equal, Matrix(5, 2)) < 1e-6);
  Matrix far = matrix({{1, 0}, {-1, 0}, {1, 0}}), d_far(3, 2);
  CHECK(std::isfinite(InBatchContrast{1e-4f}(far, Labels{0, 0, 1}, d_far)));
}

TEST_CASE("the released loss explodes and says so", "[loss]") {
  Matrix d(2, 1);
  CHECK_FALSE(std::isfinite(ReleasedSclLoss{0.3f}(matrix({{60}, {-60}}), Labels{0, 1}, d)));
  CHECK(ReleasedSclLoss{0.3f}(matrix({{1}, {2}}), Labels{0, 0}, d) == 0.0f);  // one class
  // Two rows, two labels: Y_0 = e^1, Z_0 = e^0 (a_0 a_1 = 0), T = 1, M = 2.
  Matrix orthogonal = matrix({{1, 0}, {0, 1}}), d2(2, 2);
  CHECK(ReleasedSclLoss{1.0f}(orthogonal, Labels{0, 1}, d2) == approx(std::exp(1.0)));
}
