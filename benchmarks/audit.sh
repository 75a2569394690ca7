#!/bin/sh
# usage: audit.sh KNNBERT ENCODER DATA [OPTION ...]
# Gives 5 % of the training texts of a set another label and looks for them, by `knnbert audit` and by cleanlab on the same
# embeddings, from cross-validated probabilities of logistic regression and of neighbors. Every finished run is a line of
# benchmarks/results/audit.jsonl and is not repeated; the table follows.
# PYTHON: an interpreter with numpy, scikit-learn and cleanlab 2.9 (python3).
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/audit.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
