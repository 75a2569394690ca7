#include "page.hpp"

#include <limits>

#include "catch.hpp"

using namespace knnbert;
using knnbert_test::approx;

namespace {

/// Texts that would end the data, start a comment, inject an element or break a string.
const std::string hostile =
    "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>]]> &amp; \" ' ` ${1} \\ \n\t"
    "\xE2\x80\xA8 \xE2\x80\xA9 \x01 \xFF\xFE \xE4\xB8";

index_t occurrences(const std::string& text, const std::string& part) {
  index_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

std::string embedded(const std::string& page) {
  const std::string open = "<script type=\"application/json\" id=\"report-data\">";
  const auto begin = page.find(open);
  REQUIRE(begin != std::string::npos);
  const auto end = page.find("</script>", begin);
  return page.substr(begin + open.size(), end - begin - open.size());
}

OrderedJson parsed(const std::string& page) { return OrderedJson::parse(embedded(page)); }

Evaluation small_evaluation(std::vector<std::string> classes) {
  const float rows[] = {.9f, .1f, .2f, .8f, .7f, .3f};
  const ConstView view(rows, 3, 2);
  return evaluate(std::vector<label_t>{0, 1, 1}, {view, view, view}, std::move(classes));
}

ReportData full(const std::string& text) {
  ReportData data;
  data.title = text;
  data.subtitle = text;
  data.settings = {{text, text}};
  data.curves = {{text, text, {{1, 0.5}, {2, 0.25}}}};
  data.evaluation = small_evaluation({text, "b"});
  data.points = {{.x = 0, .y = 0, .label = 0, .predicted = 0, .text = text},
                 {.x = 1, .y = 2, .label = 1, .predicted = 0, .text = text}};
  data.examples = {{.text = text,
                    .gold = 0,
                    .predicted = 1,
                    .knn = {.2f, .8f},
                    .head = {.6f, .4f},
                    .combined = {.4f, .6f},
                    .neighbors = {{text, 1, .9f, 1}}}};
  data.tables = {{text, text, {text, "n"}, {{text, "1"}}}};
  return data;
}

}  // namespace

TEST_CASE("a report is one complete page that asks for nothing else") {
  const auto page = cli::report_page(full("plain"));
  CHECK(page.substr(0, 15) == "<!doctype html>");
  CHECK(page.find("<meta charset=\"utf-8\">") != std::string::npos);
  CHECK(page.find("<meta name=\"viewport\"") != std::string::npos);
  CHECK(page.find("default-src 'none'") != std::string::npos);
  CHECK(page.find("prefers-color-scheme: dark") != std::string::npos);
  for (const std::string element : {"html", "head", "body", "style", "title", "h1", "nav", "main", "header"}) {
    CHECK(occurrences(page, format("</{}>", element)) == 1);
    CHECK(occurrences(page, format("<{}>", element)) + occurrences(page, format("<{} ", element)) == 1);
  }
  CHECK(occurrences(page, "</script>") == 2);
  for (const char* request : {" src=", "@import", "url(", "fetch(", "XMLHttpRequest", "innerHTML", "<link"})
    CHECK(page.find(request) == std::string::npos);
  CHECK(occurrences(page, "http") == 2);  // http-equiv and the SVG namespace
  CHECK(page.find("http://www.w3.org/2000/svg") != std::string::npos);
}

TEST_CASE("hostile texts stay texts") {
  const auto page = cli::report_page(full(hostile));
  CHECK(occurrences(page, "</script") == 2);
  CHECK(occurrences(page, "<script") == 2);
  CHECK(occurrences(page, "<!--") == 0);
  CHECK(occurrences(page, "<img") == 0);
  const auto data = embedded(page);
  for (const char* raw : {"<", ">", "&", "\xE2\x80\xA8", "\xE2\x80\xA9", "\n", "\x01", "\xFF"})
    CHECK(data.find(raw) == std::string::npos);
  CHECK(page.find("<h1>&lt;/script&gt;&lt;script&gt;alert(1)") != std::string::npos);
}

TEST_CASE("embedded texts are read back as they were") {
  const std::string text = "</script><!-- & \" \\ \xE2\x80\xA8\xE2\x80\xA9 \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x99\x82";
  const auto json = parsed(cli::report_page(full(text)));
  CHECK(json["title"] == text);
  CHECK(json["classes"][0] == text);
  CHECK(json["settings"][0][1] == text);
  CHECK(json["curves"][0]["name"] == text);
  CHECK(json["map"]["text"][1] == text);
  CHECK(json["examples"][0]["neighbors"][0]["text"] == text);
  CHECK(json["tables"][0]["rows"][0][0] == text);
}

TEST_CASE("absent parts are absent") {
  const auto page = cli::report_page({});
  const auto json = parsed(page);
  CHECK(json["evaluation"].is_null());
  CHECK(json["map"].is_null());
  for (const char* part : {"classes", "settings", "curves", "examples", "tables"}) CHECK(json[part].empty());
  CHECK(page.find("<title>knnbert report</title>") != std::string::npos);
  CHECK(page.find("class=\"lead\"") == std::string::npos);
}

TEST_CASE("the parts of a report carry their numbers") {
  const auto json = parsed(cli::report_page(full("t")));
  CHECK(json["evaluation"]["accuracy"]["combined"].get<double>() == approx(2.0 / 3));
  CHECK(json["evaluation"]["confusion_cells"]["head"].dump() == "[[0,0,1],[1,0,1],[1,1,1]]");
  CHECK_FALSE(json["evaluation"].contains("confusion"));
  CHECK(json["curves"][0]["x"].dump() == "[1.0,2.0]");
  CHECK(json["curves"][0]["y"].dump() == "[0.5,0.25]");
  CHECK(json["curves"][0]["averaged"] == 1);
  CHECK(json["map"]["x"].dump() == "[0,2000]");
  CHECK(json["map"]["y"].dump() == "[0,4000]");
  CHECK(json["map"]["label"].dump() == "[0,1]");
  CHECK(json["examples"][0]["knn"].dump() == "[[1,0.8],[0,0.2]]");
  CHECK(json["examples"][0]["neighbors"][0]["similarity"] == 0.9);
}

TEST_CASE("class names of the report come before those of the evaluation") {
  auto data = full("t");
  CHECK(report_json(data)["classes"].dump() == R"(["t","b"])");
  data.classes = {"x", "y", "z"};
  CHECK(report_json(data)["classes"].dump() == R"(["x","y","z"])");
}

TEST_CASE("points that are not finite are left out") {
  ReportData data;
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  data.points = {{.x = nan, .y = 0, .label = 0, .predicted = 0, .text = "a"},
                 {.x = 5, .y = 5, .label = 1, .predicted = -1, .text = "b"},
                 {.x = 0, .y = infinity, .label = 0, .predicted = 0, .text = "c"}};
  const auto map = report_json(data)["map"];
  CHECK(map["total"] == 3);
  CHECK(map["text"].dump() == R"(["b"])");
  CHECK(map["x"].dump() == "[0]");
  data.points = {{.x = nan, .y = nan, .label = 0, .predicted = 0, .text = "a"}};
  CHECK(report_json(data)["map"]["x"].empty());
}

TEST_CASE("curves keep gaps and are thinned to means") {
  ReportData data;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  data.curves = {{"loss", "a", {{1, 2}, {2, nan}, {3, 4}, {4, 6}, {5, 7}}}};
  CHECK(report_json(data)["curves"][0]["y"].dump() == "[2.0,null,4.0,6.0,7.0]");
  const auto thin = report_json(data, {.curve_points = 3})["curves"][0];
  CHECK(thin["x"].dump() == "[2.0,4.0,5.0]");
  CHECK(thin["y"].dump() == "[2.0,5.0,7.0]");
  CHECK(thin["averaged"] == 2);
}

TEST_CASE("long texts are cut between characters") {
  const std::string chinese = "\xE4\xB8\xAD\xE6\x96\x87";
  CHECK(detail::clip_text(chinese, 6) == chinese);
  CHECK(detail::clip_text(chinese, 5) == "\xE4\xB8\xAD\xE2\x80\xA6");
  CHECK(detail::clip_text("abc", 0) == "\xE2\x80\xA6");
  CHECK(detail::clip_text(std::string(300, '\x80'), 10) == "\xE2\x80\xA6");
}

TEST_CASE("numbers are shortened to significant digits") {
  CHECK(detail::significant(0.123456789, 4) == 0.1235);
  CHECK(detail::significant(-98765.4321, 3) == -98800);
  CHECK(detail::significant(0, 3) == 0);
  CHECK(detail::significant(5e-324, 3) == 5e-324);
  CHECK(detail::significant(1.7e308, 2) == approx(1.7e308));
}

TEST_CASE("of many probabilities the largest and the gold one remain") {
  std::vector<float> probabilities(150, 0.001f);
  probabilities[7] = 0.6f;
  probabilities[3] = 0.2f;
  probabilities[149] = 0;
  const auto top = detail::top_probabilities(probabilities, 149);
  REQUIRE(top.size() == 6);
  CHECK(top[0].dump() == "[7,0.6]");
  CHECK(top[1].dump() == "[3,0.2]");
  CHECK(top[2].dump() == "[0,0.001]");
  CHECK(top[5].dump() == "[149,0.0]");
  CHECK(detail::top_probabilities({}, 0).empty());
  CHECK(detail::top_probabilities({0, 1}, -1).dump() == "[[1,1.0]]");
  CHECK(detail::top_probabilities({std::numeric_limits<float>::quiet_NaN(), 0.5f}, 1)[0].dump() == "[1,0.5]");
}

TEST_CASE("five thousand points stay below two megabytes, more are thinned out evenly") {
  ReportData data;
  for (index_t i = 0; i < 20000; ++i) {
    const auto at = static_cast<float>(i);
    const auto label = static_cast<label_t>(i % 150), predicted = static_cast<label_t>(i % 149);
    data.points.push_back({.x = at, .y = -at, .label = label, .predicted = predicted, .text = std::string(1000, 'x')});
  }
  const auto page = cli::report_page(data);
  CHECK(page.size() < 2'000'000);
  const auto map = parsed(page)["map"];
  CHECK(map["total"] == 20000);
  REQUIRE(map["x"].size() == 5000);
  CHECK(map["x"][0] == 0);
  CHECK(map["x"][4999].get<int>() > 3990);
}

TEST_CASE("literals of the page are small enough for every compiler") {
  namespace page = cli::page;
  for (const auto part : {page::head_html, page::base_css, page::parts_css, page::base_js, page::results_js,
                          page::curves_js, page::matrix_js, page::tables_js, page::map_js, page::examples_js}) {
    CHECK(part.size() < 16000);
    CHECK(std::all_of(part.begin(), part.end(), [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
    CHECK(part.find("</") == part.find("</html>"));  // nothing may end the element around it
  }
}
