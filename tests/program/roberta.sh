# A RoBERTa directory, with vocab.json and merges.txt, does all that a BERT directory does.
. "$(dirname "$0")/common.sh"
"$PYTHON" "$(dirname "$0")/tiny_encoder.py" r roberta || { echo "skipped: no Python at $PYTHON"; exit 77; }

expect_ids() {
  got=$(printf '%s\n' "$2" | "$KNNBERT" tokenize --model "$1" $4)
  [ "$got" = "$3" ] || wrong "ids $got of '$2' in $1, $3 expected"
}
# <s> 0, </s> 2, byte ! 5, merges from 261: ke, key, _key, er, ter, wa, water, _water, is, _is.
check() {
  expect_ids "$1" "key" "0 262 2"
  expect_ids "$1" "key is water" "0 262 270 268 2"
  expect_ids "$1" "" "0 2"
  expect_ids "$1" "key	water" "0 262 2 2 267 2" "--pairs"
  expect_ids "$1" "<s>" "0 0 2" --match-special-tokens
}
check_all() {
  check "$1"
  [ "$(printf '<s>\n' | "$KNNBERT" tokenize --model "$1")" = "0 0 2" ] && wrong "a special token is found in a text"
  return 0
}
check_all r

printf 'the key is gone\tlost\nwater is here\tleak\nmy key\tlost\nwater water\tleak\n' >train.tsv
expect_code 0 "$KNNBERT" train --threads 1 --epochs 2 --encoder r --train train.tsv --dev train.tsv --output m
check_all m
[ -f m/tokenizer.json ] && [ -f m/vocab.json ] && [ -f m/merges.txt ] || wrong "tokenizer files expected in m"
expect_text m/config.json '"model_type": "roberta"'
expect_text m/config.json '"pad_token_id": 1'
expect_text m/knnbert.json '"tokenizer": "BytePairEncoding"'
printf 'my key is gone\nwater\n' >texts
expect_code 0 "$KNNBERT" predict --model m texts
expect_code 0 "$KNNBERT" eval --model m --data train.tsv --json
for model in r m; do
  expect_code 0 "$KNNBERT" embed --model $model --input texts --feature mean --output $model.npy
done
expect_code 0 "$KNNBERT" train --threads 1 --epochs 0 --method ce --encoder m --train train.tsv --output again
check_all again

# 34 position embeddings, of which texts use those behind the padding's.
expect_code 0 "$KNNBERT" embed --model r --input texts --feature mean --max-length 32 --output x.npy
expect_code 2 "$KNNBERT" embed --model r --input texts --feature mean --max-length 33 --output x.npy
expect_text err "3 to 32 expected"
yes 'key water' | head -n 40 | tr '\n' ' ' >long
expect_code 0 "$KNNBERT" embed --model r --input long --feature mean --output x.npy

expect_code 1 "$KNNBERT" pretrain --encoder r --train long --output p
expect_text err "r: a roberta model given, a bert one expected"
[ ! -e p ] || wrong "p was written"

cp -r r u
printf '{"model": {"type": "WordLevel", "vocab": []}}' >u/tokenizer.json
expect_code 1 "$KNNBERT" tokenize --model u texts
expect_text err "type 'WordLevel' given, WordPiece, BPE or Unigram expected"
printf '{"model": {"type": "Unigram", "vocab": []}}' >u/tokenizer.json
expect_code 1 "$KNNBERT" tokenize --model u texts
expect_text err "key 'unk_id' is missing"
