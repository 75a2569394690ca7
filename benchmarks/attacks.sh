#!/bin/sh
# usage: attacks.sh KNNBERT ENCODER DATA LANGUAGE_MODEL [OPTION ...]
# Trains victims on clean texts and attacks the same test texts of each with TextFooler, PWWS and BERT-Attack, with equal
# constraints and no limit on queries. Every finished attack is a line of benchmarks/results/attacks.jsonl and is not repeated; the
# table follows. LANGUAGE_MODEL: of benchmarks/pretrain.sh; DATA also has the synonyms, WordNet and stop words.
# --sets sst2,ag_news; --texts N: to train on; --attacked N: test texts; --victims "A|B": options of `knnbert train`, or NAME@DIR: a
# model that is there, whose classes in order of their names are the set's; what follows " / " are options of `knnbert attack`, and
# {synonyms}, {wordnet} and {stop_words} stand for these files; --recipes, --predictors: comma-separated, knn:head: a search
# for the neighbors' errors that the head leads.
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3 language_model=$4
shift 4
"${PYTHON:-python3}" "$here/attacks.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" --language-model "$language_model" "$@"
