"""Classes that are added to a trained model, beside training with them: see new_classes.sh."""

import json
import random
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


def run(options, results):
    split = datasets.read("clinc150", options.data, 42)
    for number in options.draws:
        names = split.classes
        random.Random(number).shuffle(names)
        old = set(names[:OLD])
        train = [pair for pair in split.train if pair[1] in old]
        tests = {"old": [p for p in split.test if p[1] in old], "new": [p for p in split.test if p[1] not in old]}
        added = {each: [pair for name in names[OLD:] for pair in sorted((p for p in split.train if p[1] == name), key=lambda p: hash_of(p[0]))[:each]]
                 for each in EXAMPLES}
        cell = {"draw": number, "options": options.options}
        arguments = ["--seed", str(number), *options.options.split()]
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            program = LiveProgram(options, Path(folder))
            if any(not results.find({**cell, "examples": each}, "added", None) for each in EXAMPLES):
                model = program.train(train, arguments)
                for each in EXAMPLES:
                    ids = program.run("add", "--model", model, "--data", program.write("new.tsv", added[each]), "--header", "absent")
                    results.add({**cell, "examples": each}, "added", measure(program, model, tests))
                    (Path(folder) / "ids").write_text(ids)
                    program.run("remove", "--model", model, "--ids", Path(folder) / "ids")
        for each in EXAMPLES:
            if not options.joint or results.find({**cell, "examples": each}, "joint", None):
                continue
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                program = LiveProgram(options, Path(folder))
                results.add({**cell, "examples": each}, "joint", measure(program, program.train(train + added[each], arguments), tests))


def table(results):
    print("| options | examples a new class | draws | old classes: added / trained together | new classes: added / trained together |")
    print("|---|---|---|---|---|")
    for options, each in sorted({(row["options"], row["examples"]) for row in results.rows}):
        rows = {what: [r for r in results.rows if (r["options"], r["examples"], r["what"]) == (options, each, what)] for what in ("added", "joint")}
        mean = {(what, part): f"{np.mean([r[part]['combined'] for r in rows[what]]):.1f}" if rows[what] else "" for what in rows for part in ("old", "new")}
        print(f"| {options or 'recipe'} | {each} | {len(rows['added'])} | {mean['added', 'old']} / {mean['joint', 'old']} | {mean['added', 'new']} / {mean['joint', 'new']} |")


def main():
    parser = parser_of(__doc__, "new_classes.jsonl")
    parser.set_defaults(draws=[1])
    parser.add_argument("--options", default="", help="of `knnbert train`")
    parser.add_argument("--no-joint", dest="joint", action="store_false", help="no training with the new classes")
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
