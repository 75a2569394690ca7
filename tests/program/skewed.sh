# Skewed data: weights of classes, balanced sampling and scores other than accuracy, trained, resumed, stored and told.
. "$(dirname "$0")/common.sh"
need_encoder
"$PYTHON" - <<'P'
rare = ["water drips from the ceiling", "the pipe under the sink leaks", "there is water in the cellar"]
common = [f"when does the office open on {day} in {month}" for day in ("Monday", "Tuesday", "Friday") for month in ("May", "June", "July", "August")]
with open("train.tsv", "w") as f:
    f.write("text\tlabel\n" + "".join(f"{t}\topening\n" for t in common) + "".join(f"{t}\twater_leak\n" for t in rare))
with open("weights.json", "w") as f:
    f.write('{"opening": 0.5, "water_leak": 3}')
P
quick="train --threads 1 --method ce --encoder $ENCODER --train train.tsv --epochs 2 --batch-size 4 --no-dropout"
values() { # FOLDER KEY: one number an epoch or a step
  "$PYTHON" -c "import json, sys; print(*[eval('r' + sys.argv[2]) for r in map(json.loads, open(sys.argv[1] + '/metrics.jsonl')) if sys.argv[3] in r])" "$1" "$2" "$3"
}

expect_code 0 "$KNNBERT" $quick --output plain
expect_code 0 "$KNNBERT" $quick --output balanced --class-weights balanced
expect_code 0 "$KNNBERT" $quick --output root --class-weights sqrt
expect_code 0 "$KNNBERT" $quick --output file --class-weights weights.json
for a in plain balanced root file; do
  for b in plain balanced root file; do
    [ $a = $b ] || [ "$(values $a "['loss']['total']" step)" != "$(values $b "['loss']['total']" step)" ] || wrong "$a and $b have the same losses"
  done
done
# With weights 15 / (2 n_c) the file's are the balanced ones.
echo '{"opening": 0.625, "water_leak": 2.5}' >same.json
expect_code 0 "$KNNBERT" $quick --output same --class-weights same.json
[ "$(values same "['loss']['total']" step)" = "$(values balanced "['loss']['total']" step)" ] || wrong "balanced weights are not n / (C n_c)"

# A resumed run has the same bytes, and names another weighting, sampling and score by their options.
run="$quick --dev train.tsv --class-weights sqrt --sampling balanced --metric f1 --positive water_leak"
expect_code 0 "$KNNBERT" $run --output whole
expect_text out "knn f1 "
[ "$(values whole "['f1']['head']" f1 | wc -w)" -eq 2 ] || wrong "two F1 expected in metrics.jsonl"
expect_code 0 "$KNNBERT" $run --output whole --resume
expect_text err "nothing to do"
expect_code 1 "$KNNBERT" $quick --dev train.tsv --output whole --resume
for option in --class-weights --sampling --metric; do expect_text err "$option"; done

# What eval says is what scikit-learn's formulas give for its confusion matrix.
expect_code 0 "$KNNBERT" eval --model plain --data train.tsv --json --neighbors 15 --phi 1
"$PYTHON" - <<'P' || wrong "F1 and MCC of eval"
import json, math
e = json.load(open("out"))
for name in ("knn", "head", "combined"):
    (tn, fp), (fn, tp) = e["confusion"][name]
    assert e["positive"] == "water_leak"
    assert abs(e["f1"][name] - 2 * tp / max(1, 2 * tp + fp + fn)) < 1e-12
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert abs(e["mcc"][name] - ((tp * tn - fp * fn) / root if root else 0)) < 1e-12
P
expect_code 0 "$KNNBERT" eval --model plain --data train.tsv --positive opening
expect_text out "F1 is that of class opening"
expect_text out "MCC"

expect_code 2 "$KNNBERT" eval --model plain --data train.tsv --positive closing
expect_text err "--positive"
expect_code 2 "$KNNBERT" $quick --output never --class-weights heavy
expect_text err "--class-weights"
expect_code 1 "$KNNBERT" $quick --output never --class-weights missing.json
echo '{"opening": 1, "water_leak": 0}' >zero.json
expect_code 2 "$KNNBERT" $quick --output never --class-weights zero.json
expect_text err "--class-weights"
expect_code 2 "$KNNBERT" $quick --output never --class-weights balanced --cat
expect_text err "--class-weights"
[ ! -e never/config.json ] || wrong "bad usage left a model"
