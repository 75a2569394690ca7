#!/bin/sh
# usage: few_shot.sh KNNBERT ENCODER DATA [OPTION ...]
# A few texts a class: `knnbert train` without options beside SetFit 1.2.0 and FastFit 1.2.1, from the same encoder, on the same
# draws, one core each: accuracy (mean and standard deviation over draws), seconds of the processor, peak memory. SetFit makes all
# pairs of 8 and 32 texts a class of TREC-6, else 20 pairs a text and kind; of FastFit the settings are those of its own example. Seconds of
# the peers are those of the fine-tuning, ours those of the whole program. Every finished run is a line of
# benchmarks/results/few_shot.jsonl and is not repeated; the table follows. Parts:
#   --sets trec6 --shots 8 --draws 1,2 --who knnbert,setfit,fastfit    and --table prints what is there
# PYTHON: an interpreter with numpy and scikit-learn (python3), such as that of benchmarks/peers/setup.sh. PEERS: a folder in which
# an environment of each peer is made (peers/few_shot/*.txt).
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
knnbert=$1 encoder=$2 data=$3
shift 3
peers=${PEERS:-$here/../build/few_shot}
for peer in setfit fastfit; do
  cmp -s "$here/peers/few_shot/$peer.txt" "$peers/$peer/installed.txt" && continue
  case " $* " in *" --table "*) continue ;; esac
  "${PYTHON:-python3}" -m venv "$peers/$peer"
  "$peers/$peer/bin/python" -m pip install --quiet -r "$here/peers/few_shot/$peer.txt"
  cp "$here/peers/few_shot/$peer.txt" "$peers/$peer/installed.txt"
done
"${PYTHON:-python3}" "$here/few_shot.py" --knnbert "$knnbert" --encoder "$encoder" --data "$data" --peers "$peers" "$@"
