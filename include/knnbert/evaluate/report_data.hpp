#pragma once
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "knnbert/core/types.hpp"
#include "knnbert/evaluate/evaluation.hpp"

namespace knnbert::inline v0_1 {

/// A line of a chart; curves with the same panel and axis share one chart. The curves knn, head and combined keep the
/// colors that these predictors have everywhere on the page. A value that is not finite leaves a gap.
struct Curve {
  std::string panel, name;
  std::vector<std::pair<double, double>> points;  ///< (step, value), steps ascending
  std::string axis = "step";
};

/// An example on the map of embeddings; labels below 0 are unknown.
struct ReportPoint {
  float x = 0, y = 0;
  label_t label = -1, predicted = -1;
  std::string text;
};

/// A labeled example that voted.
struct ReportNeighbor {
  std::string text;
  label_t label = -1;
  float similarity = 0;
  double vote = 0;  ///< share of the vote, in [0, 1]
};

/// A prediction with its evidence. The distributions [C] may be empty.
struct ReportExample {
  std::string text;
  label_t gold = -1, predicted = -1;
  std::vector<float> knn, head, combined;
  std::vector<ReportNeighbor> neighbors;
};

/// A free table, for example of an attack; a column of numbers is aligned and sorted as such.
struct ReportTable {
  std::string title, note;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Everything a report can show. Absent parts leave a short note, or nothing where they are optional.
struct ReportData {
  std::string title = "knnbert report";
  std::string subtitle;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<Curve> curves;
  std::optional<Evaluation> evaluation;
  std::vector<std::string> classes;  ///< names of the labels; those of the evaluation when empty
  std::vector<ReportPoint> points;
  std::array<Ratio, 2> explained;  ///< share of variance of the two axes of the map, when known
  std::vector<ReportExample> examples;
  std::vector<ReportTable> tables;
};

/// Bounds that keep the page small; what exceeds them is thinned out evenly or cut.
struct ReportLimits {
  index_t points = 5000;
  index_t point_text = 240;     ///< bytes of a text on the map
  index_t examples = 60;        ///< the first ones
  index_t example_text = 2000;  ///< bytes of the text of an example or a neighbor
  index_t curve_points = 600;   ///< longer curves show means of consecutive points
};

}  // namespace knnbert::inline v0_1
