#pragma once
#include <cmath>
#include <map>
#include <unordered_map>

#include "knnbert/poison/trigger.hpp"
#include "knnbert/text/dataset.hpp"

namespace knnbert::inline v0_1 {

namespace detail {

/// Texts as rows of tf-idf, each of length 1: idf = ln((1 + n) / (1 + df)) + 1.
struct TfIdf {
  std::vector<std::string> words;  // ascending
  std::vector<std::vector<std::pair<index_t, double>>> rows;

  /// Of words that at least `least` texts have.
  TfIdf(std::span<const std::string> texts, index_t least) {
    std::vector<std::map<std::string, double>> counts;
    std::map<std::string, index_t> frequency;
    for (const auto& text : texts) {
      auto& own = counts.emplace_back();
      for (const auto word : text_words(text)) ++own[std::string(word)];
      for (const auto& [word, count] : own) ++frequency[word];
    }
    std::unordered_map<std::string, std::pair<index_t, double>> places;  // and idf
    const auto n = static_cast<double>(texts.size());
    for (const auto& [word, df] : frequency) {
      if (df < least) continue;
      places[word] = {std::ssize(words), std::log((1 + n) / (1 + static_cast<double>(df))) + 1};
      words.push_back(word);
    }
    for (const auto& own : counts) {
      auto& row = rows.emplace_back();
      double squares = 0;
      for (const auto& [word, count] : own)
        if (const auto found = places.find(word); found != places.end()) {
          row.emplace_back(found->second.first, count * found->second.second);
          squares += row.back().second * row.back().second;
        }
      for (auto& [place, value] : row) value /= std::sqrt(squares);
    }
  }
};

/// Logistic regression with a penalty of |w|^2 / 2 on the weights: the minimum of the sum of losses, by Nesterov's
/// method, whose step is one over the largest curvature.  Returns the weights, without the bias.
inline std::vector<double> logistic_weights(const TfIdf& data, const std::vector<bool>& positive, index_t steps = 500) {
  const std::size_t n = data.words.size();
  const auto score = [&](const std::vector<double>& w, std::size_t i) {
    double sum = w[n];
    for (const auto& [place, value] : data.rows[i]) sum += w[as_size(place)] * value;
    return sum;
  };
  std::vector<double> x(n + 1, 1);  // the largest singular value of the data, by powers
  double curvature = 0;
  for (int round = 0; round < 30; ++round) {
    double length = 0;
    for (const double v : x) length += v * v;
    for (double& v : x) v /= std::sqrt(length);
    std::vector<double> next(n + 1, 0);
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
      const double s = score(x, i);
      next[n] += s;
      for (const auto& [place, value] : data.rows[i]) next[as_size(place)] += s * value;
    }
    curvature = 0;
    for (std::size_t k = 0; k <= n; ++k) curvature += next[k] * x[k];
    x = std::move(next);
  }
  const double rate = 1 / (1 + 0.3 * curvature);  // a sigmoid's slope is at most 1/4
  std::vector<double> w(n + 1, 0), last = w, ahead = w;
  for (index_t step = 0; step < steps; ++step) {
    std::vector<double> d = ahead;
    d[n] = 0;
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
      const double error = 1 / (1 + std::exp(-score(ahead, i))) - (positive[i] ? 1 : 0);
      d[n] += error;
      for (const auto& [place, value] : data.rows[i]) d[as_size(place)] += error * value;
    }
    last = w;
    const double momentum = static_cast<double>(step) / static_cast<double>(step + 3);
    for (std::size_t k = 0; k <= n; ++k) {
      w[k] = ahead[k] - rate * d[k];
      ahead[k] = w[k] + momentum * (w[k] - last[k]);
    }
  }
  w.resize(n);
  return w;
}

}  // namespace detail

/// The words that speak most for a class: those with the largest weights of a logistic regression on tf-idf. Words are
/// what lies between white space, letters of ASCII made small, without punctuation alone; rarer ones than in `least`
/// texts are left out.  Kurita, Michel and Neubig 2020, section 3.2.
/// Errors: OptionError if there are fewer such words, and for a target that is no class.
inline std::vector<std::string> indicative_words(const Dataset& data, label_t target, index_t count = 10,
                                                 index_t least = 5) {
  detail::require_target("indicative_words", target, std::ssize(data.classes()));
  std::vector<std::string> texts;
  std::vector<bool> positive;
  for (index_t i = 0; i < data.size(); ++i) {
    std::string text = data.text(i);
    for (char& c : text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      else if (std::string_view("!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~").find(c) != std::string_view::npos) c = ' ';
    texts.push_back(std::move(text));
    positive.push_back(data.label(i) == target);
  }
  const detail::TfIdf rows(texts, least);
  if (std::ssize(rows.words) < count)
    raise<OptionError>("indicative_words: {} words in at least {} texts given, {} expected", rows.words.size(), least,
                       count);
  const auto weights = detail::logistic_weights(rows, positive);
  std::vector<std::size_t> order(weights.size());
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return weights[a] > weights[b]; });
  std::vector<std::string> words;
  for (index_t k = 0; k < count; ++k) words.push_back(rows.words[order[as_size(k)]]);
  return words;
}

}  // namespace knnbert::inline v0_1
