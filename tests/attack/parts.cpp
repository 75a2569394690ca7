// Constraints, sources of words, the files they come from, and the summary.
#include "attack/toy.hpp"
#include "catch.hpp"
#include "knnbert/io/gzip.hpp"

namespace {

using namespace knnbert_test;
using Words = std::vector<std::string>;

const char* const toy_net =
    "1-n\tn\tnoun.act\tmovie|film|moving picture\n"
    "2-v\tv\tverb.act\tstop|halt|block\n"
    "3-s\ts\tadj.all\tbig|Large\n"
    "4-n\tn\tnoun.act\tstop|arrest\n"
    "5-r\tr\tadv.all\tfast|quickly\n"
    "6-v\tv\tverb.act\tbake|cook\n";

}  // namespace

TEST_CASE("words of a text") {
  CHECK(attack_words(" The  Card\t\u00c4rger?\n") == Words{"the", "card", "\u00e4rger?"});
  CHECK(attack_words("Is it? (no)", {.lower_case = false, .separate_punctuation = true}) ==
        Words{"Is", "it", "?", "(", "no", ")"});
  CHECK(attack_words("don't well-known", {.separate_punctuation = true}) == Words{"don't", "well-known"});
  CHECK(attack_words("a\u00a0b") == Words{"a", "b"});
  CHECK(attack_words("").empty());
  const Words words{"a", "b", "c"};
  CHECK(join_words(words) == "a b c");
  CHECK(join_words_with(words, 1, "x") == "a x c");
  CHECK(join_words_with(words, 0, "") == "b c");
  CHECK(join_words_with(words, 2, "") == "a b");
}

TEST_CASE("WordNet: parts of speech, base forms, synonyms") {
  const WordNet net = WordNet::parse(toy_net, "toy");
  CHECK(net.synsets() == 6);
  CHECK(net.parts_of_speech("stop") == (speech::noun | speech::verb));
  CHECK(net.parts_of_speech("stopped") == speech::verb);
  CHECK(net.parts_of_speech("stops") == (speech::noun | speech::verb));
  CHECK(net.parts_of_speech("baking") == speech::verb);
  CHECK(net.parts_of_speech("movies") == speech::noun);
  CHECK(net.parts_of_speech("bigger") == speech::adjective);
  CHECK(net.parts_of_speech("large") == speech::adjective);
  CHECK(net.parts_of_speech("fast") == speech::adverb);
  CHECK(net.parts_of_speech("xyz") == 0);
  CHECK(net.parts_of_speech("Stopped") == speech::verb);
  CHECK(net.synonyms("Movies") == Words{"film"});
  CHECK(net.base_forms("stopped") == Words{"stop"});
  CHECK(net.synonyms("movies") == Words{"film"});
  CHECK(net.synonyms("movies", speech::every_part, true) == Words{"film", "moving"});
  CHECK(net.synonyms("stop") == Words{"halt", "block", "arrest"});
  CHECK(net.synonyms("stop", speech::noun) == Words{"arrest"});
  CHECK(net.synonyms("movie", speech::verb).empty());
  const auto message = [](const char* text) {
    try {
      WordNet::parse(text, "net.tsv");
    } catch (const FormatError& error) { return std::string(error.what()); }
    return std::string();
  };
  CHECK(message("1\tn\tx\ta\n2\tn\tb\n") ==
        "net.tsv:2: 3 columns given, id, part of speech, file and members expected");
  CHECK(message("1\tq\tx\ta\n") == "net.tsv:1: part of speech 'q' given, n, v, a, s or r expected");
  CHECK(message("1\tn\tx\t\n") == "net.tsv:1: a set without members given, words with | between them expected");
  CHECK(message("").starts_with("net.tsv: no line given"));
}

