"""A KNN-BERT step: 16 queries, 16 positives each from the momentum encoder, 32,000 keys in the queue, one thread.

released: as the authors' code does it (../shared/methods.md, 1): all texts padded to 128, keys in one batch, a copy of the
queue for each query, full sorts of positives and negatives, the negatives repeated for every positive, cross entropy.
rewrite: the best we know in PyTorch (train_torch.py): texts end to end, padded in attention only; top-k selection and
log-sum-exp. Our program takes turns with both. Prints Markdown tables.

FOLDER/venv/bin/python knn_step.py --encoder DIR --data DIR --knn-step PROGRAM     (FOLDER: see setup.sh)
"""

import sys

sys.path.append(sys.path.pop(0))  # behind the others: modules here are named like some of the standard library

from argparse import Namespace
from pathlib import Path

import common
from train import RATE, SETTINGS, new_model, prepare, texts_from, update

SETS = ["sst2", "ag_news"]
QUERIES, POSITIVES, KEYS, TOP_K, END_K = 16, 16, 32_000, 100, 1
KEYS_AT_ONCE = 64
LENGTH = 128
TEMPERATURE, MOMENTUM, LAMBDA = 0.07, 0.999, 0.1
EXAMPLES = 2000  # the texts that positives are drawn from
WAYS = {"rewrite": list(SETTINGS), "released": [name for name in SETTINGS if name not in ("medium", "bf16 autocast")]}


# --- the queue -----------------------------------------------------------------------------------

def random_keys(keys, labels, classes):
    """A full queue: random unit rows; labels in turn."""
    import torch
    torch.manual_seed(2)
    keys.normal_()
    keys /= keys.norm(dim=1, keepdim=True)
    labels.copy_(torch.arange(len(labels)) % classes)


def new_keys(model, texts, options, draw):
    """The momentum encoder of train_torch.py, its queue filled at once in place of by encoding, and fit for autocast."""
    import copy

    import torch
    import train_torch

    class Keys(train_torch.Keys):
        def __init__(self):
            self.options, self.texts, self.draw, self.classes = options, texts, draw, {}
            self.model = copy.deepcopy(model).requires_grad_(False).train()
            self.queue = train_torch.Queue(options.queue, model.classifier.dense.in_features, model.device)
            random_keys(self.queue.keys, self.queue.labels, int(texts.labels.max()) + 1)
            self.queue.size = options.queue
            for index, label in enumerate(texts.labels.tolist()):
                self.classes.setdefault(label, []).append(index)

        def push(self, examples):
            parts = common.by_length(texts.rows, examples, KEYS_AT_ONCE)
            keys = torch.cat([self.model.project(self.model.embed_packed(texts, part)).float() for part in parts])
            self.queue.push(keys, texts.labels[[index for part in parts for index in part]])
    return Keys()


# --- two ways to do a step -----------------------------------------------------------------------

def rewritten_loss(model, keys, texts, batch, options):
    import train_torch
    keys.advance(model, batch)
    return train_torch.loss_of(model, keys, texts, batch, options)


def embed_at_full_length(model, texts, indices):
    """Mean embeddings of texts padded to 128 tokens."""
    import torch
    ids, mask = map(torch.from_numpy, common.padded([texts.rows[index] for index in indices], LENGTH))
    hidden = model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[..., None].to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def released_contrast(z, labels, queue, options):
    """Everything of size [B, K, D] and [B, K] is written out, and sorted from end to end."""
    import torch
    keys, key_labels = queue.keys.clone(), queue.labels.clone()
    similarity = torch.einsum("nc,nkc->nk", z, keys.to(z.dtype)[None].repeat(len(z), 1, 1))
    same = key_labels.repeat(len(z), 1) == labels[:, None].repeat(1, len(keys))

    def sorted_part(chosen):
        """The chosen ones in descending order, as many as every row has."""
        part = torch.full_like(similarity, -torch.inf).masked_scatter(chosen, similarity.masked_select(chosen))
        return part.topk(int(chosen.int().sum(-1).min()), dim=-1).values

    positives, negatives = sorted_part(same), sorted_part(~same)
    positives = torch.cat([positives[:, :options.top_k], positives[:, -options.end_k:]], -1)
    repeated = negatives.repeat(1, positives.shape[1]).view(-1, negatives.shape[1])
    logits = torch.cat([positives.reshape(-1, 1), repeated], -1)
    logits /= options.temperature
    return torch.nn.functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


def released_loss(model, keys, texts, batch, options):
    import torch
    labels = texts.labels[batch]
    with torch.no_grad():
        for mine, other in zip(keys.model.parameters(), model.parameters()):
            mine.data = mine.data * options.momentum + other.data * (1 - options.momentum)
        positives = [index for label in labels.tolist() for index in keys.positives(label)]
        keys.queue.push(keys.model.project(embed_at_full_length(keys.model, texts, positives)).float(), texts.labels[positives])
    embedding = embed_at_full_length(model, texts, batch)
    cross_entropy = torch.nn.functional.cross_entropy(model.classifier(embedding), labels)
    contrast = released_contrast(model.project(embedding), labels, keys.queue, options)
    return options.lambda_ * contrast + (1 - options.lambda_) * cross_entropy


LOSSES = {"rewrite": rewritten_loss, "released": released_loss}


