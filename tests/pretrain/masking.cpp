// Which pieces are hidden, and how: counts, shares, specials, whole words, a function of seed, epoch and example.
#include "knnbert/pretrain/masking.hpp"

#include "pretrain/tiny_masked.hpp"

using namespace knnbert_test;

namespace {

struct Hidden {
  std::vector<token_t> ids;
  std::vector<label_t> labels;
  index_t count = 0;
};

Hidden hide(const Masker& masker, std::vector<token_t> ids, std::uint64_t seed) {
  Hidden h{std::move(ids), {}, 0};
  h.labels.resize(h.ids.size());
  h.count = masker.hide(Rng(seed, Stream::mask), h.ids, h.labels);
  return h;
}

}  // namespace

TEST_CASE("masking hides a fixed number of pieces, none of them special") {
  const Masker masker(tiny_pieces(), {});
  for (const auto& [length, expected] : std::vector<std::pair<index_t, index_t>>{
           {1, 1}, {3, 1}, {9, 1}, {10, 2}, {16, 2}, {17, 3}, {20, 3}, {126, 19}}) {
    CAPTURE(length);
    const Batch all = tiny_sequences({length});
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Hidden h = hide(masker, all.ids, seed);
      CHECK(h.count == expected);
      CHECK(std::count_if(h.labels.begin(), h.labels.end(), [](label_t l) { return l >= 0; }) == expected);
      for (std::size_t t = 0; t < h.ids.size(); ++t) {
        if (h.labels[t] >= 0) CHECK(h.labels[t] == all.ids[t]);
        else CHECK(h.ids[t] == all.ids[t]);
      }
      CHECK(h.labels.front() == Masker::not_chosen);
      CHECK(h.labels.back() == Masker::not_chosen);
    }
  }
  CHECK(hide(masker, {2, 3}, 1).count == 0);
  CHECK(hide(masker, {2, 1, 4, 3}, 1).count == 0);
}

TEST_CASE("masking: 80 % masks, 10 % random pieces, 10 % unchanged, every piece alike") {
  const Masker masker(tiny_pieces(), {});
  const Batch all = tiny_sequences({120});
  std::vector<index_t> chosen(all.ids.size()), random(41);
  double masked = 0, changed = 0, same = 0;
  constexpr std::uint64_t draws = 4000;
  for (std::uint64_t seed = 0; seed < draws; ++seed) {
    const Hidden h = hide(masker, all.ids, seed);
    for (std::size_t t = 0; t < h.ids.size(); ++t) {
      if (h.labels[t] < 0) continue;
      ++chosen[t];
      if (h.ids[t] == 4) ++masked;
      else if (h.ids[t] == h.labels[t]) ++same;
      else ++changed, ++random[static_cast<std::size_t>(h.ids[t])];
    }
  }
  const double total = 18.0 * draws;
  CHECK(masked + changed + same == total);
  CHECK(masked / total == approx(0.8).margin(0.005));
  CHECK(changed / total == approx(0.1 * 35 / 36).margin(0.004));  // a random piece may be the same
  for (std::size_t id = 0; id < 5; ++id) CHECK(random[id] == 0);
  for (std::size_t id = 5; id < 41; ++id)
    CHECK(static_cast<double>(random[id]) / changed == approx(1.0 / 36).margin(0.012));
  for (std::size_t t = 1; t <= 120; ++t) CHECK(static_cast<double>(chosen[t]) / draws == approx(0.15).margin(0.025));
}

TEST_CASE("masking hides words with all their pieces") {
  const WordPiece pieces = tiny_pieces();
  const Masker masker(pieces, {.probability = 0.3, .unit = MaskUnit::word});
  const Batch all = tiny_sequences({50});
  const auto continues = [&](std::size_t t) { return t > 1 && pieces.token(all.ids[t]).starts_with("##"); };
  index_t most = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Hidden h = hide(masker, all.ids, seed);
    CHECK(h.count <= 15);
    CHECK(h.count > 0);
    most = std::max(most, h.count);
    for (std::size_t t = 2; t + 1 < h.ids.size(); ++t)
      if (continues(t)) CHECK((h.labels[t] >= 0) == (h.labels[t - 1] >= 0));
  }
  CHECK(most == 15);
  const token_t start = 5, more = 6;  // a word longer than the budget is passed over
  CHECK(hide(masker, {2, start, more, more, 3}, 1).count == 0);
}

TEST_CASE("masked sequences are drawn by seed, epoch and example alone") {
  const Masker masker(tiny_pieces(), {});
  const Batch all = tiny_sequences({30, 12, 44});
  const MaskedSequences data(all, masker);
  const auto masks = [&](std::vector<index_t> examples, const StepClock& clock) {
    Batch batch;
    Targets targets;
    data.assign(examples, clock, batch, targets);
    CHECK(std::count_if(targets.classes.begin(), targets.classes.end(), [](label_t l) { return l >= 0; }) ==
          data.chosen(examples, clock));
    return std::pair(batch.ids, targets.classes);
  };
  const auto both = masks({2, 0}, {.seed = 5, .epoch = 1, .step = 7}), one = masks({0}, {.seed = 5, .epoch = 1});
  CHECK(std::vector(both.first.end() - 32, both.first.end()) == one.first);
  CHECK(std::vector(both.second.end() - 32, both.second.end()) == one.second);
  CHECK(masks({0}, {.seed = 5, .epoch = 2}).second != one.second);
  CHECK(masks({0}, {.seed = 6, .epoch = 1}).second != one.second);
}

TEST_CASE("masking refuses what cannot be masked") {
  CHECK_THROWS_AS(Masker(tiny_pieces(), {.probability = 0}), OptionError);
  CHECK_THROWS_AS(Masker(tiny_pieces(), {.masked = 0.9, .random = 0.2}), OptionError);
  const std::vector<std::string> special{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  CHECK_THROWS_AS(Masker(WordPiece(Vocabulary(special)), {}), OptionError);
  auto blanks = special;  // as a unigram model's: which pieces make a word, it does not say
  for (const char* piece : {"\u2581a", "b"}) blanks.emplace_back(piece);
  CHECK_THROWS_AS(Masker(WordPiece(Vocabulary(blanks)), {.unit = MaskUnit::word}), OptionError);
  CHECK_NOTHROW(Masker(WordPiece(Vocabulary(blanks)), {}));
}
