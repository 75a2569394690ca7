"""Classes that are added to a trained model, beside training with them: see new_classes.sh."""

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from defaults import Program, hash_of, parser_of, run_or_print

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import datasets  # noqa: E402

OLD, EXAMPLES = 100, {"clinc150": (10, 50), "tenants": (5, 10)}


class LiveProgram(Program):
    def train(self, train, arguments):
        model = self.folder / "model"
        self.run("train", "--encoder", self.options.encoder, "--train", self.write("train.tsv", train), "--header", "absent",
                 "--output", model, *arguments)
        return model

    def accuracy(self, model, test):
        lines = self.run("predict", "--model", model, stdin="".join(f"{text}\n" for text, _ in test)).splitlines()
        return {name: round(100 * float(np.mean([choose(json.loads(line)) == label for line, (_, label) in zip(lines, test, strict=True)])), 2)
                for name, choose in (("knn", lambda a: max(a["knn"], key=a["knn"].get)), ("combined", lambda a: a["label"]))}


def measure(program, model, tests):
    return {name: program.accuracy(model, test) for name, test in tests.items()}


def seed_of(cell):
    return str(cell["draw"]) if isinstance(cell["draw"], int) else "1"


ADDED = {"added": [], "added, head refitted": ["--refit-head"]}


def run_added(options, program, cell, train, added, tests, results):
    model = program.train(train, ["--seed", seed_of(cell), *options.options.split()])
    live = program.folder / "live"
    for each in added:
        for what, arguments in ADDED.items():
            if results.find({**cell, "examples": each}, what, None):
                continue
            shutil.copytree(model, live)
            program.run("add", "--model", live, "--data", program.write("new.tsv", added[each]), "--header", "absent", *arguments)
            results.add({**cell, "examples": each}, what, measure(program, live, tests))
            shutil.rmtree(live)


def run_joint(options, program, cell, train, added, tests, results):
    for each in added:
        model = program.train(train + added[each], ["--seed", seed_of(cell), *cell["options"].split()])
        results.add({**cell, "examples": each}, "joint", measure(program, model, tests))


def run_peer(options, program, cell, train, added, tests, results):
    runner = Path(__file__).parent / "peers" / "new_classes" / "run_adaptive.py"
    for each in added:
        files = [program.write(name, pairs) for name, pairs in (("old.tsv", train), ("new.tsv", added[each]), *((f"{n}_test.tsv", t) for n, t in tests.items()))]
        command = [*options.prefix.split(), str(options.peer), str(runner), str(options.encoder.resolve()), *map(str, files)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        results.add({**cell, "examples": each}, "adaptive-classifier", json.loads(output.splitlines()[-1]))


def cell_of(split, names, old, examples):
    """Texts of the old classes, the first examples of each other class by hash, and test texts of both."""
    train = [pair for pair in split.train if pair[1] in old]
    tests = {"old": [p for p in split.test if p[1] in old], "new": [p for p in split.test if p[1] not in old]}
    new = [name for name in names if name not in old]
    added = {each: [pair for name in new for pair in sorted((p for p in split.train if p[1] == name), key=lambda p: hash_of(p[0]))[:each]]
             for each in examples}
    return train, added, tests


def cells(options):
    """What a row belongs to, and its texts: draws of classes of CLINC150; of the example data each class once."""
    if "clinc150" in options.sets:
        split = datasets.read("clinc150", options.data, 42)
        for number in options.draws:
            names = split.classes
            random.Random(number).shuffle(names)
            yield {"draw": number}, cell_of(split, names, set(names[:OLD]), EXAMPLES["clinc150"])
    if "tenants" in options.sets:
        folder = Path(__file__).parent.parent / "examples" / "data"
        train, test = ([tuple(line.split("\t")) for line in (folder / name).read_text().splitlines()] for name in ("train.tsv", "test.tsv"))
        split = datasets.Split(train, test)
        for left_out in split.classes:
            yield {"set": "tenants", "draw": left_out}, cell_of(split, split.classes, set(split.classes) - {left_out}, EXAMPLES["tenants"])



def run(options, results):
    runs = [("added", run_added, options.options), ("joint", run_joint, options.joint_options)]
    if options.peer:
        runs.append(("adaptive-classifier", run_peer, ""))
    for key, (train, added, tests) in cells(options):
        for what, one, arguments in runs:
            cell = {**key, "options": arguments}
            names_of_rows = ADDED if what == "added" else [what]
            if what not in options.what or all(results.find({**cell, "examples": each}, row, None) for each in added for row in names_of_rows):
                continue
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                one(options, LiveProgram(options, Path(folder)), cell, train, added, tests, results)


def combined(accuracy):
    return accuracy["combined"] if isinstance(accuracy, dict) else accuracy


def table(results):
    for name, examples in EXAMPLES.items():
        own = [row for row in results.rows if row.get("set", "clinc150") == name]
        if not own:
            continue
        print(f"| {name} | options | draws | " + " | ".join(f"{each} examples a new class: old classes | new classes" for each in examples) + " |")
        print("|---|---|---|---|---|---|---|")
        for what, options in sorted({(row["what"], row["options"]) for row in own}):
            rows = {each: [r for r in own if (r["what"], r["options"], r["examples"]) == (what, options, each)] for each in examples}
            means = [f"{np.mean([combined(r[part]) for r in rows[each]]):.1f}" if rows[each] else "" for each in examples for part in ("old", "new")]
            draws = sorted({str(r["draw"]) for each in examples for r in rows[each]})
            print(f"| {what} | {f'`{options}`' if options else ''} | {len(draws) if name == 'tenants' else ', '.join(draws)} | {' | '.join(means)} |")
        print()


def main():
    parser = parser_of(__doc__, "new_classes.jsonl")
    parser.set_defaults(draws=[1, 2, 3], sets=list(EXAMPLES))
    parser.add_argument("--options", default="--method ce --epochs 1 --pretrained-weight 0.5", help="of `knnbert train` where classes are added")
    parser.add_argument("--joint-options", default="--method ce", help="of `knnbert train` with all classes together")
    parser.add_argument("--what", type=lambda text: text.split(","), default=["added", "joint", "adaptive-classifier"])
    parser.add_argument("--peer", help="an interpreter that has adaptive-classifier")
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
