#!/bin/sh
# usage: similarity.sh KNNBERT ENCODER DATA [OPTION ...]
# What an encoder's similarity says of edits whose worth is known: one word replaced by a listed synonym, by one of WordNet's, by an
# antonym or by a random word of other texts, in windows of 15 words and in shorter texts; and paraphrases of MRPC and pairs that are
# none. The calibrated threshold is the least cosine that accepts at most a tenth of the random words, of one half of the texts; the
# table is of the other half. No victim has a part in it.
# --texts N: of each of three data sets; --accepted 0.1: that share; --seed N.
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
"${PYTHON:-python3}" "$here/similarity.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" "$@"
