"""What `knnbert train` without options is worth: beside a linear probe and beside cross entropy whose hyper-parameters were
tuned, with a few texts a class and with all of them. See defaults.sh."""

import argparse
import hashlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import datasets  # noqa: E402

RATES, HEAD_RATES = ("5e-5", "1e-4", "2e-4"), ("1e-4", "1e-3")  # of tuned cross entropy, with two numbers of epochs
WHATS = ("probe", "defaults", "same_ce", "ce")


def hash_of(*parts):
    return hashlib.sha256("\t".join(map(str, parts)).encode()).hexdigest()


def draw(pairs, shots, number):
    """Of each class the `shots` different texts whose hash with the draw's number is smallest; 0: everything."""
    if not shots:
        return pairs
    texts = {}
    for text, label in dict.fromkeys(pairs):
        texts.setdefault(label, []).append(text)
    return [(text, label) for label in sorted(texts) for text in sorted(texts[label], key=lambda t: hash_of(number, t))[:shots]]


def folds(pairs, shots):
    """(train, dev) pairs: two halves of each class, or one tenth by the hash of the text."""
    if not shots:
        in_dev = [int(hash_of(text)[:8], 16) % 10 == 0 for text, _ in pairs]
        return [([p for p, d in zip(pairs, in_dev) if not d], [p for p, d in zip(pairs, in_dev) if d])]
    halves = ([], [])
    for label in sorted({label for _, label in pairs}):
        for place, pair in enumerate(sorted((p for p in pairs if p[1] == label), key=lambda p: hash_of("fold", p[0]))):
            halves[place % 2].append(pair)
    return [halves, halves[::-1]]


