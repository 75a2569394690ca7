"""Exact top-10 search beside Faiss, hnswlib and numpy, in turns on one core; prints a Markdown table.

    taskset -c 0 python search.py build/benchmarks/search [--sizes 100000 1000000] [--widths 384 768] [--batches 1 16 256]

Needs numpy, faiss-cpu, hnswlib. Every peer has to find the same neighbors before anything is timed (ties apart).
Times are processor time of the thread, the best of several turns. Faiss: the best of its settings for a batch.
"""
import argparse
import os
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import faiss
import hnswlib
import numpy as np

import common

NEIGHBORS = 10


def faiss_flat(keys):
    index = faiss.IndexFlatIP(keys.shape[1])
    index.add(keys)
    faiss.omp_set_num_threads(1)

    def with_threshold(threshold):
        def search(queries):
            faiss.cvar.distance_compute_blas_threshold = threshold
            return index.search(queries, NEIGHBORS)[1]
        return search
    return {"Faiss flat": with_threshold(1 << 30), "Faiss flat, BLAS": with_threshold(1)}


def hnswlib_flat(keys):
    index = hnswlib.BFIndex(space="ip", dim=keys.shape[1])
    index.init_index(max_elements=len(keys))
    index.add_items(keys)

    def search(queries):
        labels = index.knn_query(queries, k=NEIGHBORS, num_threads=1)[0]
        return labels.astype(np.int64)
    return {"hnswlib brute force": search}


def numpy_flat(keys):
    def search(queries):
        scores = queries @ keys.T
        best = np.argpartition(-scores, NEIGHBORS, axis=1)[:, :NEIGHBORS]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
        return np.take_along_axis(best, order, 1)
    return {"numpy": search}


class Knnbert(common.Turns):
    """The C++ program, which searches once for every line that it is sent."""

    def __init__(self, program, keys, queries, folder):
        queries.tofile(os.path.join(folder, "queries"))
        arguments = [program, "turns", os.path.join(folder, "keys"), str(keys.shape[0]), str(keys.shape[1]),
                     os.path.join(folder, "queries"), str(len(queries))]
        super().__init__(*arguments)
        self.ids = np.array(self.words(), np.int64).reshape(len(queries), NEIGHBORS)


def agree(queries, keys, ours, theirs):
    """The same neighbors, or others of equal score up to rounding."""
    for query, a, b in zip(queries, ours, theirs):
        if not np.allclose(np.sort(keys[a] @ query), np.sort(keys[b] @ query), atol=1e-5):
            return False
    return True


def measure(program, keys, queries, peers, folder, rounds):
    us = Knnbert(program, keys, queries, folder)
    try:
        for name, search in peers.items():
            if not agree(queries, keys, us.ids, search(queries)):
                raise SystemExit(f"{name} finds other neighbors")
        best = {name: float("inf") for name in peers}
        ours, lowered, bandwidth, peak = float("inf"), float("inf"), 0, 0
        for _ in range(rounds):
            seconds, in_bf16, read, operations = us.turn()
            ours, lowered, bandwidth, peak = min(ours, seconds), min(lowered, in_bf16), max(bandwidth, read), max(peak, operations)
            for name, search in peers.items():
                start = time.thread_time()
                search(queries)
                best[name] = min(best[name], time.thread_time() - start)
        return ours, lowered, best, bandwidth, peak
    finally:
        us.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100000, 1000000])
    parser.add_argument("--widths", type=int, nargs="+", default=[384, 768])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="for the keys, 3 GB at most; default: a temporary folder")
    options = parser.parse_args()
    print(f"faiss {faiss.__version__}, hnswlib {getattr(hnswlib, '__version__', '0.8')}, numpy {np.__version__}\n")
    print("| N x D | batch | ms | of bandwidth | of peak | keys in bf16, ms (ratio) | " + " | ".join(
        f"{name}, ms (ratio)" for name in ("Faiss flat", "Faiss flat, BLAS", "hnswlib brute force", "numpy")) + " |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for size in options.sizes:
        for width in options.widths:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                random = np.random.default_rng(1)
                keys = random.standard_normal((size, width), np.float32)
                keys /= np.linalg.norm(keys, axis=1, keepdims=True)
                keys.tofile(os.path.join(folder, "keys"))
                peers = {**faiss_flat(keys), **hnswlib_flat(keys), **numpy_flat(keys)}
                for batch in options.batches:
                    queries = random.standard_normal((batch, width), np.float32)
                    ours, lowered, best, bandwidth, peak = measure(options.program, keys, queries, peers, folder, options.rounds)
                    cells = [f"{best[name] * 1e3:.1f} ({best[name] / ours:.2f})" for name in peers]
                    print(f"| {size} x {width} | {batch} | {ours * 1e3:.2f} | {4 * size * width / ours / bandwidth:.0%} | "
                          f"{2 * size * width * batch / ours / peak:.0%} | {lowered * 1e3:.2f} ({ours / lowered:.2f}) | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
