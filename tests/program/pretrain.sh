# pretrain: an encoder of random weights learns a tiny language, is trained on, is interrupted; bad input is refused.
. "$(dirname "$0")/common.sh"

"$PYTHON" - <<'PYTHON'
import gzip, random
draw = random.Random(1)
words = {"who": ["anna", "bert", "carla"], "does": ["sees", "paints", "sells"], "what": ["houses", "boats", "trees"]}
open("vocab.txt", "w").write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "##s"] + sum(words.values(), [])) + "\n")
def document():
    place = draw.randrange(3)  # who, does and what go together
    return "\n".join(" ".join(words[kind][place] for kind in words) + " ." for _ in range(4))
open("a.txt", "w").write("\n\n".join(document() + " " + draw.choice(words["who"]) for _ in range(300)) + "\n")
gzip.open("b.txt.gz", "wt").write("\n\n".join(document() for _ in range(20)) + "\n")
PYTHON

score() { # FILE EXPRESSION: pretraining.json as `p`
  "$PYTHON" -c "import json, sys; p = json.load(open(sys.argv[1])); sys.exit(not ($2))" "$1" || wrong "$1: $2 expected: $(cat "$1")"
}

pretrain() { "$KNNBERT" pretrain --threads 1 "$@"; }
fresh="--vocabulary vocab.txt --layers 1 --hidden 32 --heads 2 --max-length 20 --held-out 5"
expect_code 0 pretrain $fresh --train a.txt --train b.txt.gz --output lm --epochs 12 --batch-size 8 --learning-rate 5e-3
expect_text out "documents: "
expect_text out "pieces a second"
expect_text out "held out: loss"
score lm/pretraining.json "p['held_out']['accuracy'] > 0.6 and p['held_out']['accuracy_at_5'] > 0.8 and p['corpus']['held_out_documents'] > 0"
score lm/pretraining.json "p['held_out']['mask_seed'] == 1"
expect_text err "vocab.txt: no entry has capitals: texts are put in lower case, as --lower-case yes asks for"
score lm/tokenizer_config.json "p['do_lower_case'] and p['model_max_length'] == 512"
score lm/config.json "p['architectures'] == ['BertForMaskedLM'] and p['hidden_size'] == 32"

# What was written is where the next run starts, with its head; the same command gives the same model.
expect_code 0 pretrain --encoder lm --train b.txt.gz --max-length 20 --held-out 0 --output more --steps 2 --head-only-steps 2 --mask-unit word --json
expect_text out '"pieces_per_second"'
score more/pretraining.json "p['steps'] == 4 and 'held_out' not in p"
expect_code 0 pretrain --encoder lm --train b.txt.gz --max-length 20 --held-out 0 --output again --steps 2 --head-only-steps 2 --mask-unit word
cmp more/model.safetensors again/model.safetensors || wrong "the same bits expected"

# A vocabulary with capitals keeps those of texts, unless it is told otherwise.
{ cat vocab.txt; echo Anna; } >cased.txt
for lower in "" "--lower-case no" "--lower-case yes"; do
  rm -rf cased
  expect_code 0 pretrain --vocabulary cased.txt --layers 1 --hidden 32 --heads 2 --max-length 20 --train b.txt.gz --output cased --steps 1 $lower
  [ -n "$lower" ] || expect_text err "cased.txt: entry 'Anna' has capitals: texts are not put in lower case"
  score cased/tokenizer_config.json "p['do_lower_case'] == $([ "$lower" = "--lower-case yes" ] && echo True || echo False)"
done
expect_code 2 pretrain --encoder lm --lower-case yes --train b.txt.gz --output never
expect_text err "--lower-case: yes given"

# A rate that makes numbers infinite is told, and no model is written.
for steps in 4 40; do
  expect_code 1 pretrain $fresh --train a.txt --output diverged --steps $steps --learning-rate 1e30
  expect_text err "learning"
  [ ! -f diverged/model.safetensors ] || wrong "a model that diverged was written"
  grep -i nan out && wrong "a number expected"
done
expect_text err "a smaller --learning-rate than 1e+30 expected"

# A signal ends the run behind its step, and what it has is saved.
"$KNNBERT" pretrain --threads 1 $fresh --train a.txt --output stopped --steps 1000000 >out 2>err &
run=$!
until grep -q "documents: " out; do kill -0 $run || wrong "$(cat err)"; sleep 0.1; done
sleep 0.5
kill -TERM $run
code=0
wait $run || code=$?
[ $code -eq 143 ] || { cat err; wrong "exit code $code, 143 expected"; }
expect_text err "stopped after step"
score stopped/pretraining.json "p['interrupted'] and p['steps'] > 0"
[ -f stopped/model.safetensors ] || wrong "a model expected"