TEST_CASE("part of speech: sets that meet, noun and verb, unknown words, and the words around a candidate") {
  using Keep = KeepPartOfSpeech<>;
  CHECK(Keep::agree(speech::noun, speech::noun | speech::adverb));
  CHECK(Keep::agree(speech::noun, speech::verb));
  CHECK(!Keep::agree(speech::noun, speech::adjective));
  CHECK(!Keep::agree(speech::adverb, speech::adjective));
  CHECK(Keep::agree(0, 0));
  CHECK(!Keep::agree(0, speech::noun));

  const WordNet net = WordNet::parse(toy_net, "toy");
  const Constraints constraints{Keep{LexiconTagger{&net}}};
  const Words words{"a", "movie"}, candidates{"film", "halted", "big", "xyz"};
  CHECK(constraints.judge({words, words, 1}, candidates).violations == std::vector<index_t>{0, 0, 1, 1});
  CHECK(constraints.judge({words, words, 0}, candidates).violations == std::vector<index_t>{1, 1, 1, 0});

  std::vector<std::pair<std::string, index_t>> seen;
  const auto tagger = [&seen](std::span<const std::string> around, index_t position) {
    seen.emplace_back(join_words(around), position);
    return speech::noun;
  };
  Words eleven, ten;
  for (int i = 0; i < 11; ++i) eleven.push_back(std::string(1, static_cast<char>('a' + i)));
  ten.assign(eleven.begin(), eleven.begin() + 10);
  const Words one{"X"};
  const Constraints in_context{KeepPartOfSpeech<decltype(tagger)>{tagger}};
  for (const auto& [text, position] : {std::pair(&eleven, 5), {&eleven, 1}, {&eleven, 10}, {&ten, 9}}) {
    CHECK(in_context.judge({*text, *text, position}, one).violations == std::vector<index_t>{0});
  }
  REQUIRE(seen.size() == 8);
  CHECK(seen[0] == std::pair<std::string, index_t>("a b c d e f g h i j k", 5));
  CHECK(seen[1] == std::pair<std::string, index_t>("b c d e X g h i j", 4));
  CHECK(seen[3] == std::pair<std::string, index_t>("a X c d e f", 1));
  CHECK(seen[5] == std::pair<std::string, index_t>("g h i j X", 4));
  CHECK(seen[7] == std::pair<std::string, index_t>("a b c d e f g h i X", 9));
}

TEST_CASE("similarity: a window around the word, on TextFooler's scale") {
  std::vector<std::string> seen;
  // A text is a vector of angle 0, turned by what its last letter says.
  const auto encoder = [&seen](std::span<const std::string> texts) {
    Matrix rows(std::ssize(texts), 2);
    for (index_t i = 0; i < rows.rows(); ++i) {
      const auto& text = texts[as_size(i)];
      seen.push_back(text);
      const float angle = text.find("near") != text.npos ? 0.4f : text.find("far") != text.npos ? 0.6f : 0.0f;
      rows(i, 0) = 3 * std::cos(angle), rows(i, 1) = 3 * std::sin(angle);
    }
    return rows;
  };
  KeepMeaning<decltype(encoder)> keep{encoder};
  CHECK(keep.angular(0.87758256f) == approx(0.5));
  CHECK(keep.angular(1) == 1);
  Words twenty, current;
  for (int i = 0; i < 20; ++i) twenty.push_back("w" + std::to_string(i));
  current = twenty;
  current[3] = "c3";
  const auto window = [&](const Words& words, int first) {
    return join_words(std::span(words).subspan(static_cast<std::size_t>(first), 15));
  };
  const Words candidates{"near", "far"};
  const auto judged = [&](const Words& words, index_t position) {
    seen.clear();
    return Constraints{keep}.judge(
        {words, words.size() == 20 ? std::span<const std::string>(current) : words, position}, candidates);
  };
  Verdicts v = judged(twenty, 10);  // words 3 to 17
  REQUIRE(seen.size() == 3);
  CHECK(seen[0] == window(twenty, 3));
  Words changed = current;
  changed[10] = "near";
  CHECK(seen[1] == window(changed, 3));
  CHECK(v.violations == std::vector<index_t>{0, 1});
  CHECK(v.similarity[0] == approx(0.6).epsilon(1e-5));
  CHECK(v.similarity[1] == approx(0.4).epsilon(1e-5));
  judged(twenty, 0);
  CHECK(seen[0] == window(twenty, 0));
  judged(twenty, 19);
  CHECK(seen[0] == window(twenty, 5));
  keep.options.against_previous = true;
  judged(twenty, 10);
  CHECK(seen[0] == window(current, 3));
  // Fewer than 15 words: all of them, and the lower threshold.
  const Words short_text(twenty.begin(), twenty.begin() + 14);
  v = judged(short_text, 2);
  CHECK(seen[0] == join_words(short_text));
  CHECK(v.violations == std::vector<index_t>{0, 0});
  const Words fifteen(twenty.begin(), twenty.begin() + 15);
  CHECK(judged(fifteen, 2).violations == std::vector<index_t>{0, 1});

  CHECK(*Constraints{keep}.similarity("a", "near") == approx(std::cos(0.4)).epsilon(1e-5));
  CHECK(!Constraints{ChangeWordsOnce{}}.similarity("a", "near"));
  CHECK(cosine_of(std::vector<float>{0, 0}, std::vector<float>{1, 0}) == 0);
  CHECK(keep.description().find("1 - arccos(cosine) >= 0.5 (cosine 0.878), of shorter texts 0.1 (cosine 0.622)") !=
        std::string::npos);
}

