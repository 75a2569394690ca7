"""Readers of the data sets that the reference dumps draw real texts from."""

import csv
import gzip


def sst2(data, part):
    """(text, label) of part `train` or `dev`."""
    path = data / "sst2" / f"{part}.tsv"
    lines = path.open(encoding="utf-8") if path.exists() else gzip.open(f"{path}.gz", "rt", encoding="utf-8")
    with lines:
        next(lines)
        pairs = [line.rstrip("\n").rsplit("\t", 1) for line in lines]
    return [(text.strip(), int(label)) for text, label in pairs]


def ag_news(data):
    with gzip.open(data / "ag_news" / "test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        return [f"{title} {body}" for _, title, body in csv.reader(lines)]


def imdb(data):
    with gzip.open(data / "imdb" / "test_2000.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n").split("\t", 3)[3] for line in lines]


def banking77(data):
    with open(data / "banking77" / "test.csv", encoding="utf-8", newline="") as lines:
        return [row[0] for row in list(csv.reader(lines))[1:]]
