"""Rejection of texts out of scope on CLINC150. See open_world.sh."""

import json
import sys
from pathlib import Path

from defaults import Program, parser_of, run_or_print

METHODS = {"knn-bert": [], "ce": ["--method", "ce"],
           "ce, half of the way back": ["--method", "ce", "--pretrained-weight", "0.5"]}
RUNS = [(score, coverage) for score in ("neighbors", "class-mean", "max-probability", "energy") for coverage in (0.95, 0.97)]


def run(options, results):
    clinc = options.data / "clinc150" / "data_full.json"
    clinc = clinc if clinc.exists() else Path(f"{clinc}.gz")
    data = lambda split: ["--data", clinc, "--format", "clinc", "--split", split]  # noqa: E731
    for method in options.methods:
        program, model = Program(options, options.work), options.work / f"open_world-{method}"
        for score, coverage in RUNS:
            cell = {"method": method, "score": score, "coverage": coverage}
            if results.find(cell, "clinc150"):
                continue
            if not model.exists():
                program.run("train", "--encoder", options.encoder, "--train", *data("train")[1:], "--output", model, *METHODS[method])
            chosen = json.loads(program.run("calibrate", "--model", model, *data("val"), "--score", score, "--coverage", coverage, "--json"))
            found = json.loads(program.run("eval", "--model", model, *data("test+oos_test"), "--out-of-scope-label", "oos", "--json"))
            result = {"accuracy": found["accuracy"], "rejection": found["rejection"], "temperature": chosen["temperature"],
                      "error_before": found["temperature"]["calibration_error_before"],
                      "error_after": found["calibration"]["combined"]["expected_calibration_error"]}
            results.add(cell, "clinc150", result)
            print(method, score, coverage, "F1", round(100 * result["rejection"]["f1"], 1), file=sys.stderr, flush=True)


def table(results):
    percent = lambda value: f"{100 * value:.1f}"  # noqa: E731
    for method in METHODS:
        rows = [row for row in results.rows if row["method"] == method]
        if not rows:
            continue
        first = rows[0]
        print(f"\n{method}: accuracy of neighbors / head / combined without rejection "
              + " / ".join(percent(first["accuracy"][p]) for p in ("knn", "head", "combined"))
              + f"; calibration error {percent(first['error_before'])} before, {percent(first['error_after'])} after (T = {first['temperature']:.2f})\n")
        print("| score | AUROC | accepted out of scope at 95 % | coverage promised | coverage | right of accepted | accepted and right | recall | precision | F1 |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for row in rows:
            r = row["rejection"]
            own = r["scores"][row["score"]]
            cells = [own["auroc"], own["accepted_out_of_scope"], row["coverage"], r["coverage"], r["accepted_accuracy"], r["in_scope_accuracy"],
                     r["recall"], r["precision"], r["f1"]]
            print(f"| {row['score']} | " + " | ".join(map(percent, cells)) + " |")


def main():
    parser = parser_of(__doc__, "open_world.jsonl")
    parser.add_argument("--methods", type=lambda text: text.split(";"), default=list(METHODS), help="separated by semicolons")
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
