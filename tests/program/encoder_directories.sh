# Directories of encoders as they are found: settings of sentence-transformers, and what is refused, with the reason.
. "$(dirname "$0")/common.sh"
need_encoder

printf 'hello there\nwhere is my new card\n' >texts.txt
printf 'a\tx\nb\ty\n' >train.tsv

# set_key FILE KEY VALUE: sets a key of a JSON file, null to remove it.
set_key() {
  "$PYTHON" - "$@" <<'P'
import json, sys
path, key, value = sys.argv[1:]
content = json.load(open(path))
content[key] = json.loads(value)
if content[key] is None: del content[key]
json.dump(content, open(path, "w"))
P
}
copy() { rm -rf e && cp -rL "$ENCODER" e && chmod -R u+w e; }
embed() { "$KNNBERT" embed --model e --input texts.txt --output x.npy --threads 1 "$@"; }
train() { "$KNNBERT" train --method ce --epochs 0 --threads 1 --encoder e --train train.tsv --output m "$@"; }
# refused TEXT: embed and train fail, name the reason and leave nothing.
refused() {
  rm -rf x.npy m
  expect_code 1 embed
  expect_text err "$1"
  [ -e x.npy ] && wrong "x.npy written"
  expect_code 1 train
  expect_text err "$1"
  return 0
}
numbers() { "$PYTHON" -c "import struct,sys; b=open('$1','rb').read(); n=len(b)-2*384*4; r=struct.unpack('<384f', b[n:n+1536]); print(round(sum(v*v for v in r)**0.5, 4))"; }

# The directory's embedding is normalized; one that is asked for is what the encoder computes.
copy
expect_code 0 embed
[ "$(numbers x.npy)" = 1.0 ] || wrong "length $(numbers x.npy) of an embedding, 1.0 expected"
cp x.npy own.npy
expect_code 0 embed --feature mean
[ "$(numbers x.npy)" = 1.0 ] && wrong "--feature mean is normalized"
expect_code 0 embed --feature mean --normalize yes
cmp -s x.npy own.npy || wrong "--feature mean --normalize yes differs from the directory's embedding"
expect_code 0 embed --normalize no
[ "$(numbers x.npy)" = 1.0 ] && wrong "--normalize no is normalized"

# Pooling and length, in both spellings; what is asked for wins.
expect_code 0 train
expect_text m/knnbert.json '"pooling": "mean"'
expect_text m/knnbert.json '"max_length": 256'
expect_text m/sentence_bert_config.json '"max_seq_length": 256'
for spelling in '{"pooling_mode": "cls"}' '{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}'; do
  echo "$spelling" >e/1_Pooling/config.json
  rm -rf m
  expect_code 0 train
  expect_text m/knnbert.json '"pooling": "cls"'
  expect_code 0 embed
  cp x.npy own.npy
  expect_code 0 embed --feature cls --normalize yes
  cmp -s x.npy own.npy || wrong "the embedding of a cls directory is not that of its first token"
done
expect_code 0 "$KNNBERT" embed --model m --input texts.txt --output x.npy --threads 1
cmp -s x.npy own.npy || wrong "the model directory's embedding is not its encoder's"
rm e/sentence_bert_config.json
set_key e/tokenizer_config.json model_max_length 100
rm -rf m
expect_code 0 train --pooling mean
expect_text m/knnbert.json '"pooling": "mean"'
expect_text m/knnbert.json '"max_length": 100'
rm -rf e/modules.json m
expect_code 0 train
expect_text m/knnbert.json '"max_length": 128'
copy
echo '{"pooling_mode": "max"}' >e/1_Pooling/config.json
refused 'e/1_Pooling/config.json: pooling max given, cls or mean expected'
expect_code 0 embed --feature mean
expect_code 0 train --pooling cls

# Rows of a model directory are in the precision that it was saved in, unless another is asked for.
copy
for precision in bf16 int8; do
  rm -rf m
  expect_code 0 train --precision $precision
  expect_code 0 "$KNNBERT" embed --model m --input texts.txt --output x.npy --threads 1 --precision fp32
  expect_code 0 "$KNNBERT" embed --model m --input texts.txt --output own.npy --threads 1 --precision $precision
  cmp -s x.npy own.npy && wrong "rows in $precision are those in fp32"
  expect_code 0 "$KNNBERT" embed --model m --input texts.txt --output x.npy --threads 1
  cmp -s x.npy own.npy || wrong "rows are not in the precision of the model, $precision"
done
rm -rf m

