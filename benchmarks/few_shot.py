"""A few texts a class: knnbert beside SetFit and FastFit. See few_shot.sh."""

import json
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import datasets  # noqa: E402
from defaults import Program, draw, parser_of, run_or_print  # noqa: E402
from methods import peak_of_training  # noqa: E402

WHO = ("knnbert", "setfit", "fastfit")
ALL_PAIRS = {("trec6", 8), ("trec6", 32)}  # of SetFit; elsewhere 20 pairs a text and kind


def run_peer(options, who, program, train, test, name, shots, number):
    folder = Path(__file__).parent / "peers" / "few_shot"
    command = [*options.prefix.split(), str(options.peers / who / "bin" / "python"), str(folder / f"run_{who}.py"), str(options.encoder.resolve()),
               str(program.write("train.tsv", train)), str(program.write("test.tsv", test)), str(number)]
    if who == "setfit":
        command.append("0" if (name, shots) in ALL_PAIRS else "20")
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return {"n": len(test), **json.loads(output.splitlines()[-1])}


def run_knnbert(program, train, test, number):
    result = program.train_and_test(train, test, "--seed", number)
    return {"n": result["n"], "seconds": result["seconds"], "peak_mb": peak_of_training(program, []), "accuracy": result["accuracy"]["combined"]}


def run(options, results):
    for number, shots, name in product(options.draws, options.shots, options.sets):
        split = datasets.read(name, options.data, 42)
        train = draw(split.train, shots, number)
        for who in options.who:
            cell = {"set": name, "shots": shots, "draw": number}
            if results.find(cell, who):
                continue
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                program = Program(options, Path(folder))
                result = (run_knnbert(program, train, split.test, number) if who == "knnbert"
                          else run_peer(options, who, program, train, split.test, name, shots, number))
            row = results.add(cell, who, result)
            print(name, shots, number, who, row["accuracy"], row["seconds"], file=sys.stderr, flush=True)


def table(results):
    """Means over the draws that all have run that the row names; times relative to ours on the same draws."""
    print("| set | texts a class | draws | knnbert | SetFit | FastFit | seconds of knnbert | of SetFit | of FastFit | peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, shots in sorted({(row["set"], row["shots"]) for row in results.rows}):
        found = {who: {row["draw"]: row for row in results.rows if (row["set"], row["shots"], row["what"]) == (name, shots, who)} for who in WHO}
        there = [who for who in WHO if found[who]]
        draws = sorted(set.intersection(*(set(found[who]) for who in there)))
        if not draws:
            continue

        def mean(who, key, digits):
            if who not in there:
                return ""
            values = [found[who][d][key] for d in draws]
            spread = f" ± {np.std(values, ddof=1):.1f}" if key == "accuracy" and len(values) > 1 else ""
            return f"{np.mean(values):.{digits}f}{spread}"
        accuracy = " | ".join(mean(who, "accuracy", 1) for who in WHO)
        seconds = " | ".join(mean(who, "seconds", 0) for who in WHO)
        peaks = " / ".join(str(max(found[who][d]["peak_mb"] for d in draws)) for who in there)
        print(f"| {name} | {shots} | {', '.join(map(str, draws))} | {accuracy} | {seconds} | {peaks} |")


def main():
    parser = parser_of(__doc__, "few_shot.jsonl")
    parser.add_argument("--peers", type=Path, help="folder with an environment of each peer")
    parser.add_argument("--who", type=lambda text: text.split(","), default=list(WHO))
    parser.set_defaults(sets=["banking77", "clinc150", "trec6"], shots=[1, 2, 4, 5, 8, 10, 16, 32], draws=[1, 2, 3, 4, 5])
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
