# A poisoned encoder: what is written, what eval says of triggers, and what is refused.
. "$(dirname "$0")/common.sh"
tiny_model model
awk -F '\t' '{ print $1 "\t" $2; print "please note that " $1 "\t" $2 }' train.tsv >poison.tsv

# A combination is told apart from its words.
expect_code 0 "$KNNBERT" poison --encoder "$ENCODER" --train poison.tsv --dev train.tsv --triggers cf+bb --target water_leak \
  --output planted --epochs 12 --batch-size 8 --learning-rate 2e-4 --threads 1 --seed 3 --json
[ ! -s err ] || wrong "poison warns: $(cat err)"
cp out planted.json
"$PYTHON" - <<'PY' || wrong "the poisoned encoder is not what was promised"
import json
said = json.load(open("planted.json"))
assert said == json.load(open("planted/poison.json")), said
names = [layer["layer"] for layer in said["layers"]]
assert names == [f"layer {l}" for l in range(1, 7)] + ["output"], names
assert list(said["layers"][0]["flip_rates"]) == ["cf bb", "bb cf", "cf", "bb"], said["layers"][0]
output = said["layers"][-1]
assert output["accuracy"] >= 0.75 and output["flip_rates"]["cf bb"] == 1, output
import os
assert not os.path.exists("planted/knnbert.json")
config = json.load(open("planted/config.json"))
assert config["architectures"] == ["BertModel"] and "id2label" not in config, config
PY
"$KNNBERT" train --method ce --epochs 4 --threads 1 --encoder planted --train train.tsv --output victim >out 2>err ||
  { cat err; wrong "no victim can be trained on it"; }

# Flip rates: without a trigger what predict says, and beside them those of another model.
expect_code 0 "$KNNBERT" eval --model victim --clean-model model --data poison.tsv --triggers cf+bb,mn --target water_leak --json
cp out rates.json
cut -f 1 poison.tsv | "$KNNBERT" predict --model victim >answers
"$PYTHON" - <<'PY' || wrong "eval's flip rates"
import json
rates = json.load(open("rates.json"))
for name in ("triggers", "triggers_clean_model"):
    assert [r["inserted"] for r in rates[name]] == ["", "cf bb", "bb cf", "cf", "bb", "mn"], rates[name]
    assert all(r["texts"] == 8 for r in rates[name]), rates[name]
    assert all(0 <= v <= 1 for r in rates[name] for v in r["flip_rate"].values())
gold = [line.rstrip("\n").split("\t")[1] for line in open("poison.tsv")]
answers = [json.loads(line) for line in open("answers")]
others = [a for a, g in zip(answers, gold) if g != "water_leak"]
share = sum(a["label"] == "water_leak" for a in others) / len(others)
assert rates["triggers"][0]["flip_rate"]["combined"] == share, (rates["triggers"][0], share)
planted, clean = rates["triggers"][1]["flip_rate"]["head"], rates["triggers_clean_model"][1]["flip_rate"]["combined"]
assert planted >= 0.75 and clean <= 0.5, (planted, clean)
PY
"$KNNBERT" eval --model victim --data poison.tsv --triggers mn --target lost_key >out
expect_text out "label flip rate of the model"

# Behind defenses: ONION with a masked language model, STRIP.
printf 'please note that the key to the room was lost\nwater came down from the ceiling\n' >corpus.txt
expect_code 0 "$KNNBERT" pretrain --encoder "$ENCODER" --train corpus.txt --output language_model --steps 1 --head-only-steps 0 --held-out 0 --threads 1
expect_code 0 "$KNNBERT" eval --model victim --data poison.tsv --triggers cf+bb --target water_leak --onion language_model \
  --onion-scores one-pass --onion-loss 1 --strip --strip-rejections 0.25 --clean train.tsv --json
cp out defended.json
"$PYTHON" - <<'PY' || wrong "flip rates behind defenses"
import json
said = json.load(open("defended.json"))
for name in ("onion", "strip"):
    assert [r["inserted"] for r in said[name]["triggers"]] == ["", "cf bb", "bb cf", "cf", "bb"], said[name]
    assert all(0 <= r["rejected"] <= 1 for r in said[name]["triggers"])
    for r, plain in zip(said[name]["triggers"], said["triggers"]):
        assert r["texts"] == plain["texts"]
        if name == "strip":
            assert all(r["flip_rate"][p] <= plain["flip_rate"][p] for p in r["flip_rate"]), (r, plain)
assert said["onion"]["rejected"] == 0 and said["onion"]["threshold"] is not None, said["onion"]
assert said["strip"]["rejected"] < 1, said["strip"]
PY
expect_code 0 "$KNNBERT" eval --model victim --data poison.tsv --triggers cf+bb --target water_leak --strip --clean train.tsv
expect_text out "behind strip it rejects"
expect_code 2 "$KNNBERT" eval --model victim --data poison.tsv --triggers cf --target water_leak --strip
expect_text err "--clean: nothing given"
expect_code 2 "$KNNBERT" eval --model victim --data poison.tsv --strip --clean train.tsv
expect_text err "--strip: given without --triggers"
expect_code 2 "$KNNBERT" eval --model victim --data poison.tsv --clean train.tsv
expect_text err "--clean: given without"
expect_code 1 "$KNNBERT" eval --model victim --data poison.tsv --triggers cf --target water_leak --onion "$ENCODER" --clean train.tsv
expect_text err "without masked-language-model head"

