#!/bin/sh
# usage: memory.sh KNNBERT ENCODER TRAIN.tsv [SIZE ...]
# Peak resident memory of 40 KNN-BERT steps (batch 16, 4 positives, 2,000 keys) by the number of training examples: flat but
# for the data itself. The run is ended once the steps are done. Needs Python 3 and Linux.
set -eu
knnbert=$1 encoder=$2 train=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "examples  text MB  peak MB"
for size in ${*:-1000 2000 5000 10000 20000 50000}; do
  head -n "$size" "$train" >"$work/train.tsv"
  python3 - "$knnbert" "$encoder" "$work" "$size" <<'PYTHON'
import json, os, resource, signal, subprocess, sys, time
program, encoder, work, size = sys.argv[1:]
metrics = os.path.join(work, "model", "metrics.jsonl")
command = [program, "train", "--encoder", encoder, "--train", os.path.join(work, "train.tsv"), "--output", os.path.join(work, "model"),
           "--method", "knn-bert", "--batch-size", "16", "--positives", "4", "--queue-size", "2000", "--no-warm-up", "--epochs", "1",
           "--header", "absent", "--threads", "1"]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
peak = 0
while process.poll() is None:
    try:
        with open(f"/proc/{process.pid}/status") as status:
            peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
        if sum(1 for _ in open(metrics)) >= 40:
            break
    except OSError:
        pass
    time.sleep(0.05)
process.kill()
process.wait()
print(f"{int(size):8d}  {os.path.getsize(os.path.join(work, 'train.tsv')) / 1e6:7.2f}  {peak / 1024:7.1f}")
PYTHON
  rm -rf "$work/model"
done
