"""Every method of `knnbert train` on several sets. See methods.sh."""

import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import datasets  # noqa: E402
from defaults import Program, draw, parser_of, run_or_print  # noqa: E402

CE = ["--method", "ce"]
METHODS = {
    "ce": CE,
    "knn-bert": ["--method", "knn-bert"],
    "knn-bert, class-balanced": ["--queue", "class-balanced"],
    "knn-bert, frozen keys": ["--momentum", "1"],
    "knn-bert, keys in bf16": ["--method", "knn-bert", "--key-precision", "bf16"],
    "knn-bert, keys in int8": ["--method", "knn-bert", "--key-precision", "int8"],
    "random-positive": ["--method", "random-positive"],
    "memory-bank": ["--method", "memory-bank"],
    "moco": ["--method", "moco"],
    "cluster-moco": ["--method", "cluster-moco"],
    "scl": ["--method", "scl"],
    "scl, lambda 0.9": ["--method", "scl", "--lambda", "0.9", "--learning-rate", "5e-5"],
    "scl, lambda 0.5": ["--method", "scl", "--lambda", "0.5", "--learning-rate", "1e-4"],
    "smart": [*CE, "--smart", "--proximal", "momentum"],
    "smart, epsilon 1e-2": [*CE, "--smart", "--smart-epsilon", "1e-2", "--smart-sigma", "1e-2", "--smart-eta", "1e-1"],
    "proximal": [*CE, "--proximal", "momentum"],
    "proximal, plain, 2 updates": [*CE, "--proximal", "plain", "--proximal-steps", "2"],
    "cat": [*CE, "--cat"],
    "cat, l2": [*CE, "--cat", "--cat-step", "l2"],
    "sda": [*CE, "--distill", "sda"],
    "sdv, window 3": [*CE, "--distill", "sdv", "--distill-window", "3"],
    "ema teacher": [*CE, "--distill", "ema"],
    "self-ensemble": [*CE, "--average", "se"],
    "self-ensemble, second half": [*CE, "--average", "se", "--average-from", "0.5"],
}


def run(options, results):
    for number, shots, name in product(options.draws, options.shots, options.sets):
        split = datasets.read(name, options.data, 42)
        train = draw(split.train, shots, number)
        for method in options.methods:
            cell = {"set": name, "shots": shots, "draw": number, "options": options.options}
            if results.find(cell, method):
                continue
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                program = Program(options, Path(folder))
                try:
                    arguments = [*METHODS[method], *options.options.split()]
                    result = program.train_and_test(train, split.test, "--seed", number, *arguments)
                    result["peak_mb"] = peak_of_training(program, arguments) if number == options.draws[0] else None
                except subprocess.CalledProcessError as error:
                    result = {"failed": error.returncode}
            row = results.add(cell, method, {key: value for key, value in result.items() if key != "wrong"})
            print(name, shots or "all", number, method, row.get("accuracy", "failed"), row.get("seconds", ""), file=sys.stderr, flush=True)


def peak_of_training(program, arguments):
    """Most resident memory of a training of one epoch over the same texts, in MiB."""
    command = [str(program.options.knnbert), "train", "--encoder", str(program.options.encoder), "--train", str(program.folder / "train.tsv"),
               "--header", "absent", "--output", str(program.folder / "peak"), "--threads", "1", "--epochs", "1", *arguments]
    child = subprocess.run([sys.executable, "-c", "import resource, subprocess, sys\n"
                            "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
                            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", *command], check=True, stdout=subprocess.PIPE, text=True)
    return round(int(child.stdout) / 1024)


def kind(row):
    return row["set"], row["shots"], row["options"]


def table(results):
    for name, shots, options in sorted({kind(row) for row in results.rows}):
        rows = [row for row in results.rows if kind(row) == (name, shots, options)]
        print(f"\n| {name}, {shots or 'all'} texts a class{options and f', `{options}`'} | draws | neighbors / head / combined | standard deviation | failed | time of ce | peak MiB |")
        print("|---|---|---|---|---|---|---|")
        ce_seconds = {row["draw"]: row["seconds"] for row in rows if row["what"] == "ce" and "failed" not in row}
        for method in METHODS:
            own = [row for row in rows if row["what"] == method]
            good = [row for row in own if "failed" not in row]
            if not good:
                continue
            mean = " / ".join(f"{np.mean([row['accuracy'][p] for row in good]):.1f}" for p in ("knn", "head", "combined"))
            spread = f"{np.std([row['accuracy']['combined'] for row in good], ddof=1):.1f}" if len(good) > 1 else ""
            time = [row["seconds"] / ce_seconds[row["draw"]] for row in good if row["draw"] in ce_seconds]
            time = f"{np.mean(time):.2f}" if time else ""
            peaks = [row["peak_mb"] for row in good if row.get("peak_mb")]
            print(f"| {method} | {len(good)} | {mean} | {spread} | {len(own) - len(good)} | {time} | {max(peaks, default='')} |")


def main():
    parser = parser_of(__doc__, "methods.jsonl")
    parser.add_argument("--options", default="", help="further ones of `knnbert train`, the same for all methods, such as `--precision bf16`")
    parser.add_argument("--methods", type=lambda text: text.split(";"), default=list(METHODS), help="separated by semicolons")
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
