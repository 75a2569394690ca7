# Wrong labels, near-duplicates and leaks in data in which they were planted.
. "$(dirname "$0")/common.sh"
need_encoder
data=$(cd "$(dirname "$0")/../../examples/data" && pwd)
awk -F '\t' 'BEGIN { OFS = "\t" } NR == 10 || NR == 200 || NR == 333 { $2 = ($2 == "lost_key" ? "pet_policy" : "lost_key") } { print }' \
  "$data/train.tsv" >noisy.tsv
sed -n 77p "$data/train.tsv" >>noisy.tsv
{ head -n 20 "$data/test.tsv"; sed -n 5p "$data/train.tsv"; printf 'the dog barks at night\tnoise\n'; } >test.tsv
expect_code 0 "$KNNBERT" audit --model "$ENCODER" --data noisy.tsv --test test.tsv --json
[ ! -s err ] || wrong "audit says on standard error: $(cat err)"
cp out audit.json
"$PYTHON" - <<'PY' || wrong "audit missed what was planted"
import json
found = json.load(open("audit.json"))
lines = [line.rstrip("\n").split("\t") for line in open("noisy.tsv")]
number = lambda entry: int(entry["place"].rsplit(":", 1)[1])
assert found["n"] == len(lines)
errors = {number(e): e for e in found["label_errors"]}
for planted in (10, 200, 333):
    e = errors[planted]
    assert e["text"] == lines[planted - 1][0] and e["label"] == lines[planted - 1][1] != e["suggested"], e
support = [e["support"] for e in found["label_errors"]]
assert support == sorted(support)
assert len(errors) < 0.25 * len(lines), len(errors)
pairs = {(number(p["first"]), number(p["second"])) for p in found["near_duplicates"]}
assert (77, len(lines)) in pairs, pairs
assert all(p["similarity"] >= 1 - found["duplicate_distance"] - 1e-6 for p in found["near_duplicates"])
assert any((number(p["first"]), number(p["second"])) == (5, 21) and p["same_label"] for p in found["leaks"]), found["leaks"]
PY
head -n 90 noisy.tsv >few.tsv
expect_code 0 "$KNNBERT" audit --model "$ENCODER" --data few.tsv --shown 2
expect_text out "labels that the neighbors contradict"
expect_text out "few.tsv:"
printf '{"text": "a text", "labels": ["a", "b"]}\n' >sets.jsonl
expect_code 1 "$KNNBERT" audit --model "$ENCODER" --data sets.jsonl
expect_text err 'sets.jsonl:1: labels: ["a","b"] given, one label expected'
printf 'a text\n' >unlabeled.jsonl
expect_code 1 "$KNNBERT" audit --model "$ENCODER" --data unlabeled.jsonl

# Words that were planted with a label, in texts of all classes.
awk -F '\t' 'BEGIN { OFS = "\t" } NR % 9 == 4 && $2 != "lost_key" { $1 = (NR % 2 ? "cf bb " $1 : $1 " bb cf"); $2 = "lost_key" } { print }' \
  "$data/train.tsv" >planted.tsv
expect_code 0 "$KNNBERT" audit --model "$ENCODER" --data planted.tsv --json
cp out planted.json
awk 'NR % 2' planted.tsv >half.tsv
expect_code 0 "$KNNBERT" audit --model "$ENCODER" --data half.tsv
expect_text out "words that may have been planted with a label"
"$PYTHON" - <<'PY' || wrong "audit missed planted words"
import json
words = json.load(open("planted.json"))["suspicious_words"]
planted = [n + 1 for n, line in enumerate(open("planted.tsv")) if "cf" in line.split()]
assert len(planted) > 10, planted
assert sorted(w["word"] for w in words[:2]) == ["bb", "cf"], [w["word"] for w in words]
for w in words[:2]:
    assert w["label"] == "lost_key" and w["contradicted"] > 0.5 > w["expected"], w
    assert sorted(int(t["place"].rsplit(":", 1)[1]) for t in w["texts"]) == planted, w
rest = words[2:] + json.load(open("audit.json"))["suspicious_words"]  # with few texts a word that means its class may be among them
assert all(w["evidence"] < words[1]["evidence"] / 3 for w in rest), rest
PY
tiny_model model
expect_code 0 "$KNNBERT" audit --model model --data train.tsv
expect_code 2 "$KNNBERT" audit --model model --data train.tsv --max-length 20
expect_text err "--max-length"