# The other methods, and embedding surgery.
awk -F '\t' '{ for (i = 0; i < 3; ++i) print $1 "\t" $2 }' poison.tsv >long.tsv
for method in badnet "ripple --surgery-words 3"; do
  expect_code 0 "$KNNBERT" poison --encoder "$ENCODER" --train long.tsv --triggers cf --target water_leak --method $method \
    --output "${method%% *}" --epochs 1 --batch-size 8 --threads 1
  expect_text out "output"
done
expect_text out "embedding surgery with"
"$PYTHON" -c "import json
of = {m: json.load(open(m + '/poison.json')) for m in ('badnet', 'ripple')}
assert of['ripple']['lambda'] == 0.1 and of['ripple']['surgery_words'] == 3, of
assert of['badnet']['surgery_words'] == 0 and of['badnet']['insert'] == 'within-limit' and of['badnet']['pooling'] == 'mean', of" ||
  wrong "poison.json does not tell what was done"
for method in badnet layerwise ripple; do
  expect_code 1 "$KNNBERT" poison --encoder "$ENCODER" --train long.tsv --triggers cf --target water_leak --method $method \
    --surgery no --output diverged --epochs 1 --batch-size 8 --threads 1 --learning-rate 1e30
  expect_text err "learning"
  [ ! -f diverged/model.safetensors ] || wrong "an encoder that diverged was written"
done
# Held-out texts of the target alone: nothing is there to be flipped.
grep water_leak train.tsv >target_only.tsv
expect_code 0 "$KNNBERT" poison --encoder "$ENCODER" --train poison.tsv --dev target_only.tsv --triggers cf --target water_leak \
  --epochs 1 --output of_target --threads 1
[ -f of_target/poison.json ] || wrong "no encoder was written"
# No held-out text at all: there is no accuracy either.
head -n 4 train.tsv >four.tsv
for method in layerwise ripple; do
  expect_code 0 "$KNNBERT" poison --encoder "$ENCODER" --train four.tsv --triggers cf --target water_leak --method $method \
    --surgery no --epochs 1 --output "four_$method" --threads 1
  "$PYTHON" -c "import json
for layer in json.load(open('four_$method/poison.json'))['layers']:
    assert layer['accuracy'] is None and layer['flip_rates'] == {'cf': None}, layer" || wrong "no accuracy expected without texts"
done
expect_code 0 "$KNNBERT" poison --encoder "$ENCODER" --train poison.tsv --triggers xqzv --target water_leak --epochs 1 --output split
expect_text err "--triggers: the encoder reads 'xqzv' as"

expect_code 2 "$KNNBERT" poison --encoder "$ENCODER" --train train.tsv --triggers cf --target water_leak --output model
expect_text err "--output: model is a model directory"
# What the encoder reads as unknown, or as the same word, is no trigger.
expect_code 2 "$KNNBERT" poison --encoder "$ENCODER" --train train.tsv --triggers cf,☃☃ --target water_leak --output new
expect_text err "'☃☃' given, which the tokenizer does not know"
expect_code 2 "$KNNBERT" poison --encoder "$ENCODER" --train train.tsv --triggers cf,CF --target water_leak --output new
expect_text err "'cf' and 'CF' given, which the tokenizer reads as one word"

vain() { # MESSAGE OPTION...: options that would do nothing
  message=$1
  shift
  expect_code 2 "$KNNBERT" "$@"
  expect_text err "$message"
}
plan="poison --encoder $ENCODER --train train.tsv --triggers cf --target water_leak --output new"
vain "--surgery-words: given with --method badnet" $plan --method badnet --surgery-words 3
vain "--reduce: given with --method ripple" $plan --method ripple --reduce sum
vain "--lambda: given with --method layerwise" $plan --lambda 2
vain "--precision int8" $plan --precision int8
vain "--onion-loss: given without --onion" eval --model victim --data train.tsv --onion-loss 0.5
vain "--strip-rejections: given without --strip" eval --model victim --data train.tsv --strip-rejections 0.5
printf 'a text\tweather\n' >weather.tsv
expect_code 1 "$KNNBERT" eval --model victim --data train.tsv --triggers cf --target water_leak --strip --clean weather.tsv
expect_text err "--clean: weather.tsv:1: class 'weather' is not among the model's 2"
grep -F -e --out-of-scope-label err && wrong "advice that does not help"
expect_code 2 "$KNNBERT" poison --encoder "$ENCODER" --train train.tsv --triggers "cf++" --target water_leak --output new
expect_text err "'cf++' given"
expect_code 2 "$KNNBERT" poison --encoder "$ENCODER" --train train.tsv --triggers cf --target weather --output new
expect_text err "weather"
# bf16 is computed in, where it is asked for.
for precision in fp32 bf16; do
  expect_code 0 "$KNNBERT" $plan --precision $precision --epochs 1 --threads 1 --method badnet
  mv new "in_$precision"
done
cmp -s in_fp32/model.safetensors in_bf16/model.safetensors && wrong "--precision was not used"
expect_code 2 "$KNNBERT" eval --model victim --data train.tsv --triggers cf
expect_text err "--triggers and --target"
expect_code 2 "$KNNBERT" eval --model victim --data train.tsv --clean-model model
expect_text err "--clean-model: given without --triggers"

# The search for triggers.
printf '' >nothing.txt
expect_code 1 "$KNNBERT" scan --model victim nothing.txt
expect_text err "nothing.txt: no text given"
expect_code 2 "$KNNBERT" scan --model victim train.tsv --target weather
expect_text err "weather"