class Program:
    """knnbert on one core; seconds are those of the processor, so that other work on the machine counts little."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder

    def run(self, *arguments, stdin=None):
        command = [*self.options.prefix.split(), str(self.options.knnbert), *map(str, arguments), "--threads", "1"]
        return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True).stdout

    def write(self, name, pairs):
        path = self.folder / name
        path.write_text("".join(f"{text}\t{label}\n" for text, label in pairs), encoding="utf-8", newline="\n")
        return path

    def write_texts(self, texts):
        path = self.folder / "texts.txt"
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="\n")
        return path

    def embed(self, texts, model=None):
        """[N, H] of a model, else of the frozen encoder, rows of length 1."""
        self.run("embed", "--model", model or self.options.encoder, "--input", self.write_texts(texts), "--output", self.folder / "e.npy", "--feature", "mean")
        rows = np.load(self.folder / "e.npy")
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def train_and_test(self, train, test, *arguments):
        model = self.folder / "model"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run("train", "--encoder", self.options.encoder, "--train", self.write("train.tsv", train), "--header", "absent",
                 "--output", model, *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        made = json.loads((model / "training.json").read_text())
        lines = self.run("predict", "--model", model, stdin="".join(f"{text}\n" for text, _ in test)).splitlines()
        shutil.rmtree(model)
        answers = [json.loads(line) for line in lines]
        best = {name: [max(a[name], key=a[name].get) for a in answers] for name in ("knn", "head")}
        best["combined"] = [a["label"] for a in answers]
        return {"seconds": round(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 1), "epochs": made["epochs"],
                "batch_size": made["batch_size"], **scores(best, test)}


def scores(best, test):
    accuracy = {name: 100 * np.mean([a == label for a, (_, label) in zip(answers, test, strict=True)]) for name, answers in best.items()}
    wrong = [i for i, (a, (_, label)) in enumerate(zip(best["combined"], test)) if a != label]
    return {"n": len(test), "accuracy": {name: round(float(value), 3) for name, value in accuracy.items()}, "wrong": wrong}


def probe(program, split, train):
    embeddings = program.embed([text for text, _ in train] + [text for text, _ in split.test])
    head = LogisticRegression(C=10, max_iter=2000).fit(embeddings[:len(train)], [label for _, label in train])
    return scores({"combined": head.predict(embeddings[len(train):]).tolist()}, split.test)


def tuned(program, split, train, cell, results):
    """Cross entropy with the options that were best on the folds; their scores are kept as well."""
    epochs = results.find(cell, "defaults")["epochs"]
    tuned_once = {**cell, "draw": 0} if not cell["shots"] else cell  # all texts are the same in every draw

    def dev_score(choice):
        known = results.find(tuned_once, "tuning", choice)
        if known is None:
            right = sum(part["n"] * part["accuracy"]["combined"] for part in (
                program.train_and_test(*fold, "--method", "ce", *choice) for fold in folds(train, cell["shots"])))
            known = results.add(tuned_once, "tuning", {"options": choice, "right": round(right / 100, 1)})
        return known["right"]

    choices = [["--epochs", str(e), "--learning-rate", r, "--head-learning-rate", h]
               for e, r, h in product(sorted({epochs, max(1, epochs // 2)}), RATES, HEAD_RATES)]
    best = max(choices, key=dev_score)
    return {"options": best, **program.train_and_test(train, split.test, "--method", "ce", "--seed", cell["draw"], *best)}


class Results:
    def __init__(self, path):
        self.path = path
        self.rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def find(self, cell, what, options=None):
        for row in self.rows:
            if row["what"] == what and all(row.get(key) == value for key, value in cell.items()) and (options is None or row["options"] == options):
                return row
        return None

    def add(self, cell, what, result):
        row = {**cell, "what": what, **result}
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
        return row


def run(options, results):
    for number, shots, name in product(options.draws, options.shots, options.sets):
        cell = {"set": name, "shots": shots, "draw": number}
        split = datasets.read(name, options.data, 42)
        train = draw(split.train, shots, number)
        for what in (w for w in WHATS if w in options.what and not results.find(cell, w)):
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                program = Program(options, Path(folder))
                if what == "probe":
                    result = probe(program, split, train)
                elif what == "ce":
                    result = tuned(program, split, train, cell, results)
                else:
                    extra = ["--method", "ce"] if what == "same_ce" else []
                    result = program.train_and_test(train, split.test, "--seed", number, *extra)
            row = results.add(cell, what, result)
            print(name, shots or "all", number, what, row["accuracy"], row.get("seconds", ""), file=sys.stderr, flush=True)


def table(results):
    """Means over the draws that were run; differences are paired by test text, averaged over the draws."""
    print("| data | texts a class | draws | probe | tuned ce | neighbors / head / combined | behind the better | two paired standard errors | time of ce |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, shots in sorted({(row["set"], row["shots"]) for row in results.rows}):
        found = {what: {row["draw"]: row for row in results.rows if (row["set"], row["shots"], row["what"]) == (name, shots, what)} for what in WHATS}
        draws = sorted(set(found["defaults"]) & set(found["probe"]))
        with_ce = [d for d in draws if d in found["ce"]]
        if not draws:
            continue
        def right(what, over):
            grid = np.ones((len(over), found[what][over[0]]["n"]))
            for row, d in zip(grid, over):
                row[found[what][d]["wrong"]] = 0
            return 100 * grid.mean(0)
        others = [("probe", draws)] + ([("ce", with_ce)] if with_ce else [])
        behind, error = max(((right(o, over) - right("defaults", over)).mean(), 2 * np.std(right(o, over) - right("defaults", over)) / len(right(o, over)) ** 0.5)
                            for o, over in others)
        ours = " / ".join(f"{np.mean([found['defaults'][d]['accuracy'][p] for d in draws]):.1f}" for p in ("knn", "head", "combined"))
        same = [d for d in draws if d in found["same_ce"]]
        time = f"{np.sum([found['defaults'][d]['seconds'] for d in same]) / np.sum([found['same_ce'][d]['seconds'] for d in same]):.2f}" if same else ""
        ce = f"{right('ce', with_ce).mean():.1f}" + (f" ({', '.join(map(str, with_ce))})" if with_ce != draws else "") if with_ce else ""
        print(f"| {name} | {shots or 'all'} | {', '.join(map(str, draws))} | {right('probe', draws).mean():.1f} | {ce} | {ours} | {behind:+.1f} | {error:.1f} | {time} |")


def parser_of(description, results):
    """The arguments of a benchmark that keeps its finished runs in results/NAME."""
    parser = argparse.ArgumentParser(description=description)
    numbers = lambda text: [int(part) for part in text.split(",")]  # noqa: E731
    parser.add_argument("--knnbert", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), help="folder for models")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / results)
    parser.add_argument("--sets", type=lambda text: text.split(","), default=list(datasets.COMPARED))
    parser.add_argument("--shots", type=numbers, default=[8, 0], help="texts a class; 0: all")
    parser.add_argument("--draws", type=numbers, default=[1, 2, 3], help="also the seeds")
    parser.add_argument("--prefix", default="", help="in front of the program, such as `taskset -c 1`")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    return parser


def run_or_print(parser, run, table):
    """run(options, results) unless only the table is wanted, then table(results)."""
    options = parser.parse_args()
    results = Results(options.results)
    if not options.table:
        run(options, results)
    table(results)


def main():
    parser = parser_of(__doc__, "defaults.jsonl")
    parser.add_argument("--what", type=lambda text: text.split(","), default=list(WHATS))
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
