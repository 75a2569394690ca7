"""The contrast of a queue beside PyTorch, in turns on one core; prints a Markdown table.

    taskset -c 0 python queue_contrast.py build/benchmarks/queue [--sizes 32000 100000] [--widths 384 768] [--classes 2 6]

Needs numpy and torch. `released`: the selection of the released code, with its full sorts and negatives repeated for every
positive. `rewrite`: top-k and log-sum-exp. Loss and gradient have to agree before anything is timed. Times are processor
time of the thread, the best of several turns.
"""
import argparse
import os
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch

import common

torch.set_num_threads(1)
BATCH, MOST, LEAST, TEMPERATURE = 16, 100, 1, 0.07


def released(queries, keys, same):
    """Everything sorted, lists cut to the shortest of the batch, [B, P, 1 + N] logits, cross-entropy with target 0."""
    scores = queries @ keys.T
    fewest_positives, fewest_negatives = int(same.sum(1).min()), int((~same).sum(1).min())
    positive_scores = torch.where(same, scores, torch.full_like(scores, -torch.inf)).sort(dim=1, descending=True)[0]
    negative_scores = torch.where(same, torch.full_like(scores, -torch.inf), scores).sort(dim=1, descending=True)[0]
    positives = positive_scores[:, :fewest_positives]
    negatives = negative_scores[:, :fewest_negatives]
    chosen = torch.cat([positives[:, :MOST], positives[:, fewest_positives - LEAST:]], 1)
    repeated = negatives.unsqueeze(1).repeat(1, MOST + LEAST, 1)
    logits = torch.cat([chosen.unsqueeze(2), repeated], 2).reshape(-1, 1 + fewest_negatives) / TEMPERATURE
    return torch.nn.functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


def rewrite(queries, keys, same):
    scores = queries @ keys.T
    log_z = torch.logsumexp(scores.masked_fill(same, -torch.inf) / TEMPERATURE, 1, keepdim=True)
    most = scores.masked_fill(~same, -torch.inf).topk(MOST, 1)[0]
    least = scores.masked_fill(~same, torch.inf).topk(LEAST, 1, largest=False)[0]
    chosen = torch.cat([most, least], 1) / TEMPERATURE
    return torch.nn.functional.softplus(log_z - chosen).mean()


def step(loss_of, queries, keys, same):
    """Loss, gradient, seconds."""
    queries = queries.clone().requires_grad_()
    start = time.thread_time()
    loss = loss_of(queries, keys, same)
    loss.backward()
    return loss.item(), queries.grad, time.thread_time() - start


def problem(size, width, classes):
    """Equally many keys of every class: lists of the released code are then as long as everybody's own."""
    generator = torch.Generator().manual_seed(1)
    keys = torch.nn.functional.normalize(torch.randn(size, width, generator=generator), dim=1)
    queries = torch.nn.functional.normalize(torch.randn(BATCH, width, generator=generator), dim=1)
    labels = torch.arange(size - size % classes) % classes
    labels = labels[torch.randperm(len(labels), generator=generator)]
    return queries, keys[:len(labels)], labels, torch.arange(BATCH) % classes


class Knnbert(common.Turns):
    """The C++ program, which contrasts once for every line that it is sent."""

    def __init__(self, program, queries, keys, labels, anchors):
        self.folder = tempfile.TemporaryDirectory()
        for name, values in (("queries", queries), ("keys", keys), ("labels", labels.int()), ("anchors", anchors.int())):
            values.numpy().tofile(os.path.join(self.folder.name, name))
        super().__init__(program, "turns", self.folder.name, len(keys), keys.shape[1])
        self.loss = float(self.words()[0])
        self.words()
        self.gradient = np.fromfile(os.path.join(self.folder.name, "gradient"), np.float32).reshape(queries.shape)

    def close(self):
        super().close()
        self.folder.cleanup()


def measure(program, size, width, classes, rounds):
    queries, keys, labels, anchors = problem(size, width, classes)
    same = anchors[:, None] == labels[None, :]
    us = Knnbert(program, queries, keys, labels, anchors)
    peers = {"released": released, "rewrite": rewrite}
    try:
        best = {}
        for name, loss_of in peers.items():
            loss, gradient, best[name] = step(loss_of, queries, keys, same)
            difference = np.abs(gradient.numpy() - us.gradient).max() / np.abs(us.gradient).max()
            if abs(loss - us.loss) > 1e-4 * abs(loss) or difference > 1e-4:
                raise SystemExit(f"{name}: loss {loss} for {us.loss}, gradients differ by {difference:.1e}")
        ours, bandwidth, peak = float("inf"), 0, 0
        for _ in range(rounds):
            for _ in range(4):  # turns of a few milliseconds: several of them
                seconds, read, operations = us.turn()
                ours, bandwidth, peak = min(ours, seconds), max(bandwidth, read), max(peak, operations)
            for name, loss_of in peers.items():
                best[name] = min(best[name], step(loss_of, queries, keys, same)[2])
    finally:
        us.close()
    floor = max(8 * len(keys) * width / bandwidth, 4 * BATCH * len(keys) * width / peak)
    cells = [f"{best[name] * 1e3:.0f} ({best[name] / ours:.1f})" for name in peers]
    print(f"| {len(keys)} x {width}, {classes} classes | {ours * 1e3:.2f} | {ours / floor:.2f} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32000, 100000])
    parser.add_argument("--widths", type=int, nargs="+", default=[384, 768])
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 6])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"torch {torch.__version__}; {BATCH} anchors, {MOST} + {LEAST} positives\n")
    print("| K x D | ms | x floor | released, ms (ratio) | rewrite, ms (ratio) |\n|---|---|---|---|---|")
    for size in options.sizes:
        for width in options.widths:
            for classes in options.classes:
                measure(options.program, size, width, classes, options.rounds)


if __name__ == "__main__":
    main()
