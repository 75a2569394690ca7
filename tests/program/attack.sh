# attack: recipes against a tiny model, resuming, interruption, several threads; what is missing or wrong is refused.
. "$(dirname "$0")/common.sh"
tiny_model model --neighbors 3
data=$(cd "$(dirname "$0")/../../examples/data" && pwd)
grep -E "	(lost_key|water_leak)$" "$data/test.tsv" | head -n 12 >texts.tsv
[ "$(wc -l <texts.tsv)" -gt 3 ] || wrong "texts of two classes expected in examples/data/test.tsv"
printf '\tlost_key\nthe\twater_leak\n' >>texts.tsv
"$PYTHON" - <<'PYTHON'
import json
words = sorted({w for line in open("texts.tsv") for w in line.split("\t")[0].lower().split()})
json.dump({w: ["water", "key", "door", "house"] for w in words}, open("synonyms.json", "w"))
plain = [w for w in words if w.isalpha()]
open("wordnet.tsv", "w").write("".join(f"{i + 1}-n\tn\tnoun\t" + "|".join(plain[i::12]) + "|water|key|door|house\n" for i in range(12)))
open("stop.txt", "w").write("the\na\nis\n")
open("antonyms.txt", "w").write("hot cold\n")
open("vocab.txt", "w").write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "key", "water", "door", "the", "##s", "leak"]
                                        + [w for w in words if w.isalpha()]) + "\n")
open("corpus.txt", "w").write("\n\n".join("water leak key door the" for _ in range(60)) + "\n")
PYTHON

attack() { "$KNNBERT" attack --model model --data texts.tsv --predictor knn "$@"; }
fooler="--recipe textfooler --synonyms synonyms.json --stop-words stop.txt --wordnet wordnet.tsv --similarity-encoder $ENCODER --similarity -2 --short-similarity -2"
expect_code 0 attack $fooler --threads 1 --output one.jsonl --page page.html --json
cp out summary.json
expect_code 0 attack $fooler --threads 3 --output three.jsonl
expect_text out "accuracy under attack"
expect_text out "similarity of 15 words"
cmp one.jsonl three.jsonl || wrong "the same results for any number of threads expected"
"$PYTHON" - <<'PYTHON' || wrong "summary and results disagree"
import json
lines = [json.loads(line) for line in open("one.jsonl")]
run, results = lines[0]["run"], lines[1:]
texts = [line.rstrip("\n").split("\t") for line in open("texts.tsv")]
assert len(results) == len(texts) == run["examples"]
summary = json.load(open("summary.json"))
by = {s: [r for r in results if r["status"] == s] for s in ("successful", "failed", "skipped", "error")}
assert not by["error"], by["error"]
assert by["successful"], summary
for r, (text, label) in zip(results, texts):
    assert r["label"] == label and r["original"].split() == text.lower().split(), r
    words = r["original"].split()
    for change in r["changed_words"]:
        assert words[change["position"]] == change["from"] and change["from"] not in ("the", "a", "is")
        words[change["position"]] = change["to"]
    assert " ".join(words) == r["perturbed"]
for r in by["successful"]:
    assert r["original_label"] == r["label"] != r["perturbed_label"] and r["changed_words"] and r["similarity"] <= 1.0001, r
assert summary["number_of_successful_attacks"] == len(by["successful"])
assert summary["number_of_failed_attacks"] == len(by["failed"]) and summary["number_of_skipped_attacks"] == len(by["skipped"])
n = len(results)
assert abs(summary["accuracy_under_attack"] - len(by["failed"]) / n) < 1e-9
low, high = summary["intervals"]["accuracy_under_attack"]
assert 0 <= low <= len(by["failed"]) / n <= high <= 1
page = open("page.html").read()
assert "<del>" in page and "<ins>" in page and "<script" not in page
PYTHON

# With a target, accuracy is counted by labels: texts that have the target already are skipped, right or not.
expect_code 0 attack $fooler --threads 1 --target "$(tail -n 1 texts.tsv | cut -f 2)" --output target.jsonl --json
"$PYTHON" - <<'PYTHON' || wrong "the summary of a targeted attack"
import json
results = [json.loads(line) for line in open("target.jsonl")][1:]
summary = json.load(open("out"))
for key, label in (("original_accuracy", "original_label"), ("accuracy_under_attack", "perturbed_label")):
    assert abs(summary[key] - sum(r[label] == r["label"] for r in results) / len(results)) < 1e-9, (key, summary)
assert summary["number_of_skipped_attacks"] == sum(r["status"] == "skipped" for r in results) > 0
PYTHON

