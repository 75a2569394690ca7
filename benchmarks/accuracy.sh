#!/bin/sh
# usage: accuracy.sh KNNBERT ENCODER DATA WORK [SET ...]
# Accuracy with real training, 3 seeds: the program, and the same recipe in PyTorch (benchmarks/peers/train_torch.py) on
# the same examples, written by benchmarks/peers/export_data.py. One JSON line a run in WORK/ours.jsonl and
# WORK/torch.jsonl; a run that is there already is not repeated. benchmarks/accuracy_table.py makes the table.
# PYTHON names an interpreter with torch and transformers; without it only the program runs, and with KNNBERT given as -
# only PyTorch. SEEDS (1 2 3), METHODS (ce knn-bert), THREADS (1); MATMUL_PRECISION (medium) of PyTorch: highest is faster on
# an AMD processor with benchmarks/peers/mkl_intel.c preloaded. MALLOC_MMAP_MAX_=0 spares it a fifth of the time.
# OPTIONS go to both verbs of the program (--backend torch), PRECISION (fp32) is that of both; ALSO="fp32 int8" evaluates each
# model in these precisions too, into WORK/ours-fp32.jsonl and WORK/ours-int8.jsonl.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3 work=$4
shift 4
sets=${*:-trec6 banking77 sst2 clinc150}
threads=${THREADS:-1}
precision=${PRECISION:-fp32}
mkdir -p "$work"
[ -f "$work/sets/clinc150.test.tsv" ] || "${PYTHON:-python3}" "$here/peers/export_data.py" --data "$data" --output "$work/sets"

contrast="--lambda 0.5 --momentum 0.99 --positives 1 --top-k 10 --end-k 1"
head_rate() { case $1 in banking77 | clinc150) echo 1e-3 ;; *) echo 1e-4 ;; esac; }
done_before() { [ -f "$1" ] && grep -q "^{\"dataset\": *\"$set\", *\"method\": *\"$method\", *\"seed\": *$seed," "$1"; }

evaluate() { # FILE PRECISION
  # shellcheck disable=SC2086
  result=$("$knnbert" eval --model "$work/model" --data "$work/sets/$set.test.tsv" --threads "$threads" --header absent --json \
    --precision "$2" ${OPTIONS:-} | sed 's/,"mcc".*/}/')
  printf '{"dataset":"%s","method":"%s","seed":%s,"result":%s}\n' "$set" "$method" "$seed" "$result" | tee -a "$1"
}

run_ours() {
  # shellcheck disable=SC2086
  "$knnbert" train --encoder "$encoder" --train "$work/sets/$set.train.tsv" --output "$work/model" --method "$method" \
    --epochs 3 --batch-size 32 --learning-rate 1e-4 --head-learning-rate "$rate" --pooling mean --seed "$seed" \
    --threads "$threads" --neighbors 10 --header absent --precision "$precision" ${OPTIONS:-} ${extra:+--queue-size 5000} $extra >/dev/null
  evaluate "$work/ours.jsonl" "$precision"
  for also in ${ALSO:-}; do evaluate "$work/ours-$also.jsonl" "$also"; done
}

run_torch() {
  # shellcheck disable=SC2086
  "$PYTHON" "$here/peers/train_torch.py" --encoder "$encoder" --data "$data" --dataset "$set" --method "$method" --epochs 3 \
    --lr 1e-4 --head-lr "$rate" --batch 32 --pooling mean --threads "$threads" --matmul-precision "${MATMUL_PRECISION:-medium}" --k 10 \
    --seed "$seed" ${extra:+--queue 5000} $extra >>"$work/torch.jsonl"
}

for seed in ${SEEDS:-1 2 3}; do
  for set in $sets; do
    rate=$(head_rate "$set")
    for method in ${METHODS:-ce knn-bert}; do
      extra=
      [ "$method" = ce ] || extra=$contrast
      [ "$knnbert" = - ] || done_before "$work/ours.jsonl" || run_ours
      [ -z "${PYTHON:-}" ] || done_before "$work/torch.jsonl" || run_torch
    done
  done
done
