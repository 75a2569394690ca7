#pragma once
#include <string>
#include <string_view>

#include "knnbert/evaluate/page/script_base.hpp"
#include "knnbert/evaluate/page/script_curves.hpp"
#include "knnbert/evaluate/page/script_examples.hpp"
#include "knnbert/evaluate/page/script_map.hpp"
#include "knnbert/evaluate/page/script_matrix.hpp"
#include "knnbert/evaluate/page/script_results.hpp"
#include "knnbert/evaluate/page/script_tables.hpp"
#include "knnbert/evaluate/page/style.hpp"
#include "knnbert/io/utf8.hpp"

namespace knnbert {

namespace page {

/// The policy forbids every request; what runs is what stands in the file.
inline constexpr std::string_view head = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="robots" content="noindex">
)html";

}  // namespace page

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

/// One self-contained HTML file around `json`, which must be safe inside a script element.
inline std::string report_page(std::string_view title, std::string_view subtitle, std::string_view json) {
  std::string out(page::head);
  out += "<title>" + html_escape(title) + "</title>\n<style>";
  for (const auto part : {page::style_base, page::style_parts}) out += part;
  out += "</style>\n</head>\n<body>\n<header>\n<h1>" + html_escape(title) + "</h1>\n";
  if (!subtitle.empty()) out += "<p class=\"lead\">" + html_escape(subtitle) + "</p>\n";
  out += "<noscript><p class=\"empty\">This report draws its charts and tables with JavaScript, ";
  out += "from data inside this file.</p></noscript>\n";
  out += "</header>\n<nav aria-label=\"Parts of the report\"><ul></ul></nav>\n<main></main>\n";
  out += "<script type=\"application/json\" id=\"report-data\">";
  out += json;
  out += "</script>\n<script>\n'use strict';";
  for (const auto part : {page::script_base, page::script_results, page::script_curves, page::script_matrix,
                          page::script_tables, page::script_map, page::script_examples})
    out += part;
  out += "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace knnbert
