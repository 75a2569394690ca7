#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "knnbert/evaluate/evaluation_json.hpp"
#include "knnbert/evaluate/report_data.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// At most `limit` bytes of UTF-8, cut between characters.
inline std::string clip_text(const std::string& text, index_t limit) {
  if (std::ssize(text) <= limit) return text;
  auto end = static_cast<std::size_t>(std::max<index_t>(limit, 0));
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "\xE2\x80\xA6";
}

/// value rounded to a number of significant decimal digits, for a short text.
inline double significant(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, digits - 1 - static_cast<int>(std::floor(std::log10(std::abs(value)))));
  return std::isfinite(scale) ? std::round(value * scale) / scale : value;
}

/// Consecutive points are averaged until at most `limit` remain.
inline OrderedJson curve_json(const Curve& curve, index_t limit) {
  const index_t size = std::ssize(curve.points);
  const index_t group = std::max<index_t>(1, (size + std::max<index_t>(limit, 1) - 1) / std::max<index_t>(limit, 1));
  auto x = OrderedJson::array(), y = OrderedJson::array();
  for (index_t first = 0; first < size; first += group) {
    const index_t last = std::min(size, first + group);
    double sum = 0, count = 0;
    for (index_t i = first; i < last; ++i)
      if (const double value = curve.points[as_size(i)].second; std::isfinite(value)) sum += value, ++count;
    x.push_back(curve.points[as_size(last - 1)].first);
    y.push_back(count > 0 ? OrderedJson(significant(sum / count, 6)) : OrderedJson(nullptr));
  }
  return {{"panel", curve.panel}, {"name", curve.name}, {"axis", curve.axis},
          {"averaged", group},    {"x", std::move(x)},  {"y", std::move(y)}};
}

/// Positions as whole numbers in [0, 4000] on one scale for both axes: short, and finer than a screen.
class MapScale {
 public:
  explicit MapScale(const std::vector<ReportPoint>& points) {
    double high_x = -infinity, high_y = -infinity;
    for (const auto& p : points) {
      if (!usable(p)) continue;
      low_x_ = std::min<double>(low_x_, p.x), high_x = std::max<double>(high_x, p.x);
      low_y_ = std::min<double>(low_y_, p.y), high_y = std::max<double>(high_y, p.y);
    }
    const double side = std::max(high_x - low_x_, high_y - low_y_);
    factor_ = side > 0 ? 4000 / side : 0;
  }
  static bool usable(const ReportPoint& p) { return std::isfinite(p.x) && std::isfinite(p.y); }
  index_t x(const ReportPoint& p) const { return static_cast<index_t>(std::lround((p.x - low_x_) * factor_)); }
  index_t y(const ReportPoint& p) const { return static_cast<index_t>(std::lround((p.y - low_y_) * factor_)); }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  double low_x_ = infinity, low_y_ = infinity, factor_ = 0;
};

inline OrderedJson map_json(const ReportData& data, const ReportLimits& limits) {
  if (data.points.empty()) return nullptr;
  const MapScale scale(data.points);
  const index_t total = std::ssize(data.points), drawn = std::clamp<index_t>(limits.points, 0, total);
  OrderedJson x = OrderedJson::array(), y = x, label = x, predicted = x, text = x, explained = x;
  for (index_t i = 0; i < drawn; ++i) {
    const ReportPoint& point = data.points[as_size(i * total / drawn)];
    if (!MapScale::usable(point)) continue;
    x.push_back(scale.x(point));
    y.push_back(scale.y(point));
    label.push_back(point.label);
    predicted.push_back(point.predicted);
    text.push_back(clip_text(point.text, limits.point_text));
  }
  if (data.explained[0].defined && data.explained[1].defined)
    explained = {significant(data.explained[0].value, 4), significant(data.explained[1].value, 4)};
  return {{"total", total},         {"explained", std::move(explained)}, {"x", std::move(x)},
          {"y", std::move(y)},      {"label", std::move(label)},         {"predicted", std::move(predicted)},
          {"text", std::move(text)}};
}

