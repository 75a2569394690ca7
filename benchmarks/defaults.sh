#!/bin/sh
# usage: defaults.sh KNNBERT ENCODER DATA [OPTION ...]
# What `knnbert train` without options is worth on TREC-6, BANKING77, CLINC150 and SST-2 (10,000 texts), with 8 texts a class
# and with all of them, three draws and seeds each: beside a linear probe (logistic regression on the frozen encoder's mean
# embedding, of length 1, C = 10) and beside cross entropy tuned over 3 rates x 2 rates of the heads x 2 numbers of epochs, chosen on a
# tenth of the training texts or, of 8 a class, on two folds, all by a hash of the text. Every finished run is a line of
# benchmarks/results/defaults.jsonl and is not repeated; the table follows. The whole takes a day of a core; parts:
#   --sets trec6,sst2 --shots 8 --draws 1 --what probe,defaults,same_ce,ce    and --table prints what is there
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
OPENBLAS_NUM_THREADS=1 "${PYTHON:-python3}" "$here/defaults.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
