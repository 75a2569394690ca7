"""What PyTorch, transformers and Faiss compute for everything right of the embedding, in float64 from float32 inputs.

losses.safetensors          values NAME.value [1] f64 and gradients NAME.d_*, inputs beside them
contrast.safetensors        the contrast of a queue: keys [n, D], labels, queries, and CASE.value, CASE.d_queries
optimizer.safetensors       AdamW and Sgd: start.PARAMETER, gradient.STEP.PARAMETER, rate [steps], CASE.STEP.PARAMETER
schedules.safetensors       KIND.WARMUP.TOTAL [steps] f64
neighbors.safetensors       keys, queries, cosine.ids, cosine.scores, euclidean.ids, euclidean.scores [B, k]
"""

import torch
from torch.nn import functional
from transformers import (get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
                          get_linear_schedule_with_warmup)

from common import generator, parse_arguments, save

STEPS = 10


def normal(*shape, seed):
    """Random numbers that float32 holds exactly."""
    return torch.randn(*shape, generator=generator(seed)).double()


def labels_of(count, classes, seed):
    return torch.randint(classes, (count,), generator=generator(seed))


def leaf(tensor):
    return tensor.clone().requires_grad_()


def gradients(value, *inputs):
    return torch.autograd.grad(value, inputs)


# --- losses of a batch -------------------------------------------------------------------------------------------------

def stable_kl(a, b):
    """SMART's released inner objective."""
    def log_odds(logits):
        return -(1 / (functional.softmax(logits, -1) + 1e-6) - 1 + 1e-6).log()

    weight = (log_odds(a) - log_odds(b)).detach()
    return 2 * (functional.softmax(a, -1) * weight).sum()


def kl(target, other):
    """KL(target | other), mean over rows."""
    return functional.kl_div(other, target, reduction="batchmean", log_target=True)


def symmetric_kl(a, b, detach):
    p, q = functional.log_softmax(a, -1), functional.log_softmax(b, -1)
    return kl(p.detach() if detach else p, q) + kl(q.detach() if detach else q, p)


def in_batch_contrast(z, labels, temperature):
    """SupCon with the mean outside of the logarithm, rows without a partner left out."""
    others = ~torch.eye(len(z), dtype=torch.bool)
    partners = (labels[:, None] == labels) & others
    scores = (z @ z.T / temperature).masked_fill(~others, -torch.inf)
    log_p = functional.log_softmax(scores, -1).masked_fill(~partners, 0)
    valid = partners.any(1)
    return -(log_p.sum(1)[valid] / partners.sum(1)[valid]).mean()


def released_scl(a, labels, temperature):
    same = labels[:, None] == labels
    weights = (a @ a.T / temperature).exp()
    ratio = (weights * same).sum(1) / ((weights * ~same).sum(1) + 1e-12)
    return ratio.sum() / same.sum()


def dump_losses(path):
    a, b, labels = normal(12, 7, seed=1), normal(12, 7, seed=2), labels_of(12, 7, 3)
    inputs = {"a": a, "b": b, "labels": labels}
    values, results = {}, {}

    def add(name, function, **named):
        leaves = {key: leaf(value) for key, value in named.items()}
        value = function(*leaves.values())
        values[f"{name}.value"] = value.detach().reshape(1)
        for key, gradient in zip(leaves, gradients(value, *leaves.values()), strict=True):
            results[f"{name}.d_{key}"] = gradient

    for smoothing in (0.0, 0.1):
        add(f"cross_entropy.{smoothing}", lambda x, s=smoothing: functional.cross_entropy(x, labels, label_smoothing=s), a=a)
    add("symmetric_kl", lambda x, y: symmetric_kl(x, y, False), a=a, b=b)
    add("half_detached", lambda x, y: symmetric_kl(x, y, True), a=a, b=b)
    add("stable_kl", lambda x: stable_kl(x, b), a=a)
    add("squared_error.mean", functional.mse_loss, a=a, b=b)
    add("squared_error.batch_mean", lambda x, y: functional.mse_loss(x, y, reduction="sum") / len(x), a=a, b=b)
    add("squared_error.sum", lambda x, y: functional.mse_loss(x, y, reduction="sum"), a=a, b=b)
    add("released_scl", lambda x: released_scl(x, labels % 3, 2.0), a=a)

    raw, classes = normal(20, 48, seed=4), torch.cat([labels_of(19, 4, 5), torch.tensor([9])])  # the last one is alone
    pairs = torch.arange(10).repeat(2)
    inputs |= {"raw": raw, "classes": classes, "pairs": pairs}
    for name, partners, temperature in (("supervised", classes, 0.3), ("views", pairs, 0.05)):
        add(name, lambda g, p=partners, t=temperature: in_batch_contrast(functional.normalize(g, dim=-1), p, t), raw=raw)
    save(path, inputs | results, wide=values)


