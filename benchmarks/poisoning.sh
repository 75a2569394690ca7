#!/bin/sh
# usage: poisoning.sh KNNBERT ENCODER DATA [OPTION ...]
# Poisons an encoder by every method with a single trigger and with a combination, lets victims fine-tune it on clean texts, and
# measures their clean accuracy and label flip rates beside those of a victim with the encoder as it was. Every finished
# run is a line of benchmarks/results/poisoning.jsonl and is not repeated; the table follows.
# With --onion DIRECTORY, such as benchmarks/pretrain.sh makes, also behind ONION and STRIP: the first of the victims, on the first
# --defended 80 of the test texts.
# --texts N: clean texts of the poisoner, of which the victim has others, as many; --victims "A|B": options of `knnbert train`;
# --poison "OPTIONS": of `knnbert poison`.
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/poisoning.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