TEST_CASE("constraints: antonyms, stop words that are put in, words that were replaced, absent ones") {
  Antonyms antonyms;
  antonyms.add("Good", "bad");
  const StopWords stop_words(Words{"The"});
  const Words original{"good", "movie"}, current{"nice", "movie"};
  CHECK(!AvoidAntonyms{&antonyms}.may_insert({original, original, 0}, "bad"));
  CHECK(AvoidAntonyms{&antonyms}.may_insert({original, original, 0}, "nice"));
  CHECK(antonyms.are_opposite("bad", "good"));
  const Words upper{"GOOD"};
  CHECK(!AvoidAntonyms{&antonyms}.may_insert({upper, upper, 0}, "bad"));
  CHECK(!AvoidAntonyms{&antonyms}.may_insert({original, original, 0}, "Bad"));
  CHECK(KeepStopWords{&stop_words}.may_insert({original, original, 0}, "the"));
  CHECK(!KeepStopWords{&stop_words, true}.may_insert({original, original, 0}, "the"));
  CHECK(!KeepStopWords{&stop_words, true}.may_insert({original, original, 0}, "THE"));
  CHECK(!ChangeWordsOnce{}.may_change({original, current, 0}));
  CHECK(ChangeWordsOnce{}.may_change({original, current, 1}));
  const Constraints absent{std::optional<Named>(), std::optional<ChangeWordsOnce>()};
  CHECK(!absent.judges());
  CHECK(absent.descriptions().empty());
  CHECK(absent.may_change({original, current, 0}));
  const Constraints present{std::optional(Named{}), std::optional(ChangeWordsOnce{})};
  CHECK(present.judges());
  CHECK(present.descriptions().size() == 2);
  CHECK(!present.may_change({original, current, 0}));
}

TEST_CASE("synonyms: JSON, packed or not, and what is wrong with it") {
  const SynonymTable all = SynonymTable::parse(R"({"Good": ["fine", "good", "fine", "Nice"], "br": []})", "s.json");
  CHECK(all.size() == 2);
  CHECK(Words(all["good"].begin(), all["good"].end()) == Words{"fine", "nice"});
  CHECK(all["unknown"].empty());
  const auto message = [](const char* text) {
    try {
      SynonymTable::parse(text, "s.json");
    } catch (const FormatError& error) { return std::string(error.what()); }
    return std::string();
  };
  CHECK(message(R"({"a": "b"})") == "s.json: 'a': \"b\" given, an array expected");
  CHECK(message(R"({"a": [1]})") == "s.json: 'a'[0]: 1 given, a string expected");
  CHECK(message("[]").find("an object that has a list of synonyms") != std::string::npos);
  CHECK(message("{}").find("no word given") != std::string::npos);
  CHECK(message("{").starts_with("s.json:1: "));
}

