# train without options: the recipe is printed and kept, what the user gives wins, --recipe paper has the paper's constants.
. "$(dirname "$0")/common.sh"
need_encoder
tiny_model start

kept() { # FOLDER EXPRESSION: training.json as `t`
  "$PYTHON" -c "import json, sys; t = json.load(open(sys.argv[1] + '/training.json')); c = t['chosen_by_recipe']; sys.exit(not ($2))" "$1" ||
    wrong "$1/training.json: $2 expected: $(cat "$1/training.json")"
}
train() { expect_code 0 "$KNNBERT" train --threads 1 --encoder "$ENCODER" --train train.tsv "$@"; }

# For 8 examples: enough steps, of one batch each. One short epoch stands for them here.
train --output auto --epochs 1
expect_text out "recipe auto: 8 examples of 2 classes, 4 a class"
expect_text out "--method scl"
expect_text out "--lambda 0.9"
kept auto "t['recipe'] == 'auto' and t['epochs'] == 1 and 'epochs' not in c"
kept auto "t['method'] == 'scl' and c['lambda'] == 0.9 and 'queue-size' not in c and c['neighbors'] == 4 and c['voting'] == 'softmax'"
kept auto "t['learning_rate'] == 5e-5 and c['head-learning-rate'] == 5e-4"

# Where an option asks for a queue there is one.
train --output queue --epochs 1 --queue fifo
expect_text out "--lambda 0.5"
kept queue "t['method'] == 'knn-bert' and c['lambda'] == 0.5 and c['positives'] == 1 and c['queue-size'] == 1000 and c['neighbors'] == 4"
kept queue "t['learning_rate'] == 1e-4 and c['head-learning-rate'] == 1e-3 and t['top_k'] == 4"

# The number of epochs that it chooses stands in the help and in what `--epochs 0` leaves out.
expect_code 0 "$KNNBERT" train --help
expect_text out "--recipe"
expect_text out "=recipe"

train --output own --epochs 1 --lambda 0.25 --neighbors 2 --batch-size 4 --learning-rate 2e-5 --voting count --json
head -n 1 out | "$PYTHON" -c "import json, sys; r = json.loads(sys.stdin.readline()); sys.exit(r['recipe'] != 'auto' or 'lambda' in r['chosen'])" ||
  wrong "a first line of JSON about the recipe expected: $(cat out)"
kept own "t['lambda'] == 0.25 and t['batch_size'] == 4 and t['learning_rate'] == 2e-5 and not {'lambda', 'neighbors', 'voting', 'batch-size'} & set(c)"
"$PYTHON" -c "import json; k = json.load(open('own/knnbert.json')); assert k['neighbors'] == 2, k" || wrong "2 neighbors expected"

train --output paper --recipe paper --epochs 1
kept paper "t['recipe'] == 'paper' and c['lambda'] == 0.1 and c['momentum'] == 0.999 and c['positives'] == 16 and c['queue-size'] == 32000"
kept paper "c['top-k'] == 100 and c['voting'] == 'count' and c['batch-size'] == 16 and c['neighbors'] == 100 and t['learning_rate'] == 5e-5"

# The average of the proximal point follows within the run, unless the paper is asked for.
train --output proximal --method ce --epochs 1 --proximal momentum
kept proximal "c['proximal-momentum'] == 0.9 and c['proximal-early-momentum'] == 0.9"
train --output proximal_paper --method ce --epochs 1 --proximal momentum --recipe paper
kept proximal_paper "c['proximal-momentum'] == 0.999 and c['proximal-early-momentum'] == 0.99"

train --output ce --method ce --epochs 1
kept ce "'lambda' not in c and c['head-learning-rate'] == 1e-3 and c['neighbors'] == 4"

expect_code 2 "$KNNBERT" train --encoder "$ENCODER" --train train.tsv --output never --recipe best
[ ! -e never ] || wrong "bad usage left a folder"

