#!/bin/sh
# usage: [KNNBERT=program] [PYTHON=interpreter] [THREADS=2] [EXAMPLES=500] benchmarks/chinese.sh DATA OUTPUT [STEPS [PIECES]]
# The Chinese attack with sentence pieces from nothing but data: a unigram vocabulary (benchmarks/unigram.py), a masked language model
# over it that writes the substitutes, a character BERT as the victim's encoder, a classifier of ChnSentiCorp, and the attack.
# STEPS of 32 sequences each for both models (2500). What is in OUTPUT already is not made again. PYTHON has the packages of
# tests/reference/requirements.txt.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 2 ] || { sed -n 2,6p "$0"; exit 2; }
data=$1 output=$2 steps=${3:-2500} pieces=${4:-16000}
knnbert=${KNNBERT:-$root/build/knnbert} python=${PYTHON:-python3}
corpus=$data/corpus/zh_wiki_part.txt.xz
mkdir -p "$output"

pretrain() { # FOLDER LENGTH OPTION...
  folder=$1 length=$2
  shift 2
  [ -f "$output/$folder/model.safetensors" ] || "$knnbert" pretrain "$@" --train "$corpus" --output "$output/$folder" --layers 4 --hidden 256 --heads 4 \
    --max-length "$length" --batch-size 32 --steps "$steps" --learning-rate 1e-3 --warmup 0.06 --no-dropout --threads "${THREADS:-2}"
}

[ -f "$output/pieces/tokenizer.json" ] || "$python" "$root/benchmarks/unigram.py" "$corpus" "$output/pieces" --pieces "$pieces"
pretrain generator 96 --tokenizer "$output/pieces"
pretrain characters 128 --vocabulary "$data/vocab/bert-base-chinese-vocab.txt"

if [ ! -f "$output/test.tsv" ]; then # texts that are in the training set too are dropped
  gzip -dc "$data/chnsenticorp/train.tsv.gz" >"$output/train.tsv"
  awk -F '\t' 'NR == FNR { seen[$1] = 1; next } !($1 in seen)' "$output/train.tsv" "$data/chnsenticorp/dev.tsv" >"$output/test.tsv"
fi
[ -f "$output/victim/knnbert.json" ] || "$knnbert" train --encoder "$output/characters" --train "$output/train.tsv" --output "$output/victim" \
  --method ce --header absent --max-length 128 --pooling mean --threads "${THREADS:-2}"
"$knnbert" eval --model "$output/victim" --data "$output/test.tsv" --header absent --threads "${THREADS:-2}"
"$knnbert" attack --recipe sentence-piece --model "$output/victim" --data "$output/test.tsv" --header absent --examples "${EXAMPLES:-500}" \
  --language-model "$output/generator" --stop-words "$data/stopwords/cn_stopwords.txt" --output "$output/attack.jsonl" --page "$output/attack.html" \
  --threads "${THREADS:-2}"
