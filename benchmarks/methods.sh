#!/bin/sh
# usage: methods.sh KNNBERT ENCODER DATA [OPTION ...]
# Every method of `knnbert train`, and every regularizer beside cross entropy, on TREC-6, SST-2 (10,000 texts), BANKING77, CLINC150
# and, if asked for, the pairs of RTE and MRPC: accuracy (mean and standard deviation over draws or seeds), failed runs, time of the processor relative to plain cross
# entropy with as many epochs, peak memory. Options that no method names are the recipe's. Every finished run is a line of
# benchmarks/results/methods.jsonl and is not repeated; the table follows. Parts:
#   --sets trec6 --shots 8 --draws 1 --methods "ce;knn-bert;smart" --options "--precision bf16"    and --table prints what is there
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/methods.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