/// The five largest probabilities that are not negligible, and that of the gold class, as [class, probability].
inline OrderedJson top_probabilities(const std::vector<float>& probabilities, label_t gold) {
  std::vector<index_t> order(probabilities.size());
  for (index_t i = 0; i < std::ssize(order); ++i) order[as_size(i)] = i;
  const auto rank_value = [&](index_t i) {
    const float p = probabilities[as_size(i)];
    return std::isnan(p) ? -1.0f : p;
  };
  std::stable_sort(order.begin(), order.end(), [&](index_t a, index_t b) { return rank_value(a) > rank_value(b); });
  OrderedJson out = OrderedJson::array();
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const index_t label = order[rank];
    const float p = probabilities[as_size(label)];
    if ((rank < 5 && p >= 0.0005f) || label == gold)
      out.push_back({label, std::round(static_cast<double>(p) * 1e4) / 1e4});
  }
  return out;
}

inline OrderedJson example_json(const ReportExample& example, const ReportLimits& limits) {
  OrderedJson neighbors = OrderedJson::array();
  for (const auto& n : example.neighbors)
    neighbors.push_back({{"text", clip_text(n.text, limits.example_text)},
                         {"label", n.label},
                         {"similarity", significant(n.similarity, 5)},
                         {"vote", significant(n.vote, 5)}});
  return {{"text", clip_text(example.text, limits.example_text)},
          {"gold", example.gold},
          {"predicted", example.predicted},
          {"knn", top_probabilities(example.knn, example.gold)},
          {"head", top_probabilities(example.head, example.gold)},
          {"combined", top_probabilities(example.combined, example.gold)},
          {"neighbors", std::move(neighbors)}};
}

}  // namespace detail

/// What the page embeds.
inline OrderedJson report_json(const ReportData& data, const ReportLimits& limits = {}) {
  OrderedJson out = {{"title", data.title}, {"subtitle", data.subtitle}};
  out["classes"] = data.classes.empty() && data.evaluation ? data.evaluation->classes : data.classes;
  out["settings"] = OrderedJson::array();
  for (const auto& [name, value] : data.settings) out["settings"].push_back(OrderedJson::array({name, value}));
  out["curves"] = OrderedJson::array();
  for (const auto& curve : data.curves) out["curves"].push_back(detail::curve_json(curve, limits.curve_points));
  out["evaluation"] = data.evaluation ? to_json(*data.evaluation, 0) : OrderedJson(nullptr);
  out["map"] = detail::map_json(data, limits);
  out["examples"] = OrderedJson::array();
  for (index_t i = 0; i < std::min(std::ssize(data.examples), limits.examples); ++i)
    out["examples"].push_back(detail::example_json(data.examples[as_size(i)], limits));
  out["tables"] = OrderedJson::array();
  for (const auto& t : data.tables)
    out["tables"].push_back({{"title", t.title}, {"note", t.note}, {"columns", t.columns}, {"rows", t.rows}});
  return out;
}

/// JSON that may stand inside a script element: no <, > or & outside of escapes, so neither `</script>` nor `<!--`, and
/// no line separators U+2028 and U+2029. Bytes that are not UTF-8 become U+FFFD.
inline std::string script_safe(const OrderedJson& value) {
  const std::string plain = value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string out;
  out.reserve(plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::string_view next = std::string_view(plain).substr(i, 3);
    if (next.front() == '<') out += "\\u003c";
    else if (next.front() == '>') out += "\\u003e";
    else if (next.front() == '&') out += "\\u0026";
    else if (next == "\xE2\x80\xA8") out += "\\u2028", i += 2;
    else if (next == "\xE2\x80\xA9") out += "\\u2029", i += 2;
    else out += next.front();
  }
  return out;
}

}  // namespace knnbert::inline v0_1