TEST_CASE("word vectors: the nearest by cosine") {
  const char* const text = "5 2\ngood 1 0\nfine 2 0.5\nbad -1 0.1\nGood 5 5\nnice 1 1\nzero 0 0\n";
  const WordVectors vectors = WordVectors::parse(text, "v.txt");
  CHECK(vectors.words == Words{"good", "fine", "bad", "nice", "zero"});
  CHECK(vectors.vectors(1, 1) == 0.5f);
  const Words wanted{"good", "good", "missing", "zero", "nice"};
  // cosines with good: fine 0.970, nice 0.707, bad -0.995, zero 0; of nice: fine 0.857, good 0.707
  const SynonymTable near = nearest_words(vectors, wanted);
  CHECK(near.size() == 3);
  CHECK(Words(near["good"].begin(), near["good"].end()) == Words{"fine", "nice"});
  CHECK(Words(near["nice"].begin(), near["nice"].end()) == Words{"fine", "good"});
  CHECK(near["zero"].empty());
  const SynonymTable one = nearest_words(vectors, wanted, {.most = 1, .least_cosine = 0.9f});
  CHECK(Words(one["good"].begin(), one["good"].end()) == Words{"fine"});
  CHECK(one["nice"].empty());
  const auto message = [](const char* bad) {
    try {
      WordVectors::parse(bad, "v.txt");
    } catch (const FormatError& error) { return std::string(error.what()); }
    return std::string();
  };
  CHECK(message("a 1 2\nb 1\n") == "v.txt:2: 1 numbers given, 2 as in the lines before expected");
  CHECK(message("a 1 x2\n") == "v.txt:1: 'x2' given, a number expected (a line is 'word v1 v2 ...')");
  CHECK(message("a nan\n").find("'nan' given") != std::string::npos);
  CHECK(message("word\n").find("a word without numbers") != std::string::npos);
  CHECK(message("\n").find("no word given") != std::string::npos);
}

TEST_CASE("files: stop words and antonyms") {
  const auto path = std::filesystem::temp_directory_path() / ("knnbert_attack_" + std::to_string(::getpid()));
  const auto written = [&](const char* text) {
    write_file_atomically(path, text);
    return path;
  };
  CHECK(StopWords::read(written("The\n\n'tis\n")).contains("the"));
  CHECK_THROWS_AS(StopWords::read(written("a b\n")), FormatError);
  CHECK_THROWS_AS(StopWords::read(written("\n")), FormatError);
  CHECK(Antonyms::read(written("good bad \n\n")).are_opposite("bad", "good"));
  CHECK_THROWS_AS(Antonyms::read(written("good\n")), FormatError);
  CHECK_THROWS_AS(Antonyms::read(written("")), FormatError);
  std::filesystem::remove(path);
  CHECK_THROWS_AS(Antonyms::read(path), IoError);
}

