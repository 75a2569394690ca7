#!/bin/sh
# usage: key_precision.sh BUILD ENCODER DATA [ROUNDS]
# A KNN-BERT step in fp32 (SST-2, 16 queries, 16 positives each, 32,000 keys) with the key encoder in fp32, bf16 and int8, in turns on
# one core (CORE; the last one): the median of processor seconds a step, and of each round's ratio to fp32. BUILD: a folder with the
# targets knnbert_program and benchmark_train; ROUNDS: 5.
set -eu
build=$1 encoder=$2 data=$3 rounds=${4:-5}
core=${CORE:-$(($(nproc) - 1))}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gzip -dc "$data/sst2/train.tsv.gz" | sed 1d | shuf -n 2000 --random-source="$data/sst2/train.tsv.gz" >"$work/rows"
cut -f 1 "$work/rows" | "$build/knnbert" tokenize --model "$encoder" - >"$work/ids"
cut -f 2 "$work/rows" | paste - "$work/ids" >"$work/labeled"
for round in $(seq "$rounds"); do
  for keys in fp32 bf16 int8; do
    taskset -c "$core" "$build/benchmarks/train" "$encoder" "$work/labeled" --batch 16 --queue 32000 --positives 16 --steps 8 --warm-up 1 \
      --seed "$round" --key-precision $keys | sed 's/.*"seconds_per_step":\([0-9.]*\).*/\1/' >>"$work/$keys"
  done
  echo "key_precision.sh: round $round of $rounds" >&2
done
median() { sort -g | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int((NR + 2) / 2)]) / 2 }'; }
echo "| keys in | seconds a step | of fp32 |"
echo "|---|---|---|"
for keys in fp32 bf16 int8; do
  echo "| $keys | $(median <"$work/$keys") | $(paste "$work/fp32" "$work/$keys" | awk '{ print $2 / $1 }' | median) |"
done