# A file that was cut off is gone on with; one of another run, or of something else, is not touched.
head -c "$(($(wc -c <one.jsonl) / 2))" one.jsonl >cut.jsonl
expect_code 0 attack $fooler --threads 1 --output cut.jsonl
cmp one.jsonl cut.jsonl || wrong "a run that goes on gives the same results"
expect_code 2 attack $fooler --threads 1 --output same --page ./same
expect_text err "--page"
sed 3d one.jsonl >gap.jsonl
expect_code 1 attack $fooler --threads 1 --output gap.jsonl
expect_text err "gap.jsonl:3: the result of example 1 expected"
cp one.jsonl other.jsonl
expect_code 2 attack $fooler --most-synonyms 2 --output other.jsonl
expect_text err "other.jsonl: results of another run are there (\"up to 50 synonyms"
cmp one.jsonl other.jsonl || wrong "results of another run were changed"
cp synonyms.json kept.json
sed 's/\["/["other/' kept.json >synonyms.json
! cmp -s synonyms.json kept.json || wrong "other synonyms expected"
expect_code 2 attack $fooler --output other.jsonl
expect_text err "results of another run are there"
cp kept.json synonyms.json
cp texts.tsv not.jsonl
printf 'a note without a line end' >note.txt
for file in texts.tsv note.txt; do
  cp "$file" not.jsonl
  expect_code 1 attack $fooler --output not.jsonl
  cmp "$file" not.jsonl || wrong "a file of something else was changed"
done
cp wordnet.tsv kept.tsv
for option in --output --page; do
  expect_code 2 attack --recipe pwws --wordnet wordnet.tsv $option wordnet.tsv
  expect_text err "wordnet.tsv is what is read"
done
cmp wordnet.tsv kept.tsv || wrong "a file that the attack reads was changed"
head -c 9 one.jsonl >cut.jsonl # within its first line
expect_code 0 attack $fooler --threads 1 --output cut.jsonl
cmp one.jsonl cut.jsonl || wrong "a run that goes on from its first line gives the same results"
for damage in 's/"words":[0-9]*/"words":-1/' 's/"original":"[^"]*"/"original":3/' 's/"changed_words":\[[^]]*\]/"changed_words":[3]/'; do
  sed "$damage" one.jsonl >damaged.jsonl
  expect_code 1 attack $fooler --output damaged.jsonl --page damaged.html
  expect_text err "damaged.jsonl:2: "
done
"$PYTHON" - <<'PYTHON' || wrong "a file that another process writes was taken"
import fcntl, os, subprocess
with open("one.jsonl", "a") as held:
    fcntl.flock(held, fcntl.LOCK_EX)
    run = subprocess.run([os.environ["KNNBERT"], "attack", "--model", "model", "--data", "texts.tsv", "--recipe", "pwws", "--wordnet",
                          "wordnet.tsv", "--output", "one.jsonl"], stderr=subprocess.PIPE, text=True)
assert run.returncode == 1 and "one.jsonl: in use by another process" in run.stderr, run
PYTHON

# Punctuation beside words hides them from the tables, unless it is taken apart.
printf 'the key, is lost!\tlost_key\n' >marks.tsv
for apart in "" --separate-punctuation; do
  expect_code 0 "$KNNBERT" attack --model model --data marks.tsv --predictor knn --recipe pwws --wordnet wordnet.tsv $apart --output "marks$apart.jsonl"
done
tail -n 1 marks.jsonl | grep -qF '"original":"the key, is lost!"' || wrong "words between white space expected: $(cat marks.jsonl)"
tail -n 1 marks--separate-punctuation.jsonl | grep -qF '"original":"the key , is lost !"' || wrong "punctuation apart expected"
expect_text out "punctuation apart from words"

expect_code 0 attack --recipe pwws --wordnet wordnet.tsv --json
expect_text out '"number_of_successful_attacks"'
expect_code 0 "$KNNBERT" pretrain --threads 1 --vocabulary vocab.txt --layers 1 --hidden 32 --heads 2 --max-length 20 --held-out 0 \
  --train corpus.txt --steps 2 --output lm
