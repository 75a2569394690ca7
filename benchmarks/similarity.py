"""A threshold of sentence similarity for an encoder: see similarity.sh."""

import argparse
import gzip
import json
import math
import random
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from defaults import Program, datasets

WINDOW = 15
KINDS = ("synonym", "WordNet", "antonym", "random word")
LENGTHS = ("window", "shorter")


def mrpc(data):
    """(text, text, whether they say the same)"""
    rows = []
    for part in ("train", "dev"):
        with open(data / "mrpc" / f"{part}.tsv", encoding="utf-8-sig") as lines:
            rows += [line.rstrip("\r\n").split("\t") for line in lines][1:]
    return [(" ".join(a.split()), " ".join(b.split()), same == "1") for same, _, _, a, b in rows]


class Words:
    """What a word may be replaced by."""

    def __init__(self, data):
        self.stop = set((data / "stopwords" / "stopwords-en.txt").read_text(encoding="utf-8").split())
        self.synonyms = json.loads(gzip.decompress((data / "synonyms" / "counterfitted_neighbors.json.gz").read_bytes()))
        self.wordnet, self.antonyms = defaultdict(set), defaultdict(set)
        for line in gzip.decompress((data / "wordnet" / "oewn_synsets.tsv.gz").read_bytes()).decode().splitlines():
            members = [m.lower() for m in line.split("\t")[3].split("|") if m.isalpha()]
            for member in members:
                self.wordnet[member].update(m for m in members if m != member)
        for line in (data / "synonyms" / "ppdb_antonyms.txt").read_text(encoding="utf-8").splitlines():
            a, b = line.split()
            self.antonyms[a].add(b), self.antonyms[b].add(a)

    def of(self, kind, word):
        lists = {"synonym": self.synonyms, "WordNet": self.wordnet, "antonym": self.antonyms}[kind]
        return sorted(set(lists.get(word, ())) - {word})

    def may_change(self, word):
        return word not in self.stop and bool(self.synonyms.get(word))


def edits(texts, words, rng):
    """(kind, length, window as it was, with the other word); one replacement of each kind a text."""
    texts = [text.lower().split() for text in texts]
    pool = [word for text in texts for word in text if words.may_change(word)]
    for text in texts:
        for kind in KINDS:
            places = [i for i, word in enumerate(text) if words.may_change(word) and (kind == "random word" or words.of(kind, word))]
            if not places:
                continue
            place = rng.choice(places)
            other = rng.choice([w for w in rng.choices(pool, k=20) if w != text[place]] if kind == "random word" else words.of(kind, text[place]))
            width = min(WINDOW, len(text))
            first = min(max(place - (WINDOW - 1) // 2, 0), len(text) - width)
            changed = [*text[:place], other, *text[place + 1:]]
            yield kind, LENGTHS[len(text) < WINDOW], " ".join(text[first:first + width]), " ".join(changed[first:first + width])


class Encoder(Program):
    def cosines(self, pairs):
        """As the program's constraint has them."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        rows = {}
        self.run("embed", "--model", self.options.encoder, "--input", self.write_texts(texts), "--output", self.folder / "e.npy")
        embeddings = np.load(self.folder / "e.npy").astype(np.float64)
        for text, row in zip(texts, embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), strict=True):
            rows[text] = row
        return np.array([rows[a] @ rows[b] for a, b in pairs])


def calibrated(cosines, accepted):
    """The least of 0.001, 0.002, ... that accepts at most the share."""
    return next(c / 1000 for c in range(1001) if np.mean(cosines >= c / 1000) <= accepted)


def angular(cosine):
    return 1 - math.acos(cosine)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--knnbert", "--encoder", "--data"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), help="folder for what is passed on")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--accepted", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prefix", default="", help="in front of the program, such as `taskset -c 1`")
    options = parser.parse_args()
    rng, words, data = random.Random(options.seed), Words(options.data), options.data
    all_edits = []
    mr = datasets.read("mr", data, 42)
    for pairs in (datasets.read("sst2", data, 42).train, mr.train + mr.test, datasets.read("ag_news", data, 42).train):
        all_edits += edits(rng.sample(sorted({text for text, _ in pairs}), options.texts), words, rng)
    pairs = mrpc(data)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        cosines = Encoder(options, Path(folder)).cosines([e[2:] for e in all_edits] + [p[:2] for p in pairs])
    half = np.arange(len(all_edits)) % 2 == 0
    of = {(k, n): np.array([e[:2] == (k, n) for e in all_edits]) for k in KINDS for n in LENGTHS}
    edit_cosines, pair_cosines = cosines[:len(all_edits)], cosines[len(all_edits):]
    found = {n: calibrated(edit_cosines[half & of["random word", n]], options.accepted) for n in LENGTHS}
    for n in LENGTHS:
        print(f"{n}: cosine {found[n]:.3f}, 1 - arccos {angular(found[n]):.3f}")
    same = np.array([p[2] for p in pairs])
    columns = [edit_cosines[~half & of[k, n]] for n in LENGTHS for k in KINDS] + [pair_cosines[same], pair_cosines[~same]]
    print("| cosine | 1 - arccos | " + " | ".join(f"{n}: {k}" for n in LENGTHS for k in KINDS) + " | MRPC: paraphrase | none |")
    print("|" + "---|" * (len(columns) + 2))
    print("| number | | " + " | ".join(str(len(c)) for c in columns) + " |")
    for cosine in sorted({0.2, 0.622, 0.7, 0.8, 0.878, 0.955, *found.values()}):
        print(f"| {cosine:.3f} | {angular(cosine):.3f} | " + " | ".join(f"{100 * np.mean(c >= cosine):.1f}" for c in columns) + " |")


if __name__ == "__main__":
    main()