class Steps:
    """What a worker does on request."""

    def __init__(self, name):
        self.way, self.setting = name.split(", ", 1)
        self.context = prepare(SETTINGS[self.setting])
        self.options = Namespace(queue=KEYS, positives=POSITIVES, top_k=TOP_K, end_k=END_K, temperature=TEMPERATURE,
                                 momentum=MOMENTUM, lambda_=LAMBDA)

    def __call__(self, task, **arguments):
        return getattr(self, task)(**arguments)

    def load(self, encoder, ids):
        import random

        import torch
        self.texts = texts_from(ids)
        self.model = new_model(encoder, int(self.texts.labels.max()) + 1)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
        self.keys = new_keys(self.model, self.texts, self.options, random.Random(1))
        return {}

    def step(self, number):
        batch = [(number * QUERIES + i) % len(self.texts) for i in range(QUERIES)]
        with self.context():
            loss = LOSSES[self.way](self.model, self.keys, self.texts, batch, self.options)
        update(self.model, self.optimizer, loss)
        return loss.item()

    def run(self, steps, warm_up):
        for number in range(warm_up):
            self.step(number)
        seconds, losses = common.processor_seconds(lambda: [self.step(warm_up + number) for number in range(steps)])
        return {"seconds_per_step": seconds / steps, "loss": sum(losses) / steps}

    def difference(self):
        """Between the two ways' contrastive losses of the same embeddings and queue."""
        import torch
        import train_torch
        labels = self.texts.labels[:QUERIES]
        z = torch.nn.functional.normalize(torch.randn(QUERIES, self.keys.queue.keys.shape[1]), dim=1)
        values = [contrast(z, labels, self.keys.queue, self.options) for contrast in (released_contrast, train_torch.contrast)]
        return {"difference": abs(values[0] - values[1]).item(), "value": values[1].item()}


# --- the comparison ------------------------------------------------------------------------------

def our_turn(options, ids, precision):
    return common.run_program(options.core, options.knn_step, options.encoder, ids, "--batch", QUERIES, "--positives", POSITIVES,
                              "--queue", KEYS, "--top-k", TOP_K, "--end-k", END_K, "--steps", options.steps, "--warm-up",
                              options.warm_up, "--precision", precision, "--seed", 1)


def compare(options, name, ids):
    way, setting = name.split(", ", 1)
    steps = 1 if way == "released" else options.steps  # 10 to 17 s a step; all its steps have the same size
    with common.Worker(options.core, name, SETTINGS[setting].environment) as worker:
        worker.ask(task="load", encoder=options.encoder, ids=ids)
        sides = [lambda: worker.ask(task="run", steps=steps, warm_up=1)]
        if options.knn_step:
            sides += [lambda precision=precision: our_turn(options, ids, precision) for precision in options.precision]
        peer, *ours = common.take_turns(options.rounds, *sides)
    seconds = common.best(peer, "seconds_per_step")
    row = [name, f"{seconds:.3f}", common.described_loss(peer[0])]
    for answers in ours:
        top = min(answers, key=lambda answer: answer["seconds_per_step"])
        if top["keys"] != KEYS:
            raise ValueError(f"our program had {top['keys']} keys in its queue, {KEYS} expected")
        row += [f"{top['seconds_per_step']:.3f}", common.described_loss(top), f"{seconds / top['seconds_per_step']:.2f}"]
    return row


def check_ways(options, ids):
    """Both ways of selection must give the same loss before any time counts."""
    with common.Worker(options.core, "rewrite, as installed") as worker:
        worker.ask(task="load", encoder=options.encoder, ids=ids)
        found = worker.ask(task="difference")
    if not found["difference"] <= 1e-4 * found["value"]:
        raise ValueError(f"the released and the rewritten loss differ: {found}")
    print(f"Released and rewritten loss of the same features differ by {found['difference']:.1e} of {found['value']:.2f}.\n")


def main():
    import tempfile
    parser = common.parser(__doc__, SETS, 2, {"knn-step": "benchmarks/knn_step or benchmarks/train"})
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--steps", type=int, default=10, help="of the rewrite and of our program")
    parser.add_argument("--warm-up", type=int, default=2, help="steps of our program before those that are measured")
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"], help="of our program")
    options = parser.parse_args()
    common.print_caption(options, "torch", "transformers")
    header = ["PyTorch", "s / step", "loss"]
    if options.knn_step:
        for precision in options.precision:
            header += [f"ours {precision}, s / step", "loss", "ours / PyTorch"]
    names = [f"{way}, {setting}" for way in options.ways for setting in WAYS[way] if any(part in setting for part in options.peers)]
    with tempfile.TemporaryDirectory() as folder:
        for name in options.sets:
            rows, labels = common.labeled(name, options.data, options.encoder, EXAMPLES, LENGTH)
            ids = common.write_ids(Path(folder) / f"{name}.ids", rows, labels)
            check_ways(options, ids)
            tokens = sum(map(len, rows)) / len(rows)
            title = f"{name}, {QUERIES} queries, {POSITIVES} positives each, {KEYS} keys, {tokens:.0f} tokens on average"
            common.print_table(title, header, [compare(options, peer, ids) for peer in names])


if __name__ == "__main__":
    if common.worker_name():
        common.serve(Steps(common.worker_name()))
    else:
        main()
