#!/bin/sh
# usage: open_world.sh KNNBERT ENCODER DATA [OPTION ...]
# CLINC150 with its texts out of scope: models of `knnbert train` (options that are not named are the recipe's), calibrated on
# the validation texts in scope, tested on those of test and oos_test. How well each score separates, and what the threshold
# accepts and rejects for several coverages. Every finished run is a line of benchmarks/results/open_world.jsonl and is not
# repeated; the table follows.
#   --work FOLDER keeps the models, --methods "knn-bert;ce" chooses, --table prints what is there
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/open_world.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