# Copies with other words: as many steps in fewer epochs, the texts themselves in the datastore.
printf '{"key": ["latch"], "water": ["liquid"], "kitchen": ["scullery"]}' >synonyms.json
printf '1-n\tn\tnoun.x\tpipe|tube\n' >wordnet.tsv
printf 'kitchen\n' >stop.txt
train --output augmented --augment 3 --synonyms synonyms.json --wordnet wordnet.tsv --stop-words stop.txt --epochs 1 --batch-size 4
expect_text out "8 steps of 4 examples"
[ "$(wc -l <augmented/metrics.jsonl)" -ge 1 ] || wrong "metrics expected"
printf '{"key": ["latch"], "water": ["fluid"]}' >others.json
again() { # TEXT OPTION...: the copies are what differs, not the file they were made of
  text=$1
  shift
  expect_code 1 "$KNNBERT" train --threads 1 --encoder "$ENCODER" --train train.tsv --output augmented --wordnet wordnet.tsv --stop-words stop.txt \
    --epochs 1 --batch-size 4 --resume "$@"
  expect_text err "$text"
  grep -F "another --train" err && wrong "the training file is the same"
}
again "another --synonyms there" --augment 3 --synonyms others.json
again "--augment 3 there, 2 here" --augment 2 --synonyms synonyms.json
"$KNNBERT" predict --model augmented --neighbors 8 train.tsv >predicted 2>err || { cat err; wrong "predict failed"; }
! grep -qE "latch|liquid|scullery|tube" predicted || wrong "copies in the datastore: $(cat predicted)"

# predict --smooth: the mean over copies. Copies of which no word is replaced give what the text itself does.
cut -f1 train.tsv >texts.txt
"$KNNBERT" predict --model augmented texts.txt >plain || wrong "predict failed"
"$KNNBERT" predict --model augmented --smooth 3 --smooth-words 0 --smooth-synonyms synonyms.json texts.txt >same || wrong "predict --smooth failed"
"$KNNBERT" predict --model augmented --smooth 3 --smooth-words 1 --smooth-synonyms synonyms.json --smooth-wordnet wordnet.tsv texts.txt >other ||
  wrong "predict --smooth failed"
"$PYTHON" - plain same other <<'EOF' || wrong "the same distributions without replaced words, others with them, expected"
import json, sys
plain, same, other = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
far = lambda a, b: max(abs(a[p][c] - b[p][c]) for p in ("knn", "head", "combined") for c in a[p])
assert len(plain) == len(same) == len(other) == 8
for p, s, o in zip(plain, same, other):
    assert far(p, s) < 1e-4 and p["label"] == s["label"] and p["neighbors"] == s["neighbors"] == o["neighbors"], (p, s)
    assert "certified_edits" in p and "certified_edits" not in s
    assert abs(sum(o["combined"].values()) - 1) < 1e-4 and o["label"] == max(o["combined"], key=o["combined"].get)
assert max(far(p, o) for p, o in zip(plain, other)) > 1e-3
EOF

# eval --smooth: the same answers, counted; what belongs to a text itself is not told, and not asked for.
smooth="--smooth 3 --smooth-words 1 --smooth-synonyms synonyms.json --smooth-wordnet wordnet.tsv"
"$KNNBERT" eval --model augmented --data train.tsv $smooth --json >counted || wrong "eval --smooth failed"
"$KNNBERT" predict --model augmented $smooth --input texts.txt >again && cmp other again || wrong "predict --input: as a text file without it"
"$PYTHON" - other counted train.tsv <<'EOF' || wrong "the accuracy of the smoothed answers expected"
import json, sys
answers, counted = ([json.loads(line) for line in open(name)] for name in sys.argv[1:3])
gold = [line.rstrip("\n").split("\t")[1] for line in open(sys.argv[3])]
for name in ("knn", "head", "combined"):
    right = sum(max(a[name], key=a[name].get) == label for a, label in zip(answers, gold, strict=True))
    assert abs(counted[0]["accuracy"][name] - right / len(gold)) < 1e-9, (name, counted[0]["accuracy"], right)
