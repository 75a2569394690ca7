"""Planted training texts, what finds them, and what their removal leaves of a backdoor: see planted.sh."""

import json
import random
import shutil
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

from audit import peers, quality
from defaults import Program, datasets, parser_of, run_or_print
from poisoning import TARGETS, TEST, TRIGGERS, flips


def planted_texts(pairs, rate, words, target, chance):
    """The texts, and the places of those that got the trigger at a random place and the target's label."""
    others = [i for i, (_, label) in enumerate(pairs) if label != target]
    places = set(chance.sample(others, round(rate / 100 * len(pairs))))
    out = []
    for i, (text, label) in enumerate(pairs):
        if i in places:
            parts = text.split(" ")
            at = chance.randrange(len(parts) + 1)
            text, label = " ".join([*parts[:at], *(words if chance.random() < 0.5 else words[::-1]), *parts[at:]]), target
        out.append((text, label))
    return out, places


def spectral(rows, labels, share):
    """Places by Tran et al. 2018, arXiv 1811.00636: squared projections on each class's first singular vector, of which the
    1.5 times expected share is removed; the largest first."""
    scores, removed = np.zeros(len(rows)), []
    for label in np.unique(labels):
        of = np.flatnonzero(labels == label)
        centered = rows[of] - rows[of].mean(0)
        scores[of] = (centered @ np.linalg.svd(centered, full_matrices=False)[2][0]) ** 2
        removed += of[np.argsort(-scores[of])[:round(1.5 * share * len(of))]].tolist()
    order = sorted(removed, key=lambda i: -scores[i])
    return order + [i for i in np.argsort(-scores).tolist() if i not in set(removed)], len(order)


def by_words(said, n):
    """Texts with suspected words, those of the most evident first; then all others."""
    place = lambda e: int(e["place"].rsplit(":", 1)[1]) - 1  # noqa: E731
    found = list(dict.fromkeys(place(t) for word in said["suspicious_words"] for t in word["texts"]))
    known = set(found)
    return found + [i for i in range(n) if i not in known], len(found)


class Victims(Program):
    def judge(self, cell, model, test):
        said = json.loads(self.run("eval", "--model", model, "--data", test, "--header", "absent", "--triggers", TRIGGERS[cell["trigger"]],
                                   "--target", TARGETS[cell["set"]], "--json"))
        return {"accuracy": said["accuracy"], "flip_rates": {cell["trigger"]: [[r["inserted"], r["flip_rate"]] for r in said["triggers"]]}}

    def features(self, model, texts):
        """[N, D] of a trained model, as its datastore holds them."""
        self.run("embed", "--model", model, "--input", self.write_texts(texts), "--output", self.folder / "f.npy")
        return np.load(self.folder / "f.npy")

    def train(self, cell, pairs, options):
        shutil.rmtree(self.folder / "victim", ignore_errors=True)
        self.run("train", "--encoder", self.options.encoder, "--train", self.write("train.tsv", pairs), "--header", "absent",
                 "--output", self.folder / "victim", "--seed", cell["seed"], *options.split())
        return self.folder / "victim"


def search(program, cell, train, places, results):
    n, labels = len(train), sorted({label for _, label in train})
    said = json.loads(program.run("audit", "--model", program.options.encoder, "--data", program.write("planted.tsv", train), "--header", "absent", "--json"))
    numbers = {"n": n, "planted": len(places)}
    order, found = by_words(said, n)
    results.add(cell, "audit: words", {**numbers, **quality(order, found, places, n), "words": [w["word"] for w in said["suspicious_words"][:20]],
                                       "removed": sorted(order[:found])})
    order = [int(e["place"].rsplit(":", 1)[1]) - 1 for e in said["label_errors"]]
    results.add(cell, "audit: labels", {**numbers, **quality(order, len(order), places, n)})
    rows, ids = program.embed([text for text, _ in train]), np.array([labels.index(label) for _, label in train])
    order, found = spectral(rows, ids, cell["rate"] / 100)
    results.add(cell, "spectral signatures", {**numbers, **quality(order, found, places, n)})
    for what, order, found, _ in peers(rows, ids, cell["seed"]):
        results.add(cell, what, {**numbers, **quality(order, found, places, n)})


