"""Classes that are added to a trained model, beside training with them: see new_classes.sh."""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from defaults import Program, hash_of, parser_of, run_or_print

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import datasets  # noqa: E402

OLD, EXAMPLES = 100, (10, 50)


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


def run_added(options, program, cell, train, added, tests, results):
    model = program.train(train, ["--seed", str(cell["draw"]), *options.options.split()])
    for each in EXAMPLES:
        ids = program.run("add", "--model", model, "--data", program.write("new.tsv", added[each]), "--header", "absent")
        results.add({**cell, "examples": each}, "added", measure(program, model, tests))
        (program.folder / "ids").write_text(ids)
        program.run("remove", "--model", model, "--ids", program.folder / "ids")


def run_joint(options, program, cell, train, added, tests, results):
    for each in EXAMPLES:
        model = program.train(train + added[each], ["--seed", str(cell["draw"]), *cell["options"].split()])
        results.add({**cell, "examples": each}, "joint", measure(program, model, tests))


def run_peer(options, program, cell, train, added, tests, results):
    runner = Path(__file__).parent / "peers" / "new_classes" / "run_adaptive.py"
    for each in EXAMPLES:
        files = [program.write(name, pairs) for name, pairs in (("old.tsv", train), ("new.tsv", added[each]), *((f"{n}_test.tsv", t) for n, t in tests.items()))]
        command = [*options.prefix.split(), str(options.peer), str(runner), str(options.encoder.resolve()), *map(str, files)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        results.add({**cell, "examples": each}, "adaptive-classifier", json.loads(output.splitlines()[-1]))


def run(options, results):
    runs = [("added", run_added, options.options), ("joint", run_joint, options.joint_options)]
    if options.peer:
        runs.append(("adaptive-classifier", run_peer, ""))
    split = datasets.read("clinc150", options.data, 42)
    for number in options.draws:
        names = split.classes
        random.Random(number).shuffle(names)
        old = set(names[:OLD])
        train = [pair for pair in split.train if pair[1] in old]
        tests = {"old": [p for p in split.test if p[1] in old], "new": [p for p in split.test if p[1] not in old]}
        added = {each: [pair for name in names[OLD:] for pair in sorted((p for p in split.train if p[1] == name), key=lambda p: hash_of(p[0]))[:each]]
                 for each in EXAMPLES}
        for what, one, arguments in runs:
            cell = {"draw": number, "options": arguments}
            if what not in options.what or all(results.find({**cell, "examples": each}, what, None) for each in EXAMPLES):
                continue
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                one(options, LiveProgram(options, Path(folder)), cell, train, added, tests, results)


def combined(accuracy):
    return accuracy["combined"] if isinstance(accuracy, dict) else accuracy


def table(results):
    print("| | options | draws | 10 examples a new class: old classes | new classes | 50: old classes | new classes |")
    print("|---|---|---|---|---|---|---|")
    for what, options in sorted({(row["what"], row["options"]) for row in results.rows}):
        rows = {each: [r for r in results.rows if (r["what"], r["options"], r["examples"]) == (what, options, each)] for each in EXAMPLES}
        cells = [f"{np.mean([combined(r[part]) for r in rows[each]]):.1f}" if rows[each] else "" for each in EXAMPLES for part in ("old", "new")]
        draws = sorted({r["draw"] for each in EXAMPLES for r in rows[each]})
        print(f"| {what} | {f'`{options}`' if options else ''} | {', '.join(map(str, draws))} | {' | '.join(cells)} |")


def main():
    parser = parser_of(__doc__, "new_classes.jsonl")
    parser.set_defaults(draws=[1, 2, 3])
    parser.add_argument("--options", default="--method ce --epochs 1 --pretrained-weight 0.5", help="of `knnbert train` where classes are added")
    parser.add_argument("--joint-options", default="--method ce", help="of `knnbert train` with all classes together")
    parser.add_argument("--what", type=lambda text: text.split(","), default=["added", "joint", "adaptive-classifier"])
    parser.add_argument("--peer", help="an interpreter that has adaptive-classifier")
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
