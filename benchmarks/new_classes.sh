#!/bin/sh
# usage: new_classes.sh KNNBERT ENCODER DATA [OPTION ...]
# Classes that are added live, without and with `add --refit-head`, beside models that were trained on all of them together
# (--joint-options) and adaptive-classifier 0.3.1: accuracy on test texts of the old and of the new classes.
#   clinc150  50 classes, with 10 and with 50 examples each, added to a model of the other 100
#   tenants   each class of examples/data, of which some lie close to each other, with 5 and with 10 examples, added to one of the
#             others
# --options "--method ce" are those of `knnbert train`. Every finished run is a line of benchmarks/results/new_classes.jsonl and is
# not repeated; the table follows. Parts: --sets clinc150 --draws 1 --what added,joint,adaptive-classifier
# PEERS: a folder in which an environment of adaptive-classifier is made, if the command is to run it.
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
peer=
if [ -n "${PEERS:-}" ]; then
  peer=$PEERS/adaptive/bin/python
  if ! cmp -s "$here/peers/new_classes/requirements.txt" "$PEERS/adaptive/installed.txt"; then
    "${PYTHON:-python3}" -m venv "$PEERS/adaptive"
    "$peer" -m pip install --quiet -r "$here/peers/new_classes/requirements.txt"
    cp "$here/peers/new_classes/requirements.txt" "$PEERS/adaptive/installed.txt"
  fi
fi
"${PYTHON:-python3}" "$here/new_classes.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" --peer "$peer" "$@"
