#pragma once
#include "knnbert/evaluate/report_json.hpp"
#include "knnbert/io/utf8.hpp"
#include "page_files.hpp"

namespace knnbert::cli {

/// Text as HTML content or attribute value; what is no UTF-8 becomes U+FFFD.
inline std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : repair_utf8(text)) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  return out;
}

/// One HTML file that needs nothing else: headline numbers, training curves, confusion, scores by class, calibration,
/// map of embeddings, neighbors, tables, settings. Texts are only ever shown, never interpreted. Points of the map that
/// are not finite are left out. Its scripts and styles are the files of page/. Size: 55 KB and the data, below 2 MB
/// with 5,000 points.
inline std::string report_page(const ReportData& data, const ReportLimits& limits = {}) {
  std::string out(page::head_html);
  out += "<title>" + html_escape(data.title) + "</title>\n<style>\n";
  for (const auto part : {page::base_css, page::parts_css}) out += part;
  out += "</style>\n</head>\n<body>\n<header>\n<h1>" + html_escape(data.title) + "</h1>\n";
  if (!data.subtitle.empty()) out += "<p class=\"lead\">" + html_escape(data.subtitle) + "</p>\n";
  out += "<noscript><p class=\"empty\">This report draws its charts and tables with JavaScript, ";
  out += "from data inside this file.</p></noscript>\n";
  out += "</header>\n<nav aria-label=\"Parts of the report\"><ul></ul></nav>\n<main></main>\n";
  out += "<script type=\"application/json\" id=\"report-data\">";
  out += script_safe(report_json(data, limits));
  out += "</script>\n<script>\n'use strict';\n";
  for (const auto part : {page::base_js, page::results_js, page::curves_js, page::matrix_js, page::tables_js,
                          page::map_js, page::examples_js})
    out += part;
  out += "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace knnbert::cli
