"""usage: distributed_model.py RESULTS.jsonl

Tables of what distributed.sh measured, and a model of a step on more nodes, in Markdown. The time of an all-reduce of n bytes
among p processes is
    t = alpha * 2 ceil(log2 p) + beta * 2 (p - 1) / p * n
(Rabenseifner's algorithm): alpha is fitted to messages of at most 4 KB, beta to those of 1 MB and more, where the other term
hardly counts, both to the fastest times, of processes that had a core each where there are such. In between a limit of the
rate lets short bursts pass. A step of p nodes then takes its time
alone plus what of the all-reduce, which goes in pieces of 2 MB, the backward pass does not cover: it covers what travels
while earlier layers are at work, (layers - 1) / layers of its time at most. Bytes are those measured on 4 processes; more
nodes touch more rows of the token embeddings, up to 47 MB for a vocabulary of 30,522.
"""
import json
import math
import sys

LAYERS = 6  # of the encoder in distributed.sh
PIECE = 1 << 21
ASSUMED = {"10 Gbit/s Ethernet": (30e-6, 1 / 1.1e9), "100 Gbit/s InfiniBand": (3e-6, 1 / 11e9)}  # alpha, beta: not measured here


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def features(p, n):
    return 2 * math.ceil(math.log2(p)), 2 * (p - 1) / p * n


def predict(alpha, beta, p, n):
    latency, volume = features(p, n)
    return alpha * latency + beta * volume


def fit(rows):
    """Alpha, beta, and the mean relative error over the messages of 1 MB and more."""
    def slope(chosen, which):
        """Least squares of relative errors of t = slope * feature."""
        ratios = [features(r["processes"], r["bytes"])[which] / r["fastest"] for r in chosen]
        return sum(ratios) / sum(x * x for x in ratios)
    large = [r for r in rows if r["bytes"] >= 1 << 20]
    alpha, beta = slope([r for r in rows if r["bytes"] <= 4096], 0), slope(large, 1)
    errors = [abs(predict(alpha, beta, r["processes"], r["bytes"]) / r["fastest"] - 1) for r in large]
    return alpha, beta, sum(errors) / len(errors)


def exposed(alpha, beta, p, size, backward):
    """Seconds of the all-reduce that the backward pass does not cover."""
    pieces = math.ceil(size / PIECE)
    total = pieces * predict(alpha, beta, p, size / pieces)
    return max(total / LAYERS, total - backward * (LAYERS - 1) / LAYERS)  # the first layer and the embeddings come at the end


def predictions(networks, alone, twice, size):
    """Steps of p nodes: 16 examples for each, and 1024 for all; `alone` and `twice` are steps of 16 and 32 examples."""
    nodes = [8, 16, 32, 64, 128, 256, 512]
    per_example = max(0.0, twice["seconds"] - alone["seconds"]) / 16
    fixed = max(0.0, alone["seconds"] - 16 * per_example)
    print(f"Predicted steps ({alone['seconds']:.3f} s of one process with 16 examples, {size / 1e6:.1f} MB of gradients): efficiency of weak scaling, 16 examples a "
          f"node, and seconds of the all-reduce that stay visible; speed-up of strong scaling over one process with 1024 examples. Networks called assumed are not "
          "measured.\n")
    rows = []
    for name, (alpha, beta) in networks.items():
        hidden = [exposed(alpha, beta, p, size, alone["backward"]) for p in nodes]
        rows.append([name, "weak"] + [f"{100 * alone['seconds'] / (alone['seconds'] + h):.0f} %, {h:.3f} s" for h in hidden])
        strong = []
        for p in nodes:
            examples = 1024 / p
            share = fixed + per_example * examples
            step = share + exposed(alpha, beta, p, size, alone["backward"] / alone["seconds"] * share)
            strong.append(f"{(fixed + per_example * 1024) / step:.0f}")
        rows.append([name, "strong"] + strong)
    table(["network", "scaling"] + [str(p) for p in nodes], rows)


def scaling(rows, kind):
    chosen = {r["processes"]: r for r in rows if r["kind"] == kind}
    if 1 not in chosen:
        return
    alone = chosen[1]
    print(f"{'Strong' if kind == 'strong' else 'Weak'} scaling, one machine:\n")
    table(["processes", "batch", "seconds a step", "speed-up", "waiting for others"],
          [(p, r["batch"], f"{r['seconds']:.3f}", f"{alone['seconds'] / r['seconds'] * r['batch'] / alone['batch']:.2f}", f"{100 * r['waited'] / r['seconds']:.1f} %")
           for p, r in sorted(chosen.items())])


def overlap(rows, networks):
    """Measured waiting beside what the model says of it."""
    chosen = [r for r in rows if r["kind"] == "overlap"]
    if not chosen:
        return
    print("Overlap between network namespaces:\n")
    table(["network", "nodes", "sums start", "seconds a step", "waiting for others", "by the model"],
          [(r["network"], r["processes"], "during the backward pass" if r["overlap"] else "behind it", f"{r['seconds']:.3f}", f"{r['waited']:.3f} s",
            f"{exposed(*networks[r['network']], r['processes'], r['reduced_bytes'], r['backward'] if r['overlap'] else 0):.3f} s") for r in chosen])


def main(path):
    rows = [json.loads(line) for line in open(path)]
    steps = [r for r in rows if r["measure"] == "train"]
    scaling(steps, "strong")
    scaling(steps, "weak")

    networks = {}
    print("All-reduce, t = alpha 2 ceil(log2 p) + beta 2 (p - 1) / p n:\n")
    lines = []
    for network in dict.fromkeys(r["network"] for r in rows if r["measure"] == "all-reduce"):
        times = [r for r in rows if r["measure"] == "all-reduce" and r["network"] == network]
        alpha, beta, error = fit([r for r in times if r["processes"] <= r["cores"]] or times)
        networks[network] = alpha, beta
        lines.append((network, f"{alpha * 1e6:.1f}", f"{1e-9 / beta:.2f}", f"{100 * error:.0f} %"))
    table(["network", "alpha, us", "1 / beta, GB/s", "mean relative error"], lines)
    overlap(steps, networks)

    weak = {r["processes"]: r for r in steps if r["kind"] == "weak"}
    strong = {r["processes"]: r for r in steps if r["kind"] == "strong"}
    if 1 not in weak or 1 not in strong or len(weak) < 2:
        return
    networks.update({name + " (assumed)": numbers for name, numbers in ASSUMED.items()})
    predictions(networks, weak[1], strong[1], max(r["reduced_bytes"] for r in weak.values()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