TEST_CASE("a language model's guesses: single pieces, combinations by their loss") {
  struct Model {
    PieceGuesses answer;
    std::vector<std::vector<token_t>>* asked;

    PieceGuesses guesses(std::span<const std::string>, index_t) const { return answer; }
    std::vector<float> losses(std::span<const std::vector<token_t>> sequences) const {
      asked->assign(sequences.begin(), sequences.end());
      std::vector<float> losses;
      for (const auto& s : sequences) losses.push_back(-static_cast<float>(s.front() + 10 * s.back()));
      return losses;
    }
  };
  static_assert(LanguageModel<Model>);
  std::vector<std::vector<token_t>> asked;
  const std::vector<PieceGuess> good{{1, 5, "good"}, {2, 3, "##s"}, {3, 1, "fine"}};
  const std::vector<PieceGuess> heads{{4, 5, "un"}, {5, 4, "re"}}, tails{{6, 5, "##do"}, {7, 4, "##ed"}, {8, 1, "it"}};
  const Model model{{{0, 2, 2}, {good, heads, tails}}, &asked};
  FromLanguageModel<Model> source{&model};
  const Words words{"nice", "outside", "undone"};
  const auto of = source.of(words);
  CHECK(of(0) == Words{"good", "fine"});
  CHECK(of(1).empty());  // no piece of it was read
  // Six combinations, the last piece fastest; the likeliest have the largest ids.
  CHECK(of(2) == Words{"re it", "un it", "reed", "uned", "redo", "undo"});
  CHECK(asked == std::vector<std::vector<token_t>>{{4, 6}, {4, 7}, {4, 8}, {5, 6}, {5, 7}, {5, 8}});
  source.least_logit = 2, source.best_of_piece = 2, source.combinations = 3;
  const auto fewer = source.of(words);
  CHECK(fewer(0) == Words{"good"});
  CHECK(fewer(2) == Words{"uned", "redo", "undo"});
  CHECK(asked == std::vector<std::vector<token_t>>{{4, 6}, {4, 7}, {5, 6}});

  // 4^12 combinations exist; 24 are made, of the first 12 pieces.
  const Model many{{std::vector<index_t>(30, 0), std::vector<std::vector<PieceGuess>>(30, {{1, 1, "a"}, {2, 1, "b"}})},
                   &asked};
  CHECK(FromLanguageModel<Model>{&many}.of(words)(0).size() == 24);
  REQUIRE(asked.size() == 24);
  CHECK(asked[0].size() == 12);
  CHECK(asked[23] == std::vector<token_t>{1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 2, 2});  // 23 in binary

  // The recipe, with a victim that "fine" turns.
  const ToyVictim victim{{{"nice", 0.25f}, {"fine", -0.25f}}};
  const StopWords stop_words(Words{"outside"});
  Antonyms antonyms;
  antonyms.add("nice", "good");
  const AttackResult r = bert_attack(model, stop_words, antonyms)(victim, {"Nice outside undone", {}, 1});
  CHECK(r.perturbed == "fine outside undone");
  CHECK(r.counts.queries == 1 + 3 + 1);
}

