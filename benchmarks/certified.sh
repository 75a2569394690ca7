#!/bin/sh
# usage: certified.sh KNNBERT ENCODER DATA [OPTION ...]
# Certified accuracy on four data sets: the share of test texts whose answer is right and stays so whatever m examples of the
# datastore are removed, added or altered, of the vote and of the combined answer. Every finished run is a line of
# benchmarks/results/certified.jsonl and is not repeated; the table follows.
# --victims "A|B": options of `knnbert train`; --neighbors K: that vote.
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/certified.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
