"""The data sets of the benchmarks, as (text, class name) pairs for training and for testing."""

import csv
import gzip
import json
import random
import re
from dataclasses import dataclass

TREC_CLASSES = ["DESC", "ENTY", "ABBR", "HUM", "LOC", "NUM"]
SST2_CLASSES = ["negative", "positive"]
AG_NEWS_CLASSES = ["World", "Sports", "Business", "Sci/Tech"]
SST2_TRAIN = 10_000
MR_TEST = 1_066
IMDB_WORDS = 100  # about 128 tokens


@dataclass
class Split:
    train: list  # (text, class name)
    test: list

    @property
    def classes(self):
        return sorted({name for _, name in self.train})


def one_line(text):
    """Tabs and line ends become spaces, so that a TSV file holds the same text."""
    return re.sub(r"[\t\r\n]+", " ", text).strip(" ")


def open_text(path, **options):
    """Opens path, or path.gz where only that exists."""
    if path.exists():
        return open(path, newline="", **options)
    return gzip.open(f"{path}.gz", "rt", newline="", **options)


def sst2(data, seed):
    """The first 10000 sentences of the shuffled training set; the development set to test on (test has no labels)."""
    def read(part):
        with open_text(data / "sst2" / f"{part}.tsv", encoding="utf-8") as lines:
            rows = [line.rstrip("\r\n").rsplit("\t", 1) for line in lines][1:]
        return [(text, SST2_CLASSES[int(label)]) for text, label in rows]
    train = read("train")
    random.Random(seed).shuffle(train)
    return Split(train[:SST2_TRAIN], read("dev"))


def trec6(data, seed):
    def read(part):
        with open_text(data / "trec6" / f"TREC.{part}.all", encoding="iso-8859-1") as lines:
            rows = [line.rstrip("\r\n").split(" ", 1) for line in lines]
        return [(text, TREC_CLASSES[int(label)]) for label, text in rows]
    return Split(read("train"), read("test"))


def banking77(data, seed):
    def read(part):
        with open_text(data / "banking77" / f"{part}.csv", encoding="utf-8") as lines:
            return [(text, intent) for text, intent in csv.reader(lines)][1:]
    return Split(read("train"), read("test"))


def clinc150(data, seed):
    """In-scope intents only, without the development part."""
    with open_text(data / "clinc150" / "data_full.json", encoding="utf-8") as lines:
        parts = json.load(lines)
    return Split([tuple(pair) for pair in parts["train"]], [tuple(pair) for pair in parts["test"]])


def ag_news(data, seed):
    """Title and body as one text; 10,000 to train on, shuffled, without those that are also in the test set."""
    with open_text(data / "ag_news" / "train_10k.tsv", encoding="utf-8") as lines:
        train = [tuple(line.rstrip("\r\n").rsplit("\t", 1)) for line in lines]
    with open_text(data / "ag_news" / "test.csv", encoding="utf-8") as lines:
        test = [(f"{title} {body}", AG_NEWS_CLASSES[int(number) - 1]) for number, title, body in csv.reader(lines)]
    seen = {text for text, _ in test}
    train = [(text, label) for text, label in train if text not in seen and label in AG_NEWS_CLASSES]
    random.Random(seed).shuffle(train)
    random.Random(seed).shuffle(test)
    return Split(train, test)


def mr(data, seed):
    """Sentences of film reviews; a tenth of them, shuffled, to test on."""
    with open_text(data / "mr" / "rt-polarity.all", encoding="iso-8859-1") as lines:
        rows = [line.rstrip("\r\n").split(" ", 1) for line in lines]
    pairs = list(dict.fromkeys((text, SST2_CLASSES[int(label)]) for label, text in rows))
    random.Random(seed).shuffle(pairs)
    return Split(pairs[MR_TEST:], pairs[:MR_TEST])


def imdb(data, seed):
    """The first words of film reviews."""
    def read(part):
        with open_text(data / "imdb" / f"{part}.tsv", encoding="utf-8") as lines:
            rows = [line.rstrip("\r\n").split("\t", 3) for line in lines]
        return [(" ".join(text.replace("<br />", " ").split()[:IMDB_WORDS]), SST2_CLASSES[int(label)]) for label, _, _, text in rows]
    train, test = read("train_5000"), read("test_2000")
    random.Random(seed).shuffle(train)
    random.Random(seed).shuffle(test)
    return Split(train, test)


def pairs(folder, first, second, label):
    """GLUE's pairs of texts, a tab between them; the development set to test on."""
    def rows(name):
        with open_text(folder / name, encoding="utf-8-sig") as lines:
            cells = [line.rstrip("\r\n").split("\t") for line in lines][1:]
        return [(one_line(row[first]) + "\t" + one_line(row[second]), row[label]) for row in cells]
    return Split(rows("train.tsv"), rows("dev.tsv"))


def rte(data, seed):
    return pairs(data / "rte", 1, 2, 3)


def mrpc(data, seed):
    return pairs(data / "mrpc", 3, 4, 0)


READERS = {"sst2": sst2, "trec6": trec6, "banking77": banking77, "clinc150": clinc150, "ag_news": ag_news, "mr": mr, "imdb": imdb, "rte": rte, "mrpc": mrpc}
OF_PAIRS = ("rte", "mrpc")
COMPARED = ("sst2", "trec6", "banking77", "clinc150")  # those that are compared with other programs, and what benchmarks take unasked


def read(name, data, seed):
    """The split of a data set; `seed` decides which sentences of a larger training set are used."""
    split = READERS[name](data, seed)
    if name in OF_PAIRS:
        return split
    return Split(*([(one_line(text), label) for text, label in pairs] for pairs in (split.train, split.test)))
