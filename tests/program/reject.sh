# Texts out of scope: a threshold from held-out texts, what predict and eval say of it, and a class that is added later.
. "$(dirname "$0")/common.sh"
need_encoder
data=$(cd "$(dirname "$0")/../../examples/data" && pwd)
awk 'NR % 2' "$data/test.tsv" >held_out.tsv
awk 'NR % 2 == 0' "$data/test.tsv" | cat - "$data/out_of_scope.tsv" >test.tsv
"$KNNBERT" train --method ce --epochs 0 --voting softmax --threads 1 --encoder "$ENCODER" --train "$data/train.tsv" --output model >out 2>err || { cat err; wrong "training failed"; }
"$KNNBERT" eval --model model --data held_out.tsv >plain_eval

# What cannot be calibrated is said, and the directory stays as it was.
cp model/knnbert.json before.json
head -n 18 held_out.tsv >few.tsv
expect_code 1 "$KNNBERT" calibrate --model model --data few.tsv
expect_text err "18 held-out texts given, at least 19 expected for a coverage of 0.95"
expect_code 1 "$KNNBERT" calibrate --model model --data held_out.tsv --score energy
expect_text err "the head was never trained"
expect_code 1 "$KNNBERT" calibrate --model model --data test.tsv
expect_text err "out_of_scope"
for coverage in 0 1; do
  expect_code 2 "$KNNBERT" calibrate --model model --data held_out.tsv --coverage $coverage
  expect_text err "--coverage: $coverage given"
done
expect_code 2 "$KNNBERT" calibrate --model model --data held_out.tsv --score max-probability --choose-phi
expect_text err "--choose-phi: given with max-probability"
expect_code 2 "$KNNBERT" eval --model model --data test.tsv --out-of-scope-label weather
expect_text err "class 'weather' given"
expect_code 0 "$KNNBERT" eval --model model --data held_out.tsv --out-of-scope-label heating_problem
expect_text err "heating_problem: a class of this model"
cmp -s before.json model/knnbert.json || wrong "a failed calibrate changed the model"
"$KNNBERT" calibrate --model model --data "$data/train.tsv" --coverage 0.9 >out 2>err
expect_text err "630 of 630 texts are examples of the model"

for score in class-mean max-probability neighbors; do
  expect_code 0 "$KNNBERT" calibrate --model model --data held_out.tsv --coverage 0.9 --score $score --json
  [ ! -s err ] || wrong "calibrate warns: $(cat err)"
  cp out report.json
  cut -f 1 test.tsv | "$KNNBERT" predict --model model >answers
  "$KNNBERT" eval --model model --data test.tsv --out-of-scope-label out_of_scope --json >eval.json
  "$PYTHON" - $score <<'PY' || wrong "predict and eval disagree about $score"
import json, sys
name = sys.argv[1]
gold = [line.rstrip("\n").split("\t")[1] for line in open("test.tsv")]
answers = [json.loads(line) for line in open("answers")]
report, rule, result = json.load(open("report.json")), json.load(open("model/knnbert.json"))["rejection"], json.load(open("eval.json"))
assert report["rule"] == rule and rule["score"] == name and rule["coverage"] == 0.9 and rule["held_out"] == report["held_out"] == 105
assert 0.9 <= report["accepted"] <= 0.93, report
for answer in answers:
    best = max(answer["combined"], key=answer["combined"].get)
    if answer["label"] is None:
        rejected = answer["rejected"]
        assert rejected["would_be"] == best and rejected["score"] == name and rejected["threshold"] == rule["threshold"] < rejected["value"]
        if name == "neighbors":
            assert rejected["value"] == -answer["neighbors"][0]["similarity"]
    else:
        assert answer["label"] == best and "rejected" not in answer
known = [(a, g) for a, g in zip(answers, gold) if g != "out_of_scope"]
others = [a for a, g in zip(answers, gold) if g == "out_of_scope"]
accepted = [(a, g) for a, g in known if a["label"]]
right, found, rejected = sum(a["label"] == g for a, g in accepted), sum(a["label"] is None for a in others), sum(a["label"] is None for a in answers)
world = result["rejection"]
expected = {"in_scope": 105, "out_of_scope": 60, "coverage": len(accepted) / 105, "accepted_accuracy": right / len(accepted), "in_scope_accuracy": right / 105,
            "recall": found / 60, "precision": found / rejected, "f1": 2 * found / (60 + rejected)}
for key, value in expected.items():
    assert abs(world[key] - value) < 1e-9, (key, world[key], value)
assert world["rule"] == rule and result["n"] == 105 and len(result["classes"]) == 14
assert set(world["scores"]) == {"neighbors", "class-mean", "max-probability"}, world["scores"]
if name == "neighbors":
    distance = lambda answers: [-a["neighbors"][0]["similarity"] for a in answers]
    pairs = [(x > y) + (x == y) / 2 for x in distance(others) for y in distance(a for a, _ in known)]
    assert abs(world["scores"][name]["auroc"] - sum(pairs) / len(pairs)) < 1e-9, world["scores"]
assert result["temperature"]["value"] != 1
PY
done

