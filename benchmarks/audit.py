"""Wrong labels found by neighbors, beside cleanlab: see audit.sh."""

import json
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from defaults import Program, parser_of, run_or_print

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import datasets  # noqa: E402

SHARE = 0.05


def quality(order, found, planted, n):
    """Of a list of suspects, the first `found` of which are said to be wrong; average precision over the whole order."""
    hits = [i in planted for i in order]
    right = sum(hits[:found])
    precisions = [sum(hits[:k + 1]) / (k + 1) for k in range(len(hits)) if hits[k]]
    at = len(planted)
    return {"found": found, "precision": round(right / max(found, 1), 4), "recall": round(right / at, 4),
            "precision_at_planted": round(sum(hits[:at]) / at, 4), "average_precision": round(sum(precisions) / at, 4)}


def cleanlab_suspects(probabilities, labels):
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores
    suspects = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence")
    rest = np.argsort(get_label_quality_scores(labels, probabilities), kind="stable")
    known = set(suspects.tolist())
    return suspects.tolist() + [i for i in rest.tolist() if i not in known], len(suspects)


def peers(rows, labels, seed):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    for name, model in (("cleanlab, logistic regression", LogisticRegression(C=10, max_iter=2000)), ("cleanlab, 10 neighbors", KNeighborsClassifier(10, metric="cosine"))):
        start = time.process_time()
        order, found = cleanlab_suspects(cross_val_predict(model, rows, labels, cv=folds, method="predict_proba"), labels)
        yield name, order, found, time.process_time() - start


def run(options, results):
    for name in options.sets:
        split = datasets.read(name, options.data, 42)
        for seed in options.draws:
            cell = {"set": name, "seed": seed}
            if results.find(cell, "cleanlab, 10 neighbors"):
                continue
            chance = random.Random(seed)
            classes = split.classes
            planted = set(chance.sample(range(len(split.train)), round(SHARE * len(split.train))))
            train = [(text, chance.choice([c for c in classes if c != label]) if i in planted else label) for i, (text, label) in enumerate(split.train)]
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                program = Program(options, Path(folder))
                path = program.write("noisy.tsv", train)
                said = json.loads(program.run("audit", "--model", options.encoder, "--data", path, "--header", "absent", "--json"))
                order = [int(e["place"].rsplit(":", 1)[1]) - 1 for e in said["label_errors"]]
                results.add(cell, "knnbert audit", {"n": len(train), "planted": len(planted), **quality(order, len(order), planted, len(train))})
                rows = program.embed([text for text, _ in train])
                labels = np.array([classes.index(label) for _, label in train])
                for what, order, found, seconds in peers(rows, labels, seed):
                    results.add(cell, what, {"n": len(train), "planted": len(planted), **quality(order, found, planted, len(train)), "seconds": round(seconds, 1)})


def table(results):
    print("| data | by | seeds | found of planted | precision | recall | precision at as many as planted |")
    print("|---|---|---|---|---|---|---|")
    for name, what in sorted({(r["set"], r["what"]) for r in results.rows}, key=lambda key: (key[0], -len(key[1]))):
        rows = [r for r in results.rows if (r["set"], r["what"]) == (name, what)]
        mean = {key: np.mean([r[key] for r in rows]) for key in ("found", "planted", "precision", "recall", "precision_at_planted")}
        print(f"| {name} | {what} | {len(rows)} | {mean['found']:.0f} of {mean['planted']:.0f} | {mean['precision']:.2f} | {mean['recall']:.2f} | {mean['precision_at_planted']:.2f} |")


def main():
    parser = parser_of(__doc__, "audit.jsonl")
    parser.set_defaults(sets=["trec6", "banking77"])
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
