#!/bin/sh
# usage: tasks.sh KNNBERT ENCODER DATA [--texts N] [--epochs N] [--sets rte,mrpc,...] [--results FILE] [--table]
# The tasks of `knnbert train` other than one class of a text: pairs (RTE, MRPC), grades as numbers (SST-5, IMDB) and sets of
# classes (texts of CLINC150 joined in pairs): the head's loss alone, 4 epochs, the recipe's options otherwise, on N training texts
# (600) drawn with seed 1, on one thread. Every finished run is a line of the results (benchmarks/results/tasks.jsonl) and is not repeated; the table follows.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/tasks.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
