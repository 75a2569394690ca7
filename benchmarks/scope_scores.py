"""Out-of-scope scores that the library does not have, beside those it has, on CLINC150: distances of Mahalanobis (one covariance
for all classes, a tenth of it its mean variance), relative ones (minus the distance to all examples), and sums of the scores of a
fine-tuned model and of the encoder that it came from, each in standard deviations of its scores of the validation texts.

  python3 benchmarks/scope_scores.py --knnbert KNNBERT --encoder ENCODER --model MODEL --data DATA

MODEL: of `knnbert train --encoder ENCODER --train DATA/clinc150/data_full.json.gz --format clinc --split train --method ce`. The threshold
accepts 97 % of the validation texts, as in open_world.sh. Needs numpy and scikit-learn; three minutes of a core."""

import argparse
import gzip
import json
import tempfile
from pathlib import Path

import numpy as np
from defaults import Program
from sklearn.metrics import roc_auc_score

SPLITS = ("train", "val", "test", "oos_test")
COVERAGE = 0.97


def similar_neighbors(rows, labels, k):
    return lambda x: np.sort(x @ rows["train"].T, 1)[:, -k:].mean(1)


def class_means(rows, labels):
    return np.stack([rows["train"][labels == c].mean(0) for c in range(labels.max() + 1)])


def nearest_mean(rows, labels):
    means = class_means(rows, labels)
    return lambda x: (x @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).max(1)


def covariance(deviations):
    own = deviations.T @ deviations / len(deviations)
    return 0.9 * own + 0.1 * np.trace(own) / len(own) * np.eye(len(own))


def mahalanobis(rows, labels, relative):
    means, train = class_means(rows, labels), rows["train"]
    inverse, center = np.linalg.inv(covariance(train - means[labels])), train.mean(0)
    of_all = np.linalg.inv(covariance(train - center))

    def score(x):
        squares = (np.einsum("ij,jk,ik->i", x, inverse, x)[:, None] - 2 * x @ inverse @ means.T
                   + np.einsum("ij,jk,ik->i", means, inverse, means))
        return -squares.min(1) + (np.einsum("ij,jk,ik->i", x - center, of_all, x - center) if relative else 0)
    return score


def scores_of(rows, score):
    """Of validation, test and out-of-scope texts; larger is further in scope."""
    return [score(rows[split]) for split in SPLITS[1:]]


def standardized(scores):
    return [(s - scores[0].mean()) / scores[0].std() for s in scores]


def print_row(name, held_out, inside, outside):
    auroc = roc_auc_score(np.r_[np.ones(len(inside)), np.zeros(len(outside))], np.r_[inside, outside])
    threshold = np.sort(held_out)[int((1 - COVERAGE) * (len(held_out) + 1)) - 1]
    rejected, wrongly = (outside < threshold).sum(), (inside < threshold).sum()
    recall, precision = rejected / len(outside), rejected / (rejected + wrongly)
    print(f"| {name} | " + " | ".join(f"{100 * v:.1f}" for v in (auroc, recall, precision, 2 * recall * precision / (recall + precision))) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--knnbert", "--encoder", "--model", "--data"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--prefix", default="", help="in front of the program, such as `taskset -c 1`")
    options = parser.parse_args()
    with gzip.open(options.data / "clinc150" / "data_full.json.gz", "rt", encoding="utf-8") as file:
        texts = json.load(file)
    labels = np.unique([label for _, label in texts["train"]], return_inverse=True)[1]
    print("| score | AUROC | recall | precision | F1 |\n|---|---|---|---|---|")
    sums = []
    for name, model in (("pretrained", options.encoder), ("fine-tuned", options.model)):
        with tempfile.TemporaryDirectory() as folder:
            program = Program(options, Path(folder))
            rows = {split: program.embed([text for text, _ in texts[split]], model) for split in SPLITS}
        kinds = {"nearest example": similar_neighbors(rows, labels, 1), "mean of 5 nearest": similar_neighbors(rows, labels, 5),
                 "class mean": nearest_mean(rows, labels), "Mahalanobis": mahalanobis(rows, labels, False),
                 "relative Mahalanobis": mahalanobis(rows, labels, True)}
        found = {kind: scores_of(rows, score) for kind, score in kinds.items()}
        for kind, scores in found.items():
            print_row(f"{name}: {kind}", *scores)
        sums.append(standardized(found["mean of 5 nearest"]))
    print_row("mean of 5 nearest, fine-tuned + half of pretrained", *(f + 0.5 * p for p, f in zip(*sums)))


if __name__ == "__main__":
    main()