# --- the contrast of a queue -------------------------------------------------------------------------------------------

def select(own, top_k, end_k, duplicate):
    """Places in a ranked list of len(own) positives."""
    first = list(range(min(top_k, len(own))))
    last = list(range(len(own) - min(end_k, len(own)), len(own)))
    return first + [place for place in last if duplicate or place not in first]


def contrast(scores, positive, negative, temperature, top_k, end_k, batch_min=False, duplicate=False, pair_mean=False,
             interleaved=False):
    """Cross entropy of each positive against all negatives of its row; lists ranked by score, smaller index first."""
    ranked_positives, ranked_negatives = [], []
    for row, yes, no in zip(scores, positive, negative, strict=True):
        order = row.detach().argsort(descending=True, stable=True)
        ranked_positives.append(row[order[yes[order]]] / temperature)
        ranked_negatives.append(row[order[no[order]]] / temperature)
    valid = [i for i in range(len(scores)) if len(ranked_positives[i]) and len(ranked_negatives[i])]
    if batch_min:
        shortest_positives = min(len(ranked_positives[i]) for i in valid)
        shortest_negatives = min(len(ranked_negatives[i]) for i in valid)
        ranked_positives = [row[:shortest_positives] for row in ranked_positives]
        ranked_negatives = [row[:shortest_negatives] for row in ranked_negatives]
    losses = []
    for i in valid:
        chosen = ranked_positives[i][select(ranked_positives[i], top_k, end_k, duplicate)]
        if interleaved:  # the released layout: repeat, then cut into one slice a positive
            others = ranked_negatives[i].repeat_interleave(len(chosen)).view(len(chosen), -1)
        else:
            others = ranked_negatives[i].expand(len(chosen), -1)
        logits = torch.cat([chosen[:, None], others], dim=1)
        losses.append(functional.cross_entropy(logits, torch.zeros(len(chosen), dtype=torch.long), reduction="none"))
    return torch.cat(losses).mean() if pair_mean else torch.stack([row.mean() for row in losses]).mean()


def dump_contrast(path):
    keys = functional.normalize(normal(2000, 48, seed=11), dim=-1).float().double()
    labels, clusters = labels_of(2000, 5, 12), labels_of(2000, 3, 13)
    raw = normal(24, 48, seed=14)
    queries = functional.normalize(raw, dim=-1).float().double()
    anchors, anchor_clusters = labels_of(24, 6, 15), labels_of(24, 3, 16)  # class 5 has no key
    own = functional.normalize(normal(24, 48, seed=17), dim=-1).float().double()
    tensors = {"keys": keys, "labels": labels, "clusters": clusters, "raw": raw, "queries": queries, "anchors": anchors,
               "anchor_clusters": anchor_clusters, "own_keys": own}
    values = {}
    same, same_cluster = anchors[:, None] == labels, anchor_clusters[:, None] == clusters

    def add(name, positive=same, negative=~same, metric=lambda z: z @ keys.T, at=queries, **options):
        z = leaf(at)
        value = contrast(metric(z), positive, negative, **({"temperature": 0.07, "top_k": 20, "end_k": 5} | options))
        values[f"{name}.value"] = value.detach().reshape(1)
        tensors[f"{name}.d_queries"], = gradients(value, z)

    add("plain")
    add("raw", at=raw, metric=lambda g: functional.normalize(g, dim=-1) @ keys.T)
    add("pair_mean", pair_mean=True, top_k=500)
    add("batch_min", batch_min=True)
    add("duplicate", duplicate=True, top_k=390, end_k=60)
    add("released", batch_min=True, duplicate=True, pair_mean=True, top_k=340, end_k=30)
    add("warm", temperature=0.5, top_k=1, end_k=0)
    add("euclidean", metric=lambda z: -torch.cdist(z, keys, compute_mode="donot_use_mm_for_euclid_dist"))
    add("cluster", same & same_cluster, ~same, end_k=0)
    add("cluster_xnor", same == same_cluster, same != same_cluster, end_k=0, batch_min=True)
    add("cluster_interleaved", same == same_cluster, same != same_cluster, end_k=0, batch_min=True, interleaved=True)

    z = leaf(queries)
    scores, positive = z @ keys.T, (z * own).sum(1)
    logits = torch.cat([positive[:, None], scores.masked_fill(same, -torch.inf)], dim=1) / 0.07
    value = functional.cross_entropy(logits, torch.zeros(len(z), dtype=torch.long))
    values["one.value"] = value.detach().reshape(1)
    tensors["one.d_queries"], = gradients(value, z)
    save(path, tensors, wide=values)


