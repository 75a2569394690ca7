#!/bin/sh
# usage: new_classes.sh KNNBERT ENCODER DATA [OPTION ...]
# CLINC150: a model of 100 classes to which the other 50 are added live, with 10 and with 50 examples each, beside models that
# were trained on all of them together: accuracy on test texts of the old and of the new classes. --options "--method ce"
# are those of `knnbert train`. Every finished run is a line of benchmarks/results/new_classes.jsonl and is not repeated; the
# table follows.
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/new_classes.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
