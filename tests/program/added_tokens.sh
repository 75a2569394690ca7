# Added tokens of a tokenizer: ordinary ones are found by every verb, special ones in a text are text.
. "$(dirname "$0")/common.sh"
need_encoder

cp -rL "$ENCODER" e && chmod -R u+w e
"$PYTHON" - <<'P'
import json
path = "e/tokenizer.json"
content = json.load(open(path))
vocabulary = content["model"]["vocab"]
flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
for place, (name, more) in enumerate({"ZX81": {}, "foo_bar": {"normalized": True}, "<left>": {"lstrip": True}, "cat": {"single_word": True}, "<spc>": {"special": True}}.items()):
    vocabulary = {token: number for token, number in vocabulary.items() if number != 6 + place}
    vocabulary[name] = 6 + place
    content["added_tokens"].append({**flags, **more, "content": name, "id": 6 + place})
content["model"]["vocab"] = vocabulary
json.dump(content, open(path, "w"))
P
ids() { printf '%s\n' "$2" | "$KNNBERT" tokenize --model "$1" $3; }
# Ids of tokenizers 0.23, encode_special_tokens=True.
expect_ids() {
  got=$(ids "$1" "$2" $4)
  [ "$got" = "$3" ] || wrong "ids $got of '$2' in $1, $3 expected"
}
check() {
  expect_ids "$1" "my ZX81 is gone" "101 2026 6 2003 2908 102"
  expect_ids "$1" "FOO_bar" "101 7 102"
  expect_ids "$1" "is  <left> gone" "101 2003 8 2908 102"
  expect_ids "$1" "[CLS]" "101 1031 18856 2015 1033 102"
  expect_ids "$1" "[CLS] is" "101 101 2003 102" --match-special-tokens
  expect_ids "$1" "<spc>" "101 10 102" --match-special-tokens
  expect_ids "$1" "a cat" "101 1037 9 102"
  [ "$(ids "$1" "a cats")" = "101 1037 9 1055 102" ] && wrong "a single word is found inside another"
  [ "$(ids "$1" "<spc>")" = "101 10 102" ] && wrong "a special token is found in a text"
  return 0
}
check e

printf 'my ZX81 is gone\tx\nhello\ty\n' >t.tsv
printf 'my ZX81 is gone\n' >with.txt
"$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder e --train t.tsv --output m >/dev/null 2>err || wrong "training failed"
check m
expect_code 0 "$KNNBERT" predict --model m --threads 1 with.txt
expect_text out '"similarity":1'
for place in e m; do
  expect_code 0 "$KNNBERT" embed --model $place --input with.txt --output $place.npy --threads 1
done
cmp -s e.npy m.npy || wrong "embed differs between the encoder and the model"
expect_code 0 "$KNNBERT" embed --model "$ENCODER" --input with.txt --output plain.npy --threads 1
cmp -s e.npy plain.npy && wrong "embed does not see the added token"

# A token beyond the embedding table.
"$PYTHON" - <<'P'
import json
content = json.load(open("e/tokenizer.json"))
content["added_tokens"].append(dict(id=30522, content="beyond_all", single_word=False, lstrip=False, rstrip=False, normalized=True, special=False))
json.dump(content, open("e/tokenizer.json", "w"))
P
expect_code 1 "$KNNBERT" embed --model e --input with.txt --output e.npy --threads 1
expect_text err "e: a tokenizer of 30523 tokens given"
expect_code 1 "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder e --train t.tsv --output m2
expect_text err "a tokenizer of 30523 tokens given"
