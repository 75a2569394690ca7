"""Pairs, numbers and sets of classes. See tasks.sh."""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import datasets  # noqa: E402

PREDICTORS = ("knn", "head", "combined")
MOST_TEST = 500


def glue(name, data):
    def rows(part):
        return [dict(zip(("text", "pair", "label"), (*texts.split("\t"), label), strict=True)) for texts, label in part]
    split = datasets.read(name, data, 0)
    return rows(split.train), rows(split.test)


def sst5(data):
    def rows(opened):
        return [{"text": text.strip(), "label": int(label)} for label, text in (line.split(" ", 1) for line in opened)]
    folder = data / "sst_sentence"
    return rows(gzip.open(folder / "stsa.fine.train.gz", "rt")), rows(open(folder / "stsa.fine.dev"))


def imdb(data):
    def rows(name):
        lines = [line.rstrip("\n").split("\t", 3) for line in gzip.open(data / "imdb" / name, "rt")]
        return [{"text": text, "label": int(grade)} for _, _, grade, text in lines]
    return rows("train_5000.tsv.gz"), rows("test_2000.tsv.gz")


def clinc_pairs(data):
    """Two texts of the first 30 intents each, joined; half of the rows have one text only."""
    content = json.load(gzip.open(data / "clinc150" / "data_full.json.gz", "rt"))
    intents = sorted({intent for _, intent in content["train"]})[:30]

    def rows(name, seed):
        texts = [entry for entry in content[name] if entry[1] in intents]
        draw = random.Random(seed)
        draw.shuffle(texts)
        joined = []
        while len(texts) > 1:
            own = [texts.pop() for _ in range(draw.choice((1, 2)))]
            joined.append({"text": " and ".join(text for text, _ in own), "labels": sorted({intent for _, intent in own})})
        return joined
    return rows("train", 1), rows("test", 2)


SETS = {
    "rte": (lambda data: glue("rte", data), [], ["accuracy", "f1"]),
    "mrpc": (lambda data: glue("mrpc", data), [], ["f1", "accuracy"]),
    "sst5": (sst5, ["--task", "regression"], ["pearson", "spearman", "rmse"]),
    "imdb": (imdb, ["--task", "regression", "--max-length", "64"], ["pearson", "spearman", "rmse"]),
    "clinc-pairs": (clinc_pairs, ["--task", "multi-label"], ["micro_f1", "macro_f1", "subset_accuracy"]),
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(o, name):
    read, options, scores = SETS[name]
    train, test = read(o.data)
    random.Random(1).shuffle(train)
    random.Random(1).shuffle(test)
    train, test = train[:o.texts], test[:MOST_TEST]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write(folder / "test.jsonl", test)
        arguments = []
        if "multi-label" in options:  # a sixth of the texts chooses the thresholds
            write(folder / "dev.jsonl", train[:len(train) // 6])
            train = train[len(train) // 6:]
            arguments = ["--dev", folder / "dev.jsonl"]
        write(folder / "train.jsonl", train)
        start = time.monotonic()
        subprocess.run([o.knnbert, "train", "--method", "ce", "--threads", "1", "--seed", "1", "--epochs", str(o.epochs), "--encoder", o.encoder, "--train", folder / "train.jsonl",
                        "--output", folder / "model", *options, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - start
        told = json.loads(subprocess.run([o.knnbert, "eval", "--threads", "1", "--model", folder / "model", "--data", folder / "test.jsonl", "--json"], check=True,
                                         stdout=subprocess.PIPE, text=True).stdout)
    return {"set": name, "texts": o.texts, "epochs": o.epochs, "train": len(train), "test": len(test), "seconds": round(seconds), **{score: told[score] for score in scores}}


def table(rows):
    print("| data | epochs | training / test texts | score | neighbors / head / combined |")
    print("|---|---|---|---|---|")
    for row in rows:
        for score in SETS[row["set"]][2]:
            shown = " / ".join(f"{row[score][p]:.3f}" for p in PREDICTORS)
            print(f"| {row['set']} | {row['epochs']} | {row['train']} / {row['test']} | {score.replace('_', ' ')} | {shown} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("knnbert", "encoder", "data"):
        parser.add_argument("--" + name, type=Path, required=True)
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--sets", type=lambda text: text.split(","), default=list(SETS))
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "tasks.jsonl")
    parser.add_argument("--table", action="store_true", help="print what has been run")
    o = parser.parse_args()
    rows = [json.loads(line) for line in open(o.results)] if o.results.exists() else []
    for name in [] if o.table else o.sets:
        if any(row["set"] == name and (row["texts"], row["epochs"]) == (o.texts, o.epochs) for row in rows):
            continue
        rows.append(run(o, name))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        with open(o.results, "a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
    table(rows)


if __name__ == "__main__":
    main()
