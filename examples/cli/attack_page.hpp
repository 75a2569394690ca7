#pragma once
#include "knnbert/attack/result_json.hpp"
#include "knnbert/text/edit_distance.hpp"
#include "output.hpp"
#include "page.hpp"

namespace knnbert::cli {

/// One HTML file about an attack, without scripts: the summary, the parts that ran, and texts with what was replaced.
/// Successes come first, in the order of the data.
class AttackPage {
 public:
  /// result: a line of an attack's results.
  void add(const OrderedJson& result) {
    const bool successful = result.at("status") == name_of(AttackStatus::successful);
    auto& count = successful ? successes_ : others_;
    if (count++ < most_shown) (successful ? first_ : second_) += example(result);
  }

  std::string text(const std::string& title, const std::vector<std::string>& parts, const OrderedJson& summary) const {
    std::string out(page::head_html);
    out += "<title>" + html_escape(title) + "</title>\n<style>\n" + std::string(page::base_css);
    out += "\ndel { color: var(--bad); } ins { color: var(--good); font-weight: 600; text-decoration: none; }";
    out += "\narticle { margin-top: .8rem; } td { padding-right: 1.5rem; }";
    out += "\n</style>\n</head>\n<body>\n<header>\n<h1>" + html_escape(title) + "</h1>\n<ul class=\"small\">";
    for (const auto& part : parts) out += "<li>" + html_escape(part) + "</li>";
    out += "</ul>\n</header>\n<main>\n<section><table>";
    for (const auto& [name, value] : summary.items())
      if (value.is_number()) out += "<tr><td>" + spaced(name) + "</td><td>" + number(value) + "</td></tr>";
    out += "</table></section>\n";
    if (shown() < successes_ + others_)
      out += format("<p class=\"small\">{} of {} examples are shown.</p>\n", shown(), successes_ + others_);
    out += "<section><h2>Successful attacks</h2>" + first_ + "</section>\n";
    out += "<section><h2>Other examples</h2>" + second_ + "</section>\n</main>\n</body>\n</html>\n";
    return out;
  }

 private:
  static constexpr index_t most_shown = 300;

  index_t shown() const { return std::min(successes_, most_shown) + std::min(others_, most_shown); }

  static std::string spaced(std::string name) {
    std::replace(name.begin(), name.end(), '_', ' ');
    return html_escape(name);
  }
  static std::string number(const OrderedJson& value) {
    return value.is_number_integer() ? json_line(value) : two_digits(value.get<double>());
  }

  static std::string shown_text(const OrderedJson& value) { return html_escape(printable(value.get<std::string>())); }

  /// The text, with what was replaced struck out before what replaced it.
  static std::string differences(const OrderedJson& result) {
    const std::u32string text = characters_of(result.at("original").get<std::string>());
    const auto shown = [&](std::size_t begin, std::size_t end) {
      std::string part;
      for (; begin < end; ++begin) unicode::encode(text[begin], part);
      return html_escape(printable(part));
    };
    std::string out;
    std::size_t done = 0;
    for (const auto& change : result.at("changed_words")) {
      const auto begin = change.at("begin").get<std::size_t>();
      const auto end = begin + characters_of(change.at("from").get<std::string>()).size();
      if (begin < done || end > text.size()) continue;
      out += shown(done, begin) + "<del>" + shown(begin, end) + "</del> <ins>" + shown_text(change.at("to")) + "</ins>";
      done = end;
    }
    return out + shown(done, text.size());
  }

  static std::string label(const OrderedJson& result, const char* of) {
    const auto name = result.find(format("{}_label", of));
    if (name == result.end() || !name->is_string()) return "-";
    std::string out = shown_text(*name);
    const auto all = result.find(format("{}_probabilities", of));
    if (all != result.end() && all->contains(name->get<std::string>()))
      if (const auto& share = (*all)[name->get<std::string>()]; share.is_number())
        out += " " + two_digits(share.get<double>());
    return out;
  }

  static std::string example(const OrderedJson& result) {
    std::string out = "\n<article class=\"card\"><p class=\"small\">" + shown_text(result.at("status")) + ": " +
                      label(result, "original") + " &rarr; " + label(result, "perturbed") + ", " +
                      json_line(result.at("queries")) + " queries";
    if (result.contains("reason")) out += ", " + shown_text(result.at("reason"));
    out += "</p>";
    if (result.contains("pair")) out += "<p>" + shown_text(result.at("pair")) + "</p>";
    return out + "<p>" + differences(result) + "</p></article>";
  }

  index_t successes_ = 0, others_ = 0;
  std::string first_, second_;
};

}  // namespace knnbert::cli