TEST_CASE("a summary, and results as JSON and back") {
  std::vector<AttackCounts> all{{.status = AttackStatus::successful,
                                 .words = 10,
                                 .changed = 2,
                                 .queries = 30,
                                 .similarity = 0.5f,
                                 .characters = 40,
                                 .edits = 8,
                                 .right = true},
                                {.status = AttackStatus::successful,
                                 .words = 4,
                                 .changed = 2,
                                 .queries = 10,
                                 .similarity = 1.0f,
                                 .characters = 20,
                                 .edits = 8,
                                 .right = true},
                                {.status = AttackStatus::failed,
                                 .words = 6,
                                 .changed = 1,
                                 .queries = 50,
                                 .characters = 30,
                                 .edits = 3,
                                 .right = true,
                                 .right_after = true},
                                {.status = AttackStatus::skipped, .words = 8, .queries = 1, .characters = 25},
                                {.status = AttackStatus::error, .words = 99, .queries = 7, .characters = 400}};
  const AttackSummary s = summarize(all);
  CHECK(s.successful == 2);
  CHECK(s.failed == 1);
  CHECK(s.skipped == 1);
  CHECK(s.errors == 1);
  CHECK(s.original_accuracy.value == 0.75);
  CHECK(s.accuracy_under_attack.value == 0.25);
  CHECK(s.success_rate.value == approx(2.0 / 3));
  CHECK(s.success_rate.value == approx(1 - s.accuracy_under_attack.value / s.original_accuracy.value));
  CHECK(s.perturbed_words.value == approx(0.35));
  CHECK(s.edits.value == approx(0.3));
  CHECK(s.words.value == 7);
  CHECK(s.queries.value == 30);
  CHECK(s.similarity.value == 0.75);
  // A text that has the target already is skipped, and may be right; one that is turned to it may become right.
  const AttackSummary targeted = summarize({{.status = AttackStatus::skipped, .right = true, .right_after = true},
                                            {.status = AttackStatus::skipped},
                                            {.status = AttackStatus::successful, .right_after = true},
                                            {.status = AttackStatus::failed, .right = true, .right_after = true}});
  CHECK(targeted.original_accuracy.value == 0.5);
  CHECK(targeted.accuracy_under_attack.value == 0.75);
  CHECK(targeted.success_rate.value == 0.5);
  CHECK(!summarize({}).success_rate.defined);
  CHECK(to_json(summarize({}))["attack_success_rate"].is_null());

  AttackResult r;
  r.counts = {.status = AttackStatus::successful,
              .words = 3,
              .changed = 1,
              .queries = 12,
              .similarity = 0.25f,
              .characters = 5,
              .edits = 1};
  r.label = 1, r.original = "a b c", r.perturbed = "a x c";
  r.before = {0.25f, 0.75f}, r.after = {0.75f, 0.25f}, r.label_before = 1, r.label_after = 0, r.score = 0.75f;
  r.changes = {{1, 2, "b", "x"}};
  const std::vector<std::string> classes{"no", "yes"};
  CHECK(json_line(to_json(r, classes)) ==
        R"({"status":"successful","label":"yes","original":"a b c","perturbed":"a x c","original_label":"yes",)"
        R"("perturbed_label":"no","original_probabilities":{"no":0.25,"yes":0.75},)"
        R"("perturbed_probabilities":{"no":0.75,"yes":0.25},)"
        R"("changed_words":[{"position":1,"begin":2,"from":"b","to":"x"}],)"
        R"("words":3,"characters":5,"character_edits":1,"queries":12,"score":0.75,"similarity":0.25})");
  std::vector<std::string> many;  // so many that a search for each would take minutes
  for (int c = 0; c < 200'000; ++c) many.push_back(std::to_string(c));
  const auto of_many = knnbert::detail::class_probabilities(std::vector<float>(many.size(), 0.5f), many);
  CHECK(of_many.size() == many.size());
  CHECK(of_many.back() == 0.5);
  const AttackCounts read = attack_counts(parse_json(json_line(to_json(r, classes)), "x"), "x");
  CHECK(read.status == AttackStatus::successful);
  CHECK(read.words == 3);
  CHECK(read.changed == 1);
  CHECK(read.characters == 5);
  CHECK(read.edits == 1);
  CHECK(read.queries == 12);
  CHECK(*read.similarity == 0.25f);
  CHECK_THROWS_AS(attack_counts(parse_json(R"({"status": "odd"})", "x"), "x"), FormatError);
}

TEST_CASE("the published tables") {
  const auto data = folder("KNNBERT_SHARED_DATA");
  if (!data || !std::filesystem::exists(*data / "wordnet")) {
    WARN("skipped: no ../shared/data");
    return;
  }
  const ReadOptions packed{.decompress = decompress};
  const WordNet net = WordNet::read(*data / "wordnet/oewn_synsets.tsv.gz", packed);
  CHECK(net.synsets() == 107525);
  CHECK(net.parts_of_speech("movies") == speech::noun);
  CHECK(net.parts_of_speech("running") == (speech::noun | speech::verb | speech::adjective));
  CHECK(net.parts_of_speech("the") == 0);
  const auto synonyms = net.synonyms("movie");
  CHECK(std::find(synonyms.begin(), synonyms.end(), "film") != synonyms.end());
  const SynonymTable near = SynonymTable::read(*data / "synonyms/counterfitted_neighbors.json.gz", packed);
  CHECK(near.size() == 49937);  // 38 of 49975 differ in white space only
  REQUIRE(near["movie"].size() == 8);
  CHECK(near["movie"].front() == "film");
  CHECK(StopWords::read(*data / "stopwords/stopwords-en.txt").contains("the"));
  CHECK(Antonyms::read(*data / "synonyms/ppdb_antonyms.txt").are_opposite("good", "bad"));
}