expect_code 0 attack --recipe bert-attack --language-model lm --stop-words stop.txt --antonyms antonyms.txt
expect_text out "guesses of lm"
expect_text out "at most 0.4 of the words"
expect_code 0 attack --recipe bert-attack --language-model lm --stop-words stop.txt --antonyms antonyms.txt --wordnet wordnet.tsv
expect_text out "part of speech"
# A WordPiece model is one over Chinese characters for sentence-piece, and chance is a baseline that its seed decides.
printf '山水 key 大人\tlost_key\nthe key 中本。\tlost_key\n水 leak 小天\twater_leak\n山 leak 大\twater_leak\n' >chinese.tsv
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' 水 大 小 人 中 日 山 天 本 木 田 王 key >characters.txt
expect_code 0 "$KNNBERT" pretrain --threads 1 --vocabulary characters.txt --layers 1 --hidden 32 --heads 2 --max-length 20 --held-out 0 \
  --train corpus.txt --steps 2 --output characters
for seed in 1 2; do
  expect_code 0 "$KNNBERT" attack --model model --data chinese.tsv --predictor head --recipe sentence-piece --language-model characters \
    --random-guesses --seed $seed --output random$seed.jsonl --page random.html
  expect_text out "pieces that chance, not characters, guesses"
done
tail -n +2 random1.jsonl >first
tail -n +2 random2.jsonl >second
cmp -s first second && wrong "other guesses for another seed expected"
expect_code 0 "$KNNBERT" attack --model model --data chinese.tsv --predictor head --recipe sentence-piece --language-model characters --output characters.jsonl
expect_text out "pieces that characters guesses"
expect_text out "average edited characters"
"$PYTHON" - <<'PYTHON' || wrong "changes are not where they are said to be"
import json, re
for name in ("random1", "characters"):
    lines = [json.loads(line) for line in open(name + ".jsonl", encoding="utf-8")]
    for r in lines[1:]:
        text = r["perturbed"]
        for change in reversed(r["changed_words"]):
            at = change["begin"]
            assert r["original"][at:][:len(change["from"])] == change["from"], r
            assert len(change["from"]) == 1 and "\u4e00" <= change["from"] <= "\u9fff" and "\u4e00" <= change["to"][0] <= "\u9fff", r
        assert r["characters"] == len(r["original"]) and r["character_edits"] <= len(r["changed_words"]), r
page = re.sub(" <ins>[^<]*</ins>|</?del>", "", open("random.html", encoding="utf-8").read())
assert all(json.loads(line)["original"] in page for line in open("second", encoding="utf-8"))
PYTHON
# A file of a run whose language model has another tokenizer since then is another run's.
expect_code 0 attack --recipe bert-attack --language-model lm --stop-words none --antonyms none --output by_lm.jsonl
cp -r lm lm.before
"$PYTHON" - <<'PYTHON'
import json
config = json.load(open("lm/tokenizer_config.json", encoding="utf-8"))
json.dump({**config, "do_lower_case": not config.get("do_lower_case", True)}, open("lm/tokenizer_config.json", "w", encoding="utf-8"))
PYTHON
expect_code 2 attack --recipe bert-attack --language-model lm --stop-words none --antonyms none --output by_lm.jsonl
expect_text err "by_lm.jsonl: results of another run are there (language_model"
rm -r lm
mv lm.before lm
expect_code 0 attack --recipe bert-attack --language-model lm --stop-words none --antonyms none --output by_lm.jsonl
# A victim that tells capitals apart is asked with them.
{ cat vocab.txt; echo Water; } >cased.txt
expect_code 0 "$KNNBERT" pretrain --threads 1 --vocabulary cased.txt --layers 1 --hidden 32 --heads 2 --max-length 20 --held-out 0 \
  --train corpus.txt --steps 1 --output cased
expect_code 0 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder cased --train texts.tsv --output cased_model
printf 'the Water leak\twater_leak\n' >capital.tsv
expect_code 0 "$KNNBERT" attack --model cased_model --data capital.tsv --recipe pwws --wordnet wordnet.tsv --output capital.jsonl
expect_text capital.jsonl '"original":"the Water leak"'
expect_text out "words with their capitals"
expect_code 0 "$KNNBERT" attack --model model --data capital.tsv --recipe pwws --wordnet wordnet.tsv --output small.jsonl
expect_text small.jsonl '"original":"the water leak"'
expect_code 0 attack --recipe bert-attack --preset textattack --language-model lm --stop-words none --similarity-encoder none --most-queries 40
expect_code 0 attack --recipe pwws --preset textattack --wordnet wordnet.tsv --stop-words stop.txt --target water_leak --examples 5 --json
expect_text out '"number_of_errors":0'