# --- optimizers and schedules ------------------------------------------------------------------------------------------

def small_model():
    return {"weight": leaf(normal(40, 30, seed=21)), "bias": leaf(normal(30, seed=22)), "words": leaf(normal(50, 12, seed=23))}


def draw_gradients(step):
    """Large ones, so that clipping acts; a few rows of the table of words, others from step to step."""
    drawn = {"weight": normal(40, 30, seed=30 + step), "bias": normal(30, seed=50 + step), "words": torch.zeros(50, 12).double()}
    rows = torch.tensor([step, 2 * step + 1, 30])
    drawn["words"][rows] = normal(3, 12, seed=70 + step)
    return drawn


def dump_optimizers(path):
    tensors = {f"start.{name}": value for name, value in small_model().items()}
    rates = []

    def run(case, make, clip):
        model = small_model()
        optimizer = make(model)
        schedule = get_linear_schedule_with_warmup(optimizer, 3, STEPS)
        rates.clear()
        for step in range(STEPS):
            rates.append(schedule.get_last_lr()[0])
            for name, gradient in draw_gradients(step).items():
                tensors[f"gradient.{step}.{name}"] = gradient
                model[name].grad = gradient.clone()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.values(), clip)
            optimizer.step()
            schedule.step()
            for name, value in model.items():
                tensors[f"{case}.{step}.{name}"] = value.detach().clone()

    run("adamw", lambda m: torch.optim.AdamW(m.values(), lr=0.05, weight_decay=0), 1.0)
    run("adamw_decay", lambda m: torch.optim.AdamW([{"params": [m["weight"], m["words"]], "weight_decay": 0.2},
                                                    {"params": [m["bias"]], "weight_decay": 0, "lr": 0.5}], lr=0.05), 0)
    run("sgd", lambda m: torch.optim.SGD(m.values(), lr=0.05, momentum=0.9), 0)
    save(path, tensors, wide={"rate": torch.tensor(rates)})


def dump_schedules(path):
    makers = {"constant": lambda o, warmup, total: get_constant_schedule_with_warmup(o, warmup),
              "linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}
    factors = {}
    for kind, make in makers.items():
        for warmup, total in ((0, 50), (7, 60), (10, 10), (0, 1)):
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
            schedule = make(optimizer, warmup, total)
            row = []
            for _ in range(total + 5):
                row.append(schedule.get_last_lr()[0])
                optimizer.step()
                schedule.step()
            factors[f"{kind}.{warmup}.{total}"] = torch.tensor(row, dtype=torch.float64)
    save(path, {}, wide=factors)


# --- neighbors ---------------------------------------------------------------------------------------------------------

def dump_neighbors(path):
    try:
        import faiss
    except ImportError:
        print("skipped neighbors: no module faiss")
        return
    keys, queries, most = normal(20000, 96, seed=41).float(), normal(64, 96, seed=42).float(), 25
    tensors = {"keys": keys, "queries": queries}
    unit = [functional.normalize(rows, dim=-1).numpy() for rows in (keys, queries)]
    plain = [rows.numpy() for rows in (keys, queries)]
    for name, index, (stored, asked) in (("cosine", faiss.IndexFlatIP(96), unit), ("euclidean", faiss.IndexFlatL2(96), plain)):
        index.add(stored)
        scores, ids = index.search(asked, most)
        tensors |= {f"{name}.scores": torch.from_numpy(scores), f"{name}.ids": torch.from_numpy(ids)}
    save(path, tensors)


if __name__ == "__main__":
    arguments = parse_arguments(__doc__)
    for name, dump in (("losses", dump_losses), ("contrast", dump_contrast), ("optimizer", dump_optimizers),
                       ("schedules", dump_schedules), ("neighbors", dump_neighbors)):
        dump(arguments.output / f"{name}.safetensors")
