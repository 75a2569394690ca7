#!/bin/sh
# usage: planted.sh KNNBERT ENCODER DATA [OPTION ...]
# Plants a backdoor in training texts (--rates: so many texts of other classes, in %, get a trigger and the target's label) and looks
# for them: by the words and the labels that `knnbert audit` suspects, by cleanlab on the same embeddings, and by spectral signatures.
# Then a victim is trained on all texts, what the words give away is removed from its datastore, which is no training, and another
# one is trained without: label flip rates of each. Every finished run is a line of benchmarks/results/planted.jsonl and is not
# repeated; the table follows.
# --texts N: of a set; --victims "A|B": options of `knnbert train`.
# PYTHON: an interpreter with numpy, scikit-learn and cleanlab 2.9 (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
OPENBLAS_NUM_THREADS=1 "${PYTHON:-python3}" "$here/planted.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
