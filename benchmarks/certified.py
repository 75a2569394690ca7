"""Certified accuracies: see certified.sh."""

import json
import shutil
import tempfile
from pathlib import Path

from defaults import Program, datasets, parser_of, run_or_print

SHOWN = (0, 1, 2, 3, 5, 8, 12)


def run(options, results):
    for name in options.sets:
        split = datasets.read(name, options.data, 42)
        for seed in options.draws:
            for victim in options.victims:
                cell = {"set": name, "seed": seed, "victim": victim}
                missing = [k for k in options.neighbors if not results.find({**cell, "neighbors": k}, "certified")]
                if not missing:
                    continue
                with tempfile.TemporaryDirectory(dir=options.work) as folder:
                    program = Program(options, Path(folder))
                    test, model = program.write("test.tsv", split.test), Path(folder) / "model"
                    program.run("train", "--encoder", options.encoder, "--train", program.write("train.tsv", split.train), "--header", "absent",
                                "--output", model, "--seed", seed, *victim.split())
                    for k in missing:
                        said = json.loads(program.run("eval", "--model", model, "--data", test, "--header", "absent", "--neighbors", k, "--json"))
                        results.add({**cell, "neighbors": k}, "certified", {"n": len(split.test), **said["certified_accuracy"]})
                    shutil.rmtree(model)


def table(results):
    print("| data | model | neighbors | answer | " + " | ".join(f"m = {m}" for m in SHOWN) + " | any |")
    print("|---" * (5 + len(SHOWN)) + "|")
    for row in sorted(results.rows, key=lambda r: (r["set"], r["victim"], r["neighbors"], r["seed"])):
        for name in ("knn", "combined"):
            at = row[name]["at"]
            cells = " | ".join(f"{100 * at[m]:.1f}" if m < len(at) else "" for m in SHOWN)
            print(f"| {row['set']} | `{row['victim']}` | {row['neighbors']} | {name} | {cells} | {100 * row[name]['any_number']:.1f} |")


def main():
    parser = parser_of(__doc__, "certified.jsonl")
    parser.set_defaults(draws=[1])
    parser.add_argument("--victims", type=lambda text: text.split("|"), default=["--method ce", "--method knn-bert"])
    parser.add_argument("--neighbors", type=lambda text: [int(part) for part in text.split(",")], default=[16, 64])
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
