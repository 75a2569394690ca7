#!/bin/sh
# usage: [KNNBERT=program] [THREADS=2] benchmarks/pretrain.sh ENCODER CORPUS OUTPUT [HEAD_STEPS STEPS [OPTION...]]
# An English masked language model from an encoder without a head (all-MiniLM-L6-v2) and plain text: first the head
# alone, then all. Prints held-out loss and accuracy; OUTPUT/pretraining.json has them with the speed.
set -eu
unset CDPATH
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 3 ] || { sed -n 2,4p "$0"; exit 2; }
encoder=$1 corpus=$2 output=$3
head_steps=${4:-150} steps=${5:-2900}
if [ $# -ge 5 ]; then shift 5; else shift $#; fi
exec "${KNNBERT:-$root/build/knnbert}" pretrain --encoder "$encoder" --train "$corpus" --output "$output" \
  --threads "${THREADS:-2}" --max-length 128 --batch-size 16 --head-only-steps "$head_steps" --head-learning-rate 1e-3 \
  --steps "$steps" --learning-rate 3e-4 --warmup 0.06 --adam-epsilon 1e-8 --no-dropout "$@"