# The datastore itself: k = 3 votes turn with two copies at the latest, and the model's directory stays as it was.
cp model/datastore.safetensors store.before
expect_code 0 attack --recipe datastore --json
"$PYTHON" - <<'PYTHON' || wrong "two copies turn a count of three votes: $(cat out)"
import json
r = json.load(open("out"))
assert r["examples"] == 14 and r["attacked"] > 0 and r["median"] >= 1 and r["turned"]["5"] == 1, r
PYTHON
expect_code 0 attack --recipe datastore --added nearest --pool texts.tsv --most-added 4
expect_text out "half of them turned by"
expect_text out "turned by 4 added"
expect_code 0 attack --recipe datastore --most-added 4 --json
"$PYTHON" -c "import json; r = json.load(open('out'))['turned']; assert list(r) == ['1', '2', '3', '4'] and r['4'] == 1, r" ||
  wrong "what is turned by as many as are added at most is not told"
expect_code 2 attack --recipe datastore --added random
expect_text err "--pool"
expect_code 2 "$KNNBERT" attack --model model --data texts.tsv --predictor head --recipe datastore
expect_text err "--predictor"
cmp model/datastore.safetensors store.before || wrong "an attack changed the model"
# A search that another predictor, or a vote by similarity, leads where the model counts votes, which judge.
tiny_model counting --neighbors 3 --voting count
head -n 4 texts.tsv >few.tsv
counted() { "$KNNBERT" attack --model counting --data few.tsv --predictor knn --recipe pwws --wordnet wordnet.tsv "$@"; }
expect_code 0 counted --output knn.jsonl
expect_code 0 counted --guide knn --output knn.jsonl
expect_code 0 counted --guide head --output head.jsonl --json
cp out head.json
expect_code 0 counted --guide soft-knn --threads 3 --output soft.jsonl --page soft.html
expect_text out "led by soft-knn (softmax of similarity / 0.5 over all examples), judged by knn"
expect_text soft.html "led by soft-knn"
cp soft.jsonl whole.jsonl
head -c "$(($(wc -c <soft.jsonl) / 2))" whole.jsonl >soft.jsonl
expect_code 0 counted --guide soft-knn --threads 1 --output soft.jsonl
cmp soft.jsonl whole.jsonl || wrong "a guided run that goes on gives the same results"
expect_code 2 counted --guide soft-knn --guide-temperature 0.25 --output soft.jsonl
expect_text err "led by soft-knn (softmax of similarity / 0.25"
expect_code 2 counted --guide soft-knn --guide-neighbors 3 --output soft.jsonl
expect_text err "over 3 examples"
expect_code 2 counted --output head.jsonl
expect_text err "guide: \"head\" there, \"knn\" here"
cmp soft.jsonl whole.jsonl || wrong "results of another guide were changed"
"$PYTHON" - <<'PYTHON' || wrong "a guide leads and does not judge"
import json
summary = json.load(open("head.json"))
assert (summary["predictor"], summary["guide"]) == ("knn", "head") and "led by head, judged by knn" in summary["parts"], summary
runs = {name: [json.loads(line) for line in open(name + ".jsonl")] for name in ("knn", "head", "soft")}
best = lambda p: max(p, key=p.get)
for name, guide in (("knn", "knn"), ("head", "head"), ("soft", "soft-knn")):
    run, results = runs[name][0]["run"], runs[name][1:]
    assert (run["predictor"], run["guide"]) == ("knn", guide), run
    assert len(results) == len(runs["knn"]) - 1
    for r, alone in zip(results, runs["knn"][1:]):
        assert (r["predictor"], r["guide"]) == ("knn", guide), r
        assert r["original_probabilities"] == alone["original_probabilities"], (r, alone)  # the count, whoever leads
        assert (r["status"] == "skipped") == (best(r["original_probabilities"]) != r["label"]), r
        assert (r["status"] == "successful") == (r["status"] != "skipped" and r["perturbed_label"] != r["label"]), r
        assert ("original_guide_probabilities" in r) == (guide != "knn"), r
        counts = [3 * p for p in r["original_probabilities"].values()]
        assert all(abs(c - round(c)) < 1e-5 for c in counts), r
    assert any(r["status"] == "successful" for r in results), name
soft = [p for r in runs["soft"][1:] for p in r["original_guide_probabilities"].values()]
assert any(1e-4 < abs(3 * p - round(3 * p)) for p in soft), soft
PYTHON
expect_code 2 attack --recipe datastore --guide head
expect_text err "--guide"
expect_code 2 counted --guide nobody
expect_text err "--guide"

