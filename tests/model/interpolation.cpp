// Values between those of before a training and those of after it.
#include "knnbert/model/interpolation.hpp"

#include "term/tiny_network.hpp"

using namespace knnbert_test;

TEST_CASE("interpolation: the encoder moves towards its start by the weight, the heads stay") {
  const auto start = tiny_network({.projection_width = 11}, 3);
  for (const float weight : {0.0f, 0.25f, 1.0f}) {
    auto network = tiny_network({.projection_width = 11}, 8);
    const ParameterBlock trained = network.values();
    interpolate(network, start.values(), weight);
    CHECK(network.values().fresh());
    const ParameterBlock& values = network.values();
    for (index_t p = 0; p < values.table().count(); ++p) {
      const Parameter& parameter = values.table()[p];
      CAPTURE(weight, parameter.name);
      const bool head = parameter.name.starts_with("classifier.") || parameter.name.starts_with("projection.");
      for (index_t i = parameter.offset; i < parameter.offset + parameter.size; ++i) {
        const double from = trained.data()[i], to = std::as_const(start).values().data()[i];
        const double expected =
            head ? from : (1 - static_cast<double>(weight)) * from + static_cast<double>(weight) * to;
        REQUIRE(values.data()[i] == approx(expected).margin(1e-7));
        if (weight == 1 && !head) REQUIRE(values.data()[i] == std::as_const(start).values().data()[i]);
      }
    }
  }
}

TEST_CASE("interpolation: other weights and the values of another network are refused") {
  auto network = tiny_network();
  const auto before = network.values();
  CHECK_THROWS_AS(interpolate(network, before, 1.5f), OptionError);
  CHECK_THROWS_AS(interpolate(network, before, std::numeric_limits<float>::quiet_NaN()), OptionError);
  CHECK_THROWS_AS(interpolate(network, tiny_network({.projection_width = 7}).values(), 0.5f), ShapeError);
}
