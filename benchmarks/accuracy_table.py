"""Prints the results of accuracy.sh as a Markdown table: mean accuracy over the seeds that both sides have run.

usage: accuracy_table.py OURS.jsonl THEIRS.jsonl [NAME OF THEM]
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

PREDICTORS = ("head", "knn", "combined")


def read(path):
    """{(dataset, method): {seed: {predictor: percent}}}"""
    runs = defaultdict(dict)
    for line in path.read_text().splitlines():
        row = json.loads(line)
        accuracy = row["result"]["accuracy"] if "result" in row else row["accuracy"]
        runs[row["dataset"], row["method"]][row["seed"]] = {name: 100 * accuracy[name] for name in PREDICTORS}
    return runs


def main():
    ours, theirs = read(Path(sys.argv[1])), read(Path(sys.argv[2]))
    other = sys.argv[3] if len(sys.argv) > 3 else "PyTorch"
    print("| data, method | seeds | " + " | ".join(f"{name}: here / {other}" for name in PREDICTORS) + " | largest lag |")
    print("|---|---|" + "---|" * (len(PREDICTORS) + 1))
    for key in sorted(set(ours) & set(theirs)):
        seeds = sorted(set(ours[key]) & set(theirs[key]))
        if not seeds:
            continue
        means = [[sum(side[key][seed][name] for seed in seeds) / len(seeds) for side in (ours, theirs)] for name in PREDICTORS]
        cells = " | ".join(f"{a:.1f} / {b:.1f}" for a, b in means)
        lag = max(b - a for a, b in means)
        print(f"| {key[0]}, {key[1]} | {', '.join(map(str, seeds))} | {cells} | {max(lag, 0):.1f} |")


if __name__ == "__main__":
    main()