# What a recipe needs is asked for, all of it at once.
expect_code 2 attack --recipe textfooler --synonyms synonyms.json --wordnet wordnet.tsv --stop-words stop.txt
expect_text err "--recipe textfooler: needs --similarity-encoder (a directory of a sentence encoder, or none)"
expect_code 2 attack --recipe textfooler --synonyms none
for option in "--synonyms or --vectors" --wordnet --stop-words --similarity-encoder; do expect_text err "$option ("; done
expect_code 2 attack --recipe pwws
expect_text err "--recipe pwws: needs --wordnet (a table of synsets)"
expect_code 2 attack --recipe bert-attack --stop-words none --language-model none
expect_text err "--recipe bert-attack: needs --language-model (a directory of BertForMaskedLM), --antonyms ("
expect_code 1 attack --recipe bert-attack --stop-words none --antonyms none --language-model "$ENCODER"
expect_text err "without masked-language-model head"
expect_code 1 attack --recipe pwws --wordnet stop.txt
expect_text err "stop.txt:1"
expect_code 2 attack --recipe pwws --wordnet wordnet.tsv --target nothing
expect_text err "--target"
expect_code 1 attack --recipe pwws --wordnet wordnet.tsv --output missing/x.jsonl

# What a recipe has no use for is refused, before anything is read.
refused() { # MESSAGE OPTION...
  message=$1
  shift
  expect_code 2 attack "$@"
  expect_text err "$message"
}
refused "--synonyms: given with --recipe pwws, but used by textfooler alone" --recipe pwws --wordnet wordnet.tsv --synonyms missing
refused "--language-model: given with --recipe textfooler" $fooler --language-model missing
refused "--random-guesses: given with --recipe bert-attack" --recipe bert-attack --language-model lm --stop-words none --antonyms none \
  --random-guesses
refused "--wordnet: given with --recipe sentence-piece" --recipe sentence-piece --language-model characters --wordnet wordnet.tsv
refused "--similarity: given without --similarity-encoder" --recipe pwws --wordnet wordnet.tsv --similarity 0.99
refused "--window: given with --similarity-encoder none" --recipe pwws --wordnet wordnet.tsv --similarity-encoder none --window 5
refused "--guide-neighbors: given with --guide head" --recipe pwws --wordnet wordnet.tsv --guide head --guide-neighbors 5
refused "--target: given with --recipe datastore" --recipe datastore --target zzz
refused "--output: given with --recipe datastore" --recipe datastore --output x.jsonl
refused "--pool: given without --added" --recipe datastore --pool texts.tsv

# A signal keeps what is done.
for _ in $(seq 400); do cat texts.tsv; done >many.tsv
"$KNNBERT" attack --model model --data many.tsv --recipe pwws --wordnet wordnet.tsv --threads 2 --output stopped.jsonl >out 2>err &
run=$!
until [ -f stopped.jsonl ] && [ "$(wc -l <stopped.jsonl)" -gt 3 ]; do kill -0 $run || wrong "$(cat err)"; sleep 0.1; done
kill -INT $run
code=0
wait $run || code=$?
[ $code -eq 130 ] || wrong "exit code $code after SIGINT, 130 expected: $(cat err)"
expect_text err "the same command goes on"
expect_text out "accuracy under attack"
"$PYTHON" -c "import json; [json.loads(line) for line in open('stopped.jsonl')]" || wrong "whole lines expected"

# A victim that answers by the mean over copies with other words; the result says so, and any number of threads agrees.
smoothed() { "$KNNBERT" attack --model model --data few.tsv --predictor knn --recipe pwws --wordnet wordnet.tsv "$@"; }
smooth="--smooth 4 --smooth-words 0.5 --smooth-synonyms synonyms.json --smooth-stop-words stop.txt"
expect_code 0 smoothed $smooth --threads 1 --output smooth.jsonl
expect_text out "mean over 4 copies, 0.5 of the words replaced"
expect_code 0 smoothed $smooth --threads 3 --output smooth3.jsonl
cmp smooth.jsonl smooth3.jsonl || wrong "the same results of a smoothed victim for any number of threads expected"
expect_code 0 smoothed --threads 1 --output plain.jsonl
! cmp -s smooth.jsonl plain.jsonl || wrong "other results without --smooth expected"
expect_code 0 smoothed $smooth --guide unsmoothed
expect_text out "led by unsmoothed"
expect_code 2 smoothed --guide unsmoothed
expect_text err "--smooth expected"
expect_code 2 smoothed --smooth-words 0.9
expect_text err "--smooth-words: not given expected without --smooth"
expect_code 2 smoothed --smooth 2
expect_text err "--smooth-synonyms or --smooth-wordnet expected"
expect_code 2 smoothed --smooth-wordnet wordnet.tsv
expect_text err "without --smooth"
