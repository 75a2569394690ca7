#!/bin/sh
# usage: chinese.sh KNNBERT ENCODER DATA WORK [OPTION ...]
# The Chinese attack with sentence pieces from nothing but data and ENCODER, all-MiniLM-L6-v2, whose first layers the Chinese models start
# from (transplant.py): a unigram vocabulary of 16,000 pieces (unigram.py); three masked language models, one over characters for the
# victims, one over the pieces that writes the substitutes, and one over characters, from other documents, that only judges. Of TNEWS and
# ChnSentiCorp a victim each, logistic regression on character n-grams beside it, and three attacks with equal search and constraints: with
# the generator's pieces, with characters that the characters' model guesses, and with random pieces. Fluency and meaning are measured by
# the judge (chinese_judge.py). Every finished part is a line of benchmarks/results/chinese.jsonl and is not repeated; the table follows.
# What is in WORK already, models and unfinished attacks, is gone on with.
# --sets tnews,chnsenticorp; --texts N: to train victims on; --attacked N: test texts; --victim "OPTIONS" of `knnbert train`;
# --steps JSON: of the pretraining; --threads N; --prefix "taskset -c 1".
# PYTHON: an interpreter with the packages of tests/reference/requirements.txt; NGRAMS: one with numpy and scikit-learn (PYTHON).
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 4 ] || { sed -n 2,13p "$0"; exit 2; }
knnbert=$1 encoder=$2 data=$3 work=$4
shift 4
python=${PYTHON:-python3}
"${NGRAMS:-$python}" "$here/chinese.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" --work "$work" --python "$python" "$@"