assert "certified_accuracy" not in counted[0]
EOF
expect_code 2 "$KNNBERT" eval --model augmented --data train.tsv $smooth --out-of-scope-label oos
expect_text err "--out-of-scope-label: given with --smooth"
expect_code 2 "$KNNBERT" eval --model augmented --model augmented --data train.tsv $smooth
expect_text err "--smooth: 2 models given"
expect_code 2 "$KNNBERT" eval --model augmented --data train.tsv --smooth-words 0.3 --smooth-wordnet wordnet.tsv
expect_text err "without --smooth"
expect_code 2 "$KNNBERT" predict --model augmented --smooth 2 texts.txt
expect_text err "--smooth-synonyms or --smooth-wordnet expected"
expect_code 2 "$KNNBERT" train --encoder "$ENCODER" --train train.tsv --output never --augment 2
expect_text err "--synonyms or --wordnet expected"
expect_code 2 "$KNNBERT" train --encoder "$ENCODER" --train train.tsv --output never --synonyms synonyms.json
expect_text err "without --augment"
expect_code 2 "$KNNBERT" train --encoder "$ENCODER" --train train.tsv --output never --augment 2 --synonyms synonyms.json --augment-words 0
expect_text err "--augment-words 0: more than 0 expected"
[ ! -e never ] || wrong "bad usage left a folder"

# Layers that are frozen: the saved encoder has the values that it started from.
train --output frozen --frozen-layers 1 --epochs 1
"$PYTHON" - "$ENCODER" frozen <<'EOF' || wrong "the embedding and the first block as they were, and nothing else, expected"
import sys
from safetensors.numpy import load_file
before, after = ({k.removeprefix("bert."): v for k, v in load_file(f"{d}/model.safetensors").items()} for d in sys.argv[1:])
for name in set(before) & set(after):
    if name.startswith("pooler") or "position_ids" in name:
        continue
    assert (before[name] == after[name]).all() == name.startswith(("embeddings.", "encoder.layer.0.")), name
EOF
kept frozen "str(t['options']['frozen-layers']) == '1'"
expect_code 2 "$KNNBERT" train --encoder "$ENCODER" --train train.tsv --output never --frozen-layers 99
expect_text err "--frozen-layers: 99 given, at most 6 expected"
[ ! -e never ] || wrong "bad usage left a folder"

# --pretrained-weight: the saved encoder lies between the pretrained one and the trained one.
train --output trained --epochs 1
train --output between --epochs 1 --pretrained-weight 0.25
"$PYTHON" - "$ENCODER" trained between <<'EOF' || wrong "a quarter of the pretrained values expected"
import sys
import numpy as np
from safetensors.numpy import load_file
before, trained, between = ({k.removeprefix("bert."): v for k, v in load_file(f"{d}/model.safetensors").items()} for d in sys.argv[1:])
name = "encoder.layer.5.output.dense.weight"
assert np.abs(trained[name] - before[name]).max() > 1e-5
assert np.abs(between[name] - (0.75 * trained[name] + 0.25 * before[name])).max() < 1e-6
heads = [load_file(f"{d}/knnbert.safetensors") for d in sys.argv[2:]]
for name in heads[0]:
    assert (np.abs(heads[0][name] - heads[1][name]).max() > 1e-4) == name.startswith("classifier."), name
EOF
"$KNNBERT" eval --model between --data train.tsv >out 2>err || { cat err; wrong "eval of the model between failed"; }

# Without any epoch that is a linear probe: the pretrained encoder and a head that was fitted to it.
train --output probe --epochs 0 --pretrained-weight 1
"$KNNBERT" eval --model probe --data train.tsv --json >out 2>err || { cat err; wrong "eval of a probe failed"; }
"$PYTHON" - "$ENCODER" probe <<'EOF' || wrong "the pretrained encoder with a head that fits it expected: $(cat out)"
import json, sys
from safetensors.numpy import load_file
assert json.load(open("out"))["accuracy"]["head"] == 1
before, after = ({k.removeprefix("bert."): v for k, v in load_file(f"{d}/model.safetensors").items()} for d in sys.argv[1:])
assert all((before[name] == after[name]).all() for name in set(before) & set(after) if "position_ids" not in name)
EOF
expect_code 2 "$KNNBERT" train --encoder "$ENCODER" --train train.tsv --output never --pretrained-weight 0.5 --store queue
expect_text err "--store queue"
[ ! -e never ] || wrong "bad usage left a folder"