# Stopped and resumed it is the same model; a run that is complete, another one and none at all are told.
run="$fresh --train a.txt --epochs 3 --batch-size 4 --head-only-steps 5"
expect_code 0 pretrain $run --output whole
"$KNNBERT" pretrain --threads 1 $run --output parted --checkpoint-every 3 >out 2>err &
run_id=$!
until [ -d parted/checkpoint-6 ] || [ -d parted/checkpoint-9 ] || ! kill -0 $run_id 2>err2; do sleep 0.01; done
kill -TERM $run_id 2>err2 || true
code=0
wait $run_id || code=$?
if [ $code -eq 143 ]; then
  expect_code 1 pretrain $run --output parted --resume --learning-rate 3e-3
  expect_text err "--learning-rate"
  expect_code 0 pretrain $run --output parted --resume
fi
cmp whole/model.safetensors parted/model.safetensors || wrong "the same bits expected after a resume"
[ -z "$(find parted -name 'checkpoint-*')" ] || wrong "a checkpoint of a complete run is left"
expect_code 0 pretrain $run --output parted --resume
expect_text err "nothing to do: the run is complete"
for other in "--heads 4" "--seed 5" "--hidden 16" "--vocabulary cased.txt"; do # no --encoder was given
  expect_code 1 pretrain $(echo "--seed 42 $run" | sed "s/${other% *} [^ ]*/$other/") --output parted --resume
  expect_text err "the run that is complete there is another one"
  expect_text err " ${other% *} "
  grep -F -e --encoder err && wrong "an option that was not given is named"
done
expect_code 1 pretrain $run --output nothing --resume
expect_text err "no checkpoint in nothing"

expect_code 2 pretrain --train a.txt --output never
expect_text err "--encoder, --vocabulary, --tokenizer: none given"
expect_code 2 pretrain $fresh --device cuda --train a.txt --output never
expect_text err "--device: cpu expected"
printf 'no special tokens\nJ\033[31m\n' >bare.txt
expect_code 1 pretrain --vocabulary bare.txt --layers 1 --hidden 32 --heads 2 --train a.txt --output never
expect_text err "bare.txt: "
grep -q "$(printf '\033')" err && wrong "an escape sequence went to the terminal"
grep -v MASK vocab.txt >maskless.txt
expect_code 1 pretrain --vocabulary maskless.txt --layers 1 --hidden 32 --heads 2 --train a.txt --output never
expect_text err "maskless.txt: a vocabulary without mask token given"
grep -v '##' vocab.txt >whole.txt
expect_code 2 pretrain --vocabulary whole.txt --layers 1 --hidden 32 --heads 2 --mask-unit word --train a.txt --output never
expect_text err "knnbert: --mask-unit: words given"
expect_code 2 pretrain --vocabulary vocab.txt --layers 1 --hidden 32 --heads 3 --train a.txt --output never
expect_text err "knnbert: --heads: 3 given, a divisor of hidden_size 32 expected"
expect_code 2 pretrain $fresh --mask-probability 0 --train a.txt --output never
expect_code 1 pretrain $fresh --train missing.txt --output never
expect_text err "missing.txt"
: >empty.txt
expect_code 1 pretrain $fresh --train empty.txt --output never
expect_text err "no document"
if command -v xz >/dev/null; then
  xz -k a.txt
  if pretrain $fresh --train a.txt.xz --output packed --steps 1 >out 2>err; then
    head -n 1 out >packed.first
    pretrain $fresh --train a.txt --output plain --steps 1 | head -n 1 | cmp - packed.first || wrong "the same corpus expected"
    head -c 200 a.txt.xz >short.txt.xz
    expect_code 1 pretrain $fresh --train short.txt.xz --output never
    expect_text err "ends early"
  else
    expect_text err "liblzma"
  fi
fi

# What is no UTF-8 is told, once a file.
{ cat a.txt; printf 'caf\351\n\nth\351\n'; } >broken.txt
expect_code 0 pretrain $fresh --train broken.txt --output broken --steps 1
expect_text err "broken.txt: malformed UTF-8, read as U+FFFD"
[ "$(grep -c malformed err)" -eq 1 ] || wrong "one warning expected: $(cat err)"

# A table is plain text too, which is told.
cp a.txt texts.tsv
expect_code 0 pretrain $fresh --train texts.tsv --output columns --steps 1
expect_text err "texts.tsv: read as plain text, whatever the name says"