# The default prompt stands before every text of a directory's own embedding; a switch leaves it out.
copy
expect_code 0 embed
cp x.npy plain.npy
cp texts.txt bare.txt
sed 's/^/query: /' bare.txt >texts.txt
expect_code 0 embed
cp x.npy own.npy
cp bare.txt texts.txt
echo '{"prompts": {"query": "query: "}, "default_prompt_name": "query"}' >e/config_sentence_transformers.json
expect_code 0 embed
cmp -s x.npy own.npy || wrong "the embeddings of texts behind the prompt expected"
expect_code 0 embed --no-prompt
cmp -s x.npy plain.npy || wrong "the embeddings of the texts alone expected"
expect_code 0 embed --feature mean --normalize yes
cmp -s x.npy plain.npy || wrong "no prompt with --feature expected"

# Of an embedding the directory's users keep the first values alone; what they ask for by name is whole.
first_values() {
  "$PYTHON" - "$1" x.npy "$2" <<'PY'
import sys
import numpy as np
whole, own = map(np.load, sys.argv[1:3])
first = whole[:, :64]
if sys.argv[3] == "yes":
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
assert own.shape == first.shape and np.abs(own - first).max() < 1e-6
PY
}
cp e/config_sentence_transformers.json prompt.json
echo '{"truncate_dim": 64}' >e/config_sentence_transformers.json
expect_code 0 embed
first_values plain.npy no || wrong "the first 64 values expected"
expect_code 0 embed --normalize yes
first_values plain.npy yes || wrong "the first 64 values, scaled to length 1, expected"
expect_code 0 embed --feature mean --normalize yes
cmp -s x.npy plain.npy || wrong "all values expected with --feature"
cp prompt.json e/config_sentence_transformers.json
set_key e/1_Pooling/config.json include_prompt false
expect_code 1 embed
expect_text err "e/1_Pooling/config.json: include_prompt false given, true expected for a prompt, or --no-prompt"

# Lengths that the model does not have are bad usage at once.
copy
for length in 1 2 513 600; do
  expect_code 2 embed --max-length $length
  expect_text err --max-length
  rm -rf m
  expect_code 2 train --max-length $length
  expect_text err --max-length
  [ -e m ] && wrong "m was made"
done
expect_text err 512

# Another kind of model, damaged values.
for setting in 'is_decoder true' 'add_cross_attention true' 'position_embedding_type "relative_key"' 'model_type "electra"' 'num_attention_heads 7' 'hidden_size -1' \
  'hidden_dropout_prob 2' 'vocab_size "many"' 'hidden_act "silu"' 'layer_norm_eps 0'; do
  copy
  set_key e/config.json ${setting%% *} "${setting#* }"
  refused "e/config.json: ${setting%% *}"
done

# What downloads leave in place of files.
copy
pointer='version https://git-lfs.github.com/spec/v1\noid sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db\nsize 90868376\n'
for file in model.safetensors tokenizer.json config.json; do
  copy
  printf "$pointer" >e/$file
  refused "e/$file: a Git LFS pointer given"
  printf '<!DOCTYPE html><html>404</html>' >e/$file
  refused "e/$file: a web page given"
  : >e/$file
  refused "e/$file"
  rm e/$file
  [ $file = tokenizer.json ] || refused "e"
done
copy
rm e/tokenizer.json
printf "$pointer" >e/vocab.txt
refused "e/vocab.txt: a Git LFS pointer given"
rm -rf e
refused "e: no such folder"
echo x >e
refused "e: a file given"
rm e

# Weights that are not finite; tensors that nobody asks for are not read.
copy
"$PYTHON" - <<'P'
import json, struct
whole = open("e/model.safetensors", "rb").read()
size = int.from_bytes(whole[:8], "little")
header, data = json.loads(whole[8:8 + size]), bytearray(whole[8 + size:])
def write(folder, header, data):
    text = json.dumps(header).encode()
    open(folder + "/model.safetensors", "wb").write(len(text).to_bytes(8, "little") + text + data)
for name, kind, length in (("embeddings.odd", "F8_E8M0", 8), ("mask", "BOOL", 8), ("four", "F4", 4)):
    header[name] = {"dtype": kind, "shape": [8], "data_offsets": [len(data), len(data) + length]}
    data += b"\xff" * length
write("e", header, data)
at = header["encoder.layer.2.attention.self.query.weight"]["data_offsets"][0]
data[at:at + 4] = struct.pack("<f", float("nan"))
open("nan.safetensors", "wb").write(b"")
import os; os.makedirs("n")
write("n", header, data)
P
expect_code 0 embed
for file in "$ENCODER"/*.json "$ENCODER"/vocab.txt; do cp "$file" n; done
rm -rf e && mv n e
rm -f e/modules.json
refused "e/model.safetensors: tensor 'encoder.layer.2.attention.self.query.weight': NaN or infinity given"
for precision in bf16 int8; do
  expect_code 1 embed --precision $precision
  expect_text err "NaN or infinity given"
done
exit 0