# People read the same; without rejection and with it the accuracy before rejection is one.
"$KNNBERT" eval --model model --data test.tsv --out-of-scope-label out_of_scope >out
for part in "rejected are texts with neighbors > " "for a coverage of 0.9" "out of scope 60 texts: recall" "class-mean" "calibration error of combined"; do expect_text out "$part"; done
"$KNNBERT" eval --model model --data held_out.tsv >out
[ "$(grep ^accuracy out)" = "$(grep ^accuracy plain_eval)" ] || wrong "a calibration changed the accuracy"
"$PYTHON" -c 'import json; print(next(a["text"] for a in map(json.loads, open("answers")) if a["label"] is None))' >rejected.txt
"$KNNBERT" predict --model model --plain rejected.txt >out
expect_text out "rejected: neighbors -0."
expect_text out "; would be "

expect_code 0 "$KNNBERT" report --model model --data held_out.tsv --output page.html
expect_text page.html "Rejected texts"
expect_text page.html "held-out texts"

# Texts of a class that is added later are accepted without another calibration.
"$KNNBERT" calibrate --model model --data held_out.tsv --coverage 0.5 >out
expect_text out "105 held-out texts"
cut -f 1 "$data/new_class_test.tsv" >new.txt
rejected() { "$KNNBERT" predict --model model new.txt | grep -c '"label":null,"rejected"' || true; }
before=$(rejected)
"$KNNBERT" add --model model --data "$data/new_class.tsv" >ids 2>err
expect_text err "calibration: it was measured with the datastore as it was before"
after=$(rejected)
[ "$after" -lt "$before" ] || wrong "$after of 12 texts of a new class are rejected with its examples, $before without"
cut -f 1 "$data/new_class.tsv" | "$KNNBERT" predict --model model >answers
[ "$(grep -c '"label":"smoke_detector","probability"' answers)" -eq 5 ] || wrong "the examples of a new class are not of it"

# A temperature is that of the vote it was measured with; a distance to the nearest example depends on no vote.
warned() { grep -cF "calibration: it was measured with" err || true; }
own=$("$PYTHON" -c 'import json; print(json.load(open("model/knnbert.json"))["neighbors"])')
for votes in "--neighbors 2" "--phi 0.5" "--neighbors 2 --phi 0.5"; do
  expect_code 0 "$KNNBERT" eval --model model --data held_out.tsv $votes
  [ "$(warned)" -eq 1 ] || wrong "a warning of the calibration expected with $votes"
  expect_text err "$own neighbors and phi 0.1; \`calibrate\` measures it again"
done
expect_code 0 "$KNNBERT" predict --model model new.txt --neighbors 2
[ "$(warned)" -eq 1 ] || wrong "predict --neighbors: a warning of the calibration expected"
expect_code 0 "$KNNBERT" predict --model model new.txt --neighbors "$own"
expect_code 0 "$KNNBERT" eval --model model --data held_out.tsv --neighbors "$own" --phi 0.1
[ "$(warned)" -eq 0 ] || wrong "a warning of what is the model's own"
cp -r model cold
"$PYTHON" -c 'import json; k = json.load(open("cold/knnbert.json")); k["temperature"] = 1; json.dump(k, open("cold/knnbert.json", "w"))'
expect_code 0 "$KNNBERT" eval --model cold --data held_out.tsv --neighbors 2 --phi 0.5
[ "$(warned)" -eq 0 ] || wrong "a warning of a threshold that no vote moves"

# phi, too, of a head that has learned something.
expect_code 2 "$KNNBERT" calibrate --model model --data held_out.tsv --choose-phi
expect_text err "--choose-phi: given, a trained head expected"
cp -r model fitted
expect_code 0 "$KNNBERT" index --model fitted --data "$data/train.tsv" --refit-head
phi() { "$PYTHON" -c 'import json; print(json.load(open("fitted/knnbert.json"))["phi"])'; }
[ "$(phi)" = 0.1 ] || wrong "phi $(phi) where none was chosen"
"$KNNBERT" calibrate --model fitted --data held_out.tsv --choose-phi >out
expect_text out "phi $(phi)"

# Without examples no text is far from them: the head answers alone.
cp -r model emptied
"$PYTHON" -c 'import json
from safetensors.numpy import load_file
print(*load_file("emptied/datastore.safetensors")["ids"].tolist(), sep="\n")' >all
expect_code 0 "$KNNBERT" remove --model emptied --ids all
expect_text out "0 left"
"$KNNBERT" predict --model emptied new.txt >out
! grep -q rejected out || wrong "texts are rejected for being far from no examples"
"$KNNBERT" eval --model emptied --data held_out.tsv >out
! grep -q "rejected are texts" out || wrong "eval knows a rule that does not apply"

# Votes as sure as they are right, but not of the class that is right otherwise: their loss asks for what is less calibrated.
for class in a a a b b; do printf 'the lift is stuck\t%s\n' $class; done >votes.tsv
printf 'where is my key\tc\n' >>votes.tsv
for class in a a a a a a a a a a a a c c c c c c c c; do printf 'the lift is stuck\t%s\n' $class; done >votes_held_out.tsv
"$KNNBERT" train --method ce --epochs 0 --neighbors 5 --threads 1 --encoder "$ENCODER" --train votes.tsv --output votes >out 2>err || { cat err; wrong "training failed"; }
expect_code 0 "$KNNBERT" calibrate --model votes --data votes_held_out.tsv --coverage 0.9
expect_text err "votes_held_out.tsv: with the temperature 100.00 the calibration error of these very texts is"