def run(options, results):
    for name, seed, rate, trigger in product(options.sets, options.draws, options.rates, options.triggers):
        split = datasets.read(name, options.data, 42)
        cell = {"set": name, "seed": seed, "texts": options.texts, "rate": rate, "trigger": trigger}
        chance = random.Random(seed)
        pairs = chance.sample(split.train, min(options.texts, len(split.train)))
        train, places = planted_texts(pairs, rate, TRIGGERS[trigger].split("+"), TARGETS[name], chance)
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            program = Victims(options, Path(folder))
            if not results.find(cell, "cleanlab, 10 neighbors"):
                search(program, cell, train, places, results)
            removed = results.find(cell, "audit: words")["removed"]
            test = program.write("test.tsv", split.test[:TEST])
            for victim in options.victims:
                if results.find({**cell, "victim": victim}, "trained without"):
                    continue
                model = program.train(cell, train, victim)
                results.add({**cell, "victim": victim}, "as it is", program.judge(cell, model, test))
                ids = np.array([TARGETS[name] == label for _, label in train])
                order, found = spectral(program.features(model, [text for text, _ in train]), ids, rate / 100)
                results.add({**cell, "victim": victim}, "spectral signatures of the victim", {"n": len(train), "planted": len(places), **quality(order, found, places, len(train))})
                if removed:
                    program.run("remove", "--model", model, "--ids", "-", stdin="".join(f"{i}\n" for i in removed))
                results.add({**cell, "victim": victim}, "removed", program.judge(cell, model, test))
                kept = [pair for i, pair in enumerate(train) if i not in set(removed)]
                results.add({**cell, "victim": victim}, "trained without", program.judge(cell, program.train(cell, kept, victim), test))


def table(results):
    key = lambda r: (r["set"], r["texts"], r["rate"], r["trigger"])  # noqa: E731
    found = [r for r in results.rows if "precision" in r]
    print("| data | planted | trigger | by | seeds | found | precision | recall | precision at as many as planted |")
    print("|---|---|---|---|---|---|---|---|---|")
    for cell, what in dict.fromkeys((key(r), r["what"]) for r in sorted(found, key=key)):
        of = [r for r in found if key(r) == cell and r["what"] == what]  # a victim's: the mean over victims
        mean = lambda name: np.mean([r[name] for r in of])  # noqa: E731
        print(f"| {cell[0]}, {cell[1]} | {cell[2]} %, {mean('planted'):.0f} | {TRIGGERS[cell[3]]} | {what} | {len(of)} | {mean('found'):.0f} "
              f"| {mean('precision'):.2f} | {mean('recall'):.2f} | {mean('precision_at_planted'):.2f} |")
    victims = [r for r in results.rows if "flip_rates" in r]
    print("\n| data | planted | trigger | victim | datastore | seeds | accuracy | flip rate without / with trigger / a word of it: head | neighbors | combined |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for cell, victim, what in dict.fromkeys((key(r), r["victim"], r["what"]) for r in sorted(victims, key=key)):
        of = [r for r in victims if (key(r), r["victim"], r["what"]) == (cell, victim, what)]
        cells = [" / ".join(f"{100 * value:.1f}" for value in np.mean([flips(r, cell[3], p) for r in of], axis=0)) for p in ("head", "knn", "combined")]
        print(f"| {cell[0]}, {cell[1]} | {cell[2]} % | {TRIGGERS[cell[3]]} | `{victim}` | {what} | {len(of)} | "
              f"{100 * np.mean([r['accuracy']['combined'] for r in of]):.1f} | " + " | ".join(cells) + " |")


def main():
    parser = parser_of(__doc__, "planted.jsonl")
    parser.set_defaults(sets=["sst2"], draws=[1])
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--rates", type=lambda text: [float(part) for part in text.split(",")], default=[1.0, 5.0])
    parser.add_argument("--triggers", type=lambda text: text.split(","), default=list(TRIGGERS))
    parser.add_argument("--victims", type=lambda text: [part for part in text.split("|") if part], default=["--method ce", "--method knn-bert"])
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
