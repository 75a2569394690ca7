# Every method and every regularizer trains, is resumed, says in metrics.jsonl what it did, and combinations that mean nothing are refused.
. "$(dirname "$0")/common.sh"
tiny_model start
quick="train --threads 1 --encoder $ENCODER --train train.tsv --epochs 2 --batch-size 4"
both() { # NAME TERMS OPTION...: one run, and one that is stopped after an epoch and resumed: the same files
  name=$1
  terms=$2
  shift 2
  rm -rf a
  expect_code 0 "$KNNBERT" $quick --output a "$@"
  "$PYTHON" - a/metrics.jsonl "$terms" <<'P' || wrong "$name: terms in metrics.jsonl"
import json, sys
steps = [row for row in map(json.loads, open(sys.argv[1])) if "step" in row]
assert steps, "no steps"
wanted = {"total", "cross_entropy", *sys.argv[2].split()}
for row in steps:
    assert set(row["loss"]) == wanted, (row["loss"], wanted)
    assert "skipped" not in row, row
P
  expect_code 0 "$KNNBERT" $quick --output a --resume "$@"
  expect_text err "nothing to do"
}
for method in moco memory-bank random-positive cluster-moco; do both $method contrastive --method $method; done
both class-balanced contrastive --queue class-balanced --exclude-self
both scl supervised_contrast --method scl
both released supervised_contrast --method scl --scl-loss released --temperature 5 --lambda 0.1
both smart "smoothness proximal" --method ce --smart --smart-epsilon 1e-2 --smart-ascent-steps 2 --proximal momentum
both smart_alone "smoothness proximal" --method ce --smart
"$PYTHON" -c "import json; c = json.load(open('a/training.json'))['chosen_by_recipe']; assert c['proximal'] == 'momentum', c" || wrong "a proximal point beside --smart"
both smoothness smoothness --method ce --smart --smart-dropout off --proximal off
both plain proximal --method ce --proximal plain --proximal-steps 2
"$PYTHON" -c "import json; n = sum('step' in json.loads(r) for r in open('a/metrics.jsonl')); assert n == 8, n" || wrong "two updates a batch expected"
both scl_logits supervised_contrast --method scl --scl-input logits
both as_released contrastive --warm-up-keys pooled --queue-init random --queue-size 64 --invalid-anchor drop_batch --selection any \
  --lists batch_min --overlap duplicate --reduction pair_mean --top-k 1 --end-k 1 --dev train.tsv
both cat cat --method ce --cat --cat-step l2
both sdv "distillation" --method ce --distill sdv --distill-window 2
both all "contrastive smoothness cat proximal distillation average" --method knn-bert --smart --cat --proximal momentum --distill ema --average se
"$PYTHON" -c "import json; t = json.load(open('a/training.json'))['options']; assert t['cat'] and t['average'] == 'se' and t['distill'] == 'ema', t" || wrong "options in training.json"

# What has no use beside others is said.
unused() { # OPTION OPTION...: the first one does nothing beside the others
  expect_code 0 "$KNNBERT" $quick --output unused "$@"
  expect_text err "$1: does nothing with"
  rm -r unused
}
unused --momentum 0.3 --method memory-bank
unused --overlap duplicate --method moco
unused --distill-window 9 --distill ema --method ce
unused --proximal-momentum 0.5 --proximal plain --proximal-steps 2 --method ce
unused --positive "$(head -n 1 train.tsv | cut -f 2)" --dev train.tsv --method ce
unused --voting-temperature 0.5 --voting count --method ce
expect_code 0 "$KNNBERT" $quick --output unused --method ce --proximal plain --proximal-steps 2
expect_text out "8 steps of"
rm -r unused

# What a resumed run does otherwise has an option's name.
expect_code 0 "$KNNBERT" $quick --method ce --output b --smart --smart-eta 1e-3
expect_code 1 "$KNNBERT" $quick --method ce --output b --smart --smart-eta 1e-2 --resume
expect_text err "--smart-eta 0.001 there, 0.01 here"

expect_code 0 "$KNNBERT" $quick --method knn-bert --output released --queue-init random
expect_code 1 "$KNNBERT" $quick --method knn-bert --output released --resume
expect_text err "--queue-init"

# The weight of a contrast, not what it leaves to the cross entropies.
expect_lambda() { # OPTION...
  expect_code 0 "$KNNBERT" $quick --output weighed --lambda 0.408 "$@"
  expect_code 1 "$KNNBERT" $quick --output weighed --lambda 0.2 --resume "$@"
  grep -q "another one: --lambda 0.408 there, 0.2 here$" err || { cat err; wrong "--lambda alone expected, with its values"; }
  rm -r weighed
}
expect_lambda --method knn-bert
expect_lambda --method scl
expect_lambda --method knn-bert --cat
expect_lambda --method knn-bert --task multi-label

# bf16 keys beside fp32 queries: the model is another one, and nearly the same.
both bf16 contrastive --key-precision bf16
expect_code 1 "$KNNBERT" $quick --method knn-bert --output a --resume
expect_text err "--key-precision"

# The queue's keys as datastore have their classes, whatever the queue's labels were.
expect_code 0 "$KNNBERT" $quick --method cluster-moco --clusters 3 --store queue --output kept
expect_code 0 "$KNNBERT" eval --model kept --data train.tsv

refused() { # TEXT OPTION...
  text=$1
  shift
  expect_code 2 "$KNNBERT" $quick --output never "$@"
  expect_text err "$text"
  [ ! -e never/config.json ] || wrong "bad usage left a model"
}
refused "--positives" --method moco --positives 3
refused "--positives" --method memory-bank --positives 3
refused "--queue" --method cluster-moco --queue class-balanced
refused "--interleaved-negatives" --interleaved-negatives
refused "--part-size" --cat --part-size 2
refused "--cat-lambda" --cat --cat-lambda 1
refused "--smart-sigma" --smart --smart-sigma 0
refused "--proximal-steps" --proximal plain
refused "--proximal-steps" --proximal-steps 2
refused "--average" --average se --distill sda --distill-evaluate-teacher
refused "--precision" --smart --precision bf16
refused "--store" --method scl --store queue

# Two runs as one model: the mean of their answers, or one with the mean of their parameters.
for seed in 1 2; do expect_code 0 "$KNNBERT" $quick --method ce --output seed$seed --seed $seed; done
for how in vote average; do
  expect_code 0 "$KNNBERT" eval --model seed1 --model seed2 --ensemble $how --data train.tsv --json
  "$PYTHON" -c "import json; e = json.load(open('out')); assert e['n'] == 8, e" || wrong "eval --ensemble $how"
done
expect_code 0 "$KNNBERT" eval --model seed1 --model seed1 --ensemble average --data train.tsv --json
mv out twice
expect_code 0 "$KNNBERT" eval --model seed1 --data train.tsv --json
# an ensemble has no certificates
"$PYTHON" - <<'PY' || wrong "the average of a model and itself is another one"
import json
twice, once = (json.load(open(name)) for name in ("twice", "out"))
assert once.pop("certified_accuracy")
assert twice == once, (twice, once)
PY
printf 'one text\ta\nanother one\tb\n' >other.tsv
expect_code 0 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder "$ENCODER" --train other.tsv --output other
expect_code 1 "$KNNBERT" eval --model seed1 --model other --data train.tsv
expect_text err "classes"
