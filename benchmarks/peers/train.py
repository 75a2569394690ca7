"""Fine-tuning steps with cross entropy: batches of 32, dropout on, AdamW, clipping, one thread, the recipe and the model of
train_torch.py. PyTorch pads a shuffled batch to its longest text, or lays its texts end to end (train_torch.py), or
takes batches of one length from the start; our program, which does not pad, has shuffled batches in every row. Both train
on the same texts once. Prints Markdown tables.

FOLDER/venv/bin/python train.py --encoder DIR --data DIR --train PROGRAM     (FOLDER: see setup.sh)
"""

import sys

sys.path.append(sys.path.pop(0))  # behind the others: modules here are named like some of the standard library

from argparse import Namespace
from collections import namedtuple
from pathlib import Path

import common

SETS = ["sst2", "ag_news"]
BATCH = 32
RATE = 1e-5
Setting = namedtuple("Setting", "precision matmul environment", defaults=("fp32", "highest", {}))

SETTINGS = {
    "as installed": Setting(),
    "fast MKL": Setting(environment=common.FAST_MKL),
    "medium": Setting(matmul="medium"),
    "bf16 autocast": Setting("bf16"),
    "fast MKL, page reuse": Setting(environment={**common.FAST_MKL, **common.PAGE_REUSE}),
    "bf16 autocast, fast MKL, page reuse": Setting("bf16", environment={**common.FAST_MKL, **common.PAGE_REUSE}),
}
MODES = {"padded": "shuffled, padded to the longest", "packed": "shuffled, end to end", "grouped": "grouped by length"}


# --- PyTorch's process ---------------------------------------------------------------------------

def texts_from(path):
    """The examples of a file of labeled ids, as train_torch.py wants them."""
    import torch
    import train_torch

    class Texts(train_torch.Texts):
        def __init__(self):
            self.rows, labels = common.read_ids(path)
            self.labels = torch.tensor(labels)
    return Texts()


def new_model(encoder, classes):
    """The model of train_torch.py: mean pooling and its head."""
    import torch
    import train_torch
    torch.manual_seed(1)
    return train_torch.Model(Namespace(encoder=encoder, dropout=None, pooling="mean"), classes).train()


def prepare(setting):
    """A function that makes a context manager for the forward pass."""
    import contextlib

    import torch
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(setting.matmul)
    if setting.precision == "bf16":
        return lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    return contextlib.nullcontext


def update(model, optimizer, loss):
    import torch
    import train_torch
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), train_torch.CLIP)
    optimizer.step()


class Training:
    """What a worker does on request."""

    def __init__(self, setting):
        self.context = prepare(setting)

    def __call__(self, task, **arguments):
        return getattr(self, task)(**arguments)

    def load(self, encoder, ids):
        import torch
        self.texts = texts_from(ids)
        self.model = new_model(encoder, int(self.texts.labels.max()) + 1)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
        return {}

    def batches(self, mode):
        """The file's order, which is shuffled; or batches of about one length, shuffled."""
        import random
        order = list(range(len(self.texts)))
        if mode != "grouped":
            return [order[first:first + BATCH] for first in range(0, len(order), BATCH)]
        batches = common.by_length(self.texts.rows, order, BATCH)
        random.Random(1).shuffle(batches)
        return batches

    def step(self, mode, batch):
        import torch
        embed = self.model.embed_packed if mode == "packed" else self.model.embed
        with self.context():
            loss = torch.nn.functional.cross_entropy(self.model.classifier(embed(self.texts, batch)), self.texts.labels[batch])
        update(self.model, self.optimizer, loss)
        return loss.item()

    def train(self, mode, warm_up):
        batches = self.batches(mode)
        for batch in batches[:warm_up]:
            self.step(mode, batch)
        seconds, losses = common.processor_seconds(lambda: [self.step(mode, batch) for batch in batches])
        return {"seconds": seconds, "loss": sum(losses) / len(losses)}


# --- the comparison ------------------------------------------------------------------------------

def our_turn(options, ids, precision):
    return common.run_program(options.core, options.train, options.encoder, ids, "--batch", BATCH, "--steps", options.steps,
                              "--warm-up", options.warm_up, "--precision", precision, "--seed", 1)


def our_columns(answers, tokens, examples, seconds):
    top = min(answers, key=lambda answer: answer["seconds"])
    if (top["examples"], top["tokens"]) != (examples, tokens):
        raise ValueError(f"our program trained on {top['examples']} examples of {top['tokens']} tokens, {examples} of {tokens} expected")
    return [f"{examples / top['seconds']:.1f}", f"{100 * top['peak_share']:.0f} %", common.described_loss(top),
            f"{seconds / top['seconds']:.2f}"]


def compare(options, name, mode, ids, rows):
    """A row: PyTorch with this setting beside ours, in the precisions asked for."""
    with common.Worker(options.core, name, SETTINGS[name].environment) as worker:
        worker.ask(task="load", encoder=options.encoder, ids=ids)
        sides = [lambda: worker.ask(task="train", mode=mode, warm_up=options.warm_up)]
        if options.train:
            sides += [lambda precision=precision: our_turn(options, ids, precision) for precision in options.precision]
        peer, *ours = common.take_turns(options.rounds, *sides)
    seconds, operations = common.best(peer), 3 * common.forward_operations(options.encoder, rows)
    row = [f"{name}, {MODES[mode]}", f"{len(rows) / seconds:.1f}", f"{operations / seconds * 1e-9:.0f}", common.described_loss(peer[0])]
    for answers in ours:
        row += our_columns(answers, sum(map(len, rows)), len(rows), seconds)
    return row


def main():
    import tempfile
    parser = common.parser(__doc__, SETS, 2, {"train": "benchmarks/train"})
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=5, help="steps before those that are measured")
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"], help="of our program")
    options = parser.parse_args()
    common.print_caption(options, "torch", "transformers")
    header = ["PyTorch", "examples/s", "useful GFLOP/s", "loss"]
    if options.train:
        for precision in options.precision:
            header += [f"ours {precision}, examples/s", "of peak", "loss", "ours / PyTorch"]
    with tempfile.TemporaryDirectory() as folder:
        for name in options.sets:
            rows, labels = common.labeled(name, options.data, options.encoder, options.steps * BATCH)
            ids = common.write_ids(Path(folder) / f"{name}.ids", rows, labels)
            table = [compare(options, setting, mode, ids, rows)
                     for setting in SETTINGS if any(part in setting for part in options.peers) for mode in options.modes]
            tokens = sum(map(len, rows)) / len(rows)
            common.print_table(f"{name}, {options.steps} steps of {BATCH} texts, {tokens:.0f} tokens on average", header, table)


if __name__ == "__main__":
    if common.worker_name():
        common.serve(Training(SETTINGS[common.worker_name()]))
    else:
        main()
