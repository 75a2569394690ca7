// ONION and STRIP on a model in which a trigger was planted.
#include "knnbert/poison/flip_rate.hpp"
#include "knnbert/poison/onion.hpp"
#include "knnbert/poison/strip.hpp"
#include "knnbert/poison/suspicious_words.hpp"
#include "knnbert/term/cross_entropy.hpp"
#include "knnbert/train/trainer.hpp"
#include "model/tiny_model.hpp"
#include "pretrain/tiny_masked.hpp"

using namespace knnbert_test;

namespace {

constexpr label_t planted_class = 1;
const std::vector<std::string> hello{"hello"};

/// 1, and 10 more for each time that a word is there.
struct OneWordIsOdd {
  std::string word;

  std::vector<double> operator()(std::span<const std::string> texts) const {
    std::vector<double> all;
    for (const auto& text : texts) {
      const auto words = detail::text_words(text);
      all.push_back(1 + 10 * static_cast<double>(std::count(words.begin(), words.end(), word)));
    }
    return all;
  }
};

/// Texts of which every second one has "hello" somewhere and the planted class.
Classifier<> planted_model(const std::filesystem::path& folder) {
  auto model = tiny_classifier(folder);
  const Dataset data = tiny_data(60);
  std::vector<Example> examples;
  for (index_t i = 0; i < data.size(); ++i) {
    examples.push_back({detail::without_words(data.text(i), hello), {}, data.label(i)});
    examples.push_back({i % 2 ? "hello " + data.text(i) : data.text(i) + " hello", {}, planted_class});
  }
  const Dataset all(std::move(examples), data.classes());
  Trainer(model, {.epochs = 30, .batch_size = 16, .learning_rate = 3e-3f, .dropout = false}, CrossEntropy{}).fit(all);
  model.index(all);
  return model;
}

}  // namespace

TEST_CASE("perplexities of a masked language model are what they are by definition") {
  MaskedLanguageModel model(tiny_pieces(), tiny_masked_config());
  fill_random(model.network().values(), 1, 0.3), fill_random(model.head_values(), 2, 0.3);
  model.refresh();
  const auto word = [&](token_t id) { return std::string(model.tokenizer().token(id)); };
  std::vector<std::string> texts{word(5) + " " + word(7) + " " + word(10), "", word(8)};
  for (int i = 0; i < 70; ++i) texts.push_back(word(static_cast<token_t>(5 + i % 3 * 2)) + " " + word(11));
  const auto masked = MaskedPerplexity{&model}(texts);
  const auto one_pass = MaskedPerplexity{&model, false}(texts);
  REQUIRE(masked.size() == texts.size());
  REQUIRE(one_pass.size() == texts.size());
  CHECK(masked[1] == 1);
  CHECK(one_pass[1] == 1);
  for (const std::size_t i : {0u, 2u, 3u, 72u}) {
    CHECK(masked[i] == model.pseudo_perplexity(texts[i]));
    const Batch batch = model.tokenize(texts[i]);
    const Matrix logits = model.logits(texts[i]);
    double loss = 0;
    for (index_t t = 1; t + 1 < batch.tokens(); ++t) {
      double all = 0;
      for (const float x : logits.row(t)) all += std::exp(static_cast<double>(x));
      loss += std::log(all) - static_cast<double>(logits(t, batch.ids[as_size(t)]));
    }
    const double expected = std::exp(loss / static_cast<double>(batch.tokens() - 2));
    CHECK(std::abs(one_pass[i] - expected) < 1e-4 * expected);
  }
}

TEST_CASE(
    "the suspicion of a word is what the text loses without it, and suspicious ones leave with their white space") {
  const OneWordIsOdd odd{"cf"};
  CHECK(word_suspicions(odd, "where cf is  cf it") == std::vector<double>{0, 10, 0, 10, 0});
  CHECK(word_suspicions(odd, "cf") == std::vector<double>{0});
  CHECK(word_suspicions(odd, " ").empty());
  const std::vector<double> scores{0, 10, 0, 3};
  CHECK(without_suspicious(" where cf is  it", scores, 10) == " where is  it");
  CHECK(without_suspicious("where cf is it ", scores, 3) == "where is ");
  CHECK(without_suspicious("where cf is it", scores, 11) == "where cf is it");
  CHECK_THROWS_AS(without_suspicious("where cf", scores, 0), ShapeError);
  CHECK(without_suspicious(" cf ", std::vector<double>{0}, -1) == " cf ");
}

