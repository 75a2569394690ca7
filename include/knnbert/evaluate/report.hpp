#pragma once
#include <string>

#include "knnbert/evaluate/report_data.hpp"
#include "knnbert/evaluate/report_json.hpp"
#include "knnbert/evaluate/report_page.hpp"

namespace knnbert {

/// One HTML file that needs nothing else: headline numbers, training curves, confusion, scores by class, calibration,
/// map of embeddings, neighbors, tables, settings. Texts are only ever shown, never interpreted. Points of the map that
/// are not finite are left out. Size: 55 KB and the data, below 2 MB with 5,000 points.
inline std::string render_report(const ReportData& data, const ReportLimits& limits = {}) {
  return report_page(data.title, data.subtitle, script_safe(report_json(data, limits)));
}

}  // namespace knnbert