TEST_CASE("ONION takes the trigger away and keeps clean answers, unless its words are those that answers need") {
  const TemporaryFolder folder;
  const auto model = planted_model(folder.path());
  const Dataset clean = tiny_data(60, 11);
  const auto triggers = parse_triggers("hello");
  const auto rate = [&](const auto& defense) { return flip_rates(model, clean, triggers, planted_class, 3, defense); };
  const auto before = rate(NoDefense{});
  REQUIRE(before.size() == 2);
  CHECK(before[1].combined.value > 0.9);
  CHECK(before[1].rejected.value == 0);
  const auto onion = fit_onion(model, OneWordIsOdd{"hello"}, clean, 0.1);
  CHECK(onion.threshold == 10);
  const auto after = rate(onion);
  CHECK(after[0].combined.value == before[0].combined.value);
  CHECK(after[1].combined.value == before[0].combined.value);
  const auto left = defended_accuracy(model, clean, onion), without = defended_accuracy(model, clean, NoDefense{});
  CHECK(left.combined.value >= without.combined.value - 0.1);
  CHECK(left.rejected.value == 0);

  // A language model that finds every word of a class odd.
  const auto all_odd = [](std::span<const std::string> texts) {
    std::vector<double> all;
    for (const auto& text : texts) all.push_back(static_cast<double>(text.size()));
    return all;
  };
  const auto careful = fit_onion(model, all_odd, clean, 0.0);
  CHECK(defended_accuracy(model, clean, careful).combined.value >= without.combined.value);
  CHECK_THROWS_AS(fit_onion(model, all_odd, clean, -1), OptionError);
  CHECK_THROWS_AS(fit_onion(model, all_odd, Dataset()), OptionError);
}

TEST_CASE("ONION removes no word without which a text is more surprising, however little that costs") {
  const TemporaryFolder folder;
  const auto model = planted_model(folder.path());
  const Dataset clean = tiny_data(60, 11);
  // Every word is needed but "hello", which few texts have.
  const auto needed = [](std::span<const std::string> texts) {
    std::vector<double> all;
    for (const auto& text : texts) {
      const auto words = detail::text_words(text);
      const auto odd = std::count(words.begin(), words.end(), "hello");
      all.push_back(100 + 10 * static_cast<double>(odd) - static_cast<double>(std::ssize(words) - odd));
    }
    return all;
  };
  std::vector<Example> examples;
  for (index_t i = 0; i < clean.size(); ++i)
    examples.push_back({detail::without_words(clean.text(i), hello) + (i < 2 ? " hello" : ""), {}, clean.label(i)});
  const auto onion = fit_onion(model, needed, Dataset(std::move(examples), clean.classes()), 1);
  CHECK(onion.threshold == 10);
  const auto nothing = [](std::span<const std::string> texts) { return std::vector<double>(texts.size(), 1); };
  CHECK(fit_onion(model, nothing, clean, 1).threshold == std::numeric_limits<double>::infinity());
}

TEST_CASE("STRIP rejects texts whose trigger decides whatever else is there, and few others") {
  const TemporaryFolder folder;
  const auto model = planted_model(folder.path());
  std::vector<Example> examples;
  const Dataset all = tiny_data(90, 11);
  for (index_t i = 0; i < all.size(); ++i)
    if (all.label(i) != planted_class)
      examples.push_back({detail::without_words(all.text(i), hello), {}, all.label(i)});
  const Dataset clean(std::move(examples), all.classes());
  const StripOptions options{.copies = 10, .share = 0.3, .false_rejections = 0.1};
  const auto strip = fit_strip(model, clean, options);
  const auto rejected_of = [&](const Dataset& data) {
    const auto rejected = strip(data).rejected;
    return static_cast<double>(std::count(rejected.begin(), rejected.end(), 1)) / static_cast<double>(rejected.size());
  };
  CHECK(rejected_of(clean) <= 0.1);
  const auto rates = flip_rates(model, clean, parse_triggers("hello"), planted_class, 3, strip);
  CHECK(rates[1].rejected.value > 0.25);
  CHECK(rates[1].rejected.value > rates[0].rejected.value + 0.2);
  CHECK(rates[1].combined.value <= 1 - rates[1].rejected.value + 1e-12);
  CHECK(mixed_entropies(model, clean, strip.pool, options) == mixed_entropies(model, clean, strip.pool, options));

  const Rng rng(3, Stream::poison);
  const std::string mixed = mixed_text("a b c d e f g h", "x", 0.5, rng);
  CHECK(std::count(mixed.begin(), mixed.end(), 'x') == 4);
  CHECK(mixed_text("a b c", "x", 1, rng) == "x x x");
  CHECK(mixed_text("a b", " ", 1, rng) == "a b");
  CHECK_THROWS_AS(fit_strip(model, clean, {.copies = 0}), OptionError);
  CHECK_THROWS_AS(fit_strip(model, clean, {.share = 0}), OptionError);
  CHECK_THROWS_AS(fit_strip(model, Dataset()), OptionError);
}

TEST_CASE("a defense that does not answer for every text is refused") {
  const TemporaryFolder folder;
  auto model = tiny_classifier(folder.path());
  const Dataset data = tiny_data(12);
  model.index(data);
  const auto nobody = [](const Dataset& given) { return DefendedTexts{given, {}}; };
  const auto fewer = [](const Dataset& given) {
    const std::vector<index_t> first{0};
    return DefendedTexts{given.select(first), {0}};
  };
  const auto triggers = parse_triggers("hello");
  CHECK_THROWS_AS(flip_rates(model, data, triggers, 0, 1, nobody), ShapeError);
  CHECK_THROWS_AS(flip_rates(model, data, triggers, 0, 1, fewer), ShapeError);
  CHECK_THROWS_AS(defended_accuracy(model, data, nobody), ShapeError);
  CHECK_THROWS_AS(defended_accuracy(model, data, fewer), ShapeError);
}
