"""The LibTorch backend beside others on one device, in turns in one run; prints a Markdown table.

    python torch_table.py build/benchmarks/torch --device cuda                          # the table of a GPU
    python torch_table.py build/benchmarks/torch --device cpu --small [--rows train]    # shows that it works, in minutes

Needs torch and transformers; accelerate for Hugging Face's Trainer and sentence-transformers for encoding. Where one of these two
is missing, its row says so and names what ran instead: the same model in a plain loop with autocast and fused AdamW, or the
same model with texts by length and mean pooling. Faiss joins the search when it is installed with GPU support (or on the CPU).

Encoders have random weights, texts random tokens. `ragged`: lengths of short real texts. Times are the best of --rounds turns,
each behind warm-up steps; shares are of a large product's speed, measured by our program in the same turn.
"""

import sys

sys.path.append(sys.path.pop(0))  # behind the others: modules here are named like some of the standard library

import argparse
import contextlib
import json
import math
import random
import subprocess
import tempfile
import time

import torch
import torch.nn.functional as F
from transformers import BertConfig, BertForSequenceClassification, BertModel

SHAPES = {"tiny": dict(vocab_size=1000, hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512),
          "minilm": dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
          "base": {},
          "large": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)}
WARM_UP, CLASSES, TEMPERATURE = 3, 6, 0.07


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32"])
    parser.add_argument("--rows", nargs="+", default=["train", "encode", "knn", "search"], choices=["train", "encode", "knn", "search"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--small", action="store_true", help="sizes that a CPU does in minutes")
    return parser.parse_args()


def synchronize(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def ours(options, what, **values):
    command = [options.program, what, "--device", options.device, "--precision", options.precision, "--threads", str(options.threads)]
    for name, value in values.items():
        command += [f"--{name}", str(value)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def config_of(shape):
    return BertConfig(**SHAPES[shape], attn_implementation="sdpa")


def autocast(options):
    if options.precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(options.device.split(":")[0], torch.bfloat16)


def random_texts(config, count, length, ragged):
    """The lengths of benchmarks/torch.cpp, drawn by another generator."""
    draw = random.Random(1)
    sizes = [min(length, max(min(6, length), int(math.exp(3 + 0.6 * draw.gauss(0, 1))))) if ragged else length for _ in range(count)]
    return [[draw.randrange(config.vocab_size) for _ in range(size)] for size in sizes]


def collated(texts, device):
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    return ids.to(device), mask.to(device)


# --- fine-tuning ---------------------------------------------------------------------------------

def trainer_speed(options, shape, batch, length, ragged, steps):
    """Tokens a second of Hugging Face's Trainer."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):
        def on_step_end(self, arguments, state, control, **_):
            if state.global_step in (WARM_UP, WARM_UP + steps):
                synchronize(options.device)
                self.last = time.perf_counter()
                if state.global_step == WARM_UP:
                    self.start = self.last

    config = config_of(shape)
    config.num_labels = CLASSES
    texts = random_texts(config, batch * (WARM_UP + steps), length, ragged)
    data = [{"input_ids": text, "labels": i % CLASSES} for i, text in enumerate(texts)]

    def collate(rows):
        ids, mask = collated([row["input_ids"] for row in rows], "cpu")
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([row["labels"] for row in rows])}

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, per_device_train_batch_size=batch, max_steps=WARM_UP + steps, bf16=options.precision == "bf16", use_cpu=options.device == "cpu",
                                      report_to=[], save_strategy="no", logging_strategy="no", learning_rate=1e-5, optim="adamw_torch_fused", disable_tqdm=True,
                                      train_sampling_strategy="sequential")
        Trainer(BertForSequenceClassification(config), arguments, train_dataset=data, data_collator=collate, callbacks=[clock]).train()
    return sum(map(len, texts[batch * WARM_UP:])) / (clock.last - clock.start)


def loop_speed(options, shape, batch, length, ragged, steps):
    """The same without Trainer."""
    config = config_of(shape)
    config.num_labels = CLASSES
    model = BertForSequenceClassification(config).to(options.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0, fused=True)
    texts = random_texts(config, batch * (WARM_UP + steps), length, ragged)
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            synchronize(options.device)
            start = time.perf_counter()
        ids, mask = collated(texts[step * batch:(step + 1) * batch], options.device)
        with autocast(options):
            loss = model(input_ids=ids, attention_mask=mask, labels=(torch.arange(batch) % CLASSES).to(options.device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    synchronize(options.device)
    return sum(map(len, texts[batch * WARM_UP:])) / (time.perf_counter() - start)


def train_rows(options):
    try:
        import accelerate  # noqa: F401
        peer, speed = "Trainer", trainer_speed
    except ImportError:
        peer, speed = "plain loop (no accelerate)", loop_speed
    shapes, batch, steps = (["tiny"], 8, 3) if options.small else (["minilm", "base", "large"], 32, 20)
    for shape in shapes:
        for ragged in (False, True):
            mine, other, share = 0, 0, 0
            for _ in range(options.rounds):
                result = ours(options, "train", shape=shape, batch=batch, length=128, ragged=int(ragged), steps=steps)
                if result["tokens_per_second"] > mine:
                    mine, share = result["tokens_per_second"], result["share_of_peak"]
                other = max(other, speed(options, shape, batch, 128, ragged, steps))
            yield f"fine-tuning {shape}, {'ragged' if ragged else '128 tokens'}", f"{mine:,.0f} tokens/s", f"{100 * share:.0f} %", f"{other:,.0f} {peer}", mine / other, 1.5


# --- encoding ------------------------------------------------------------------------------------

def encoding_speed(options, shape, count):
    """Sentences a second, and by what."""
    config = config_of(shape)
    texts = random_texts(config, count, 128, True)
    model = BertModel(config, add_pooling_layer=False).to(options.device).eval()
    if options.precision == "bf16":
        model = model.to(torch.bfloat16)
    name = "transformers by length (no sentence-transformers)"
    try:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.models import Pooling

        class Tokens(torch.nn.Module):
            """Stands in for a tokenizer: sentences are numbers of texts."""
            def __init__(self):
                super().__init__()
                self.encoder = model

            def tokenize(self, sentences):
                ids, mask = collated([texts[int(s.split()[0])] for s in sentences], "cpu")
                return {"input_ids": ids, "attention_mask": mask}

            def forward(self, features):
                features["token_embeddings"] = self.encoder(input_ids=features["input_ids"], attention_mask=features["attention_mask"]).last_hidden_state
                return features

            def get_word_embedding_dimension(self):
                return config.hidden_size

        sentences = [f"{i} " + "x" * len(text) for i, text in enumerate(texts)]  # it sorts by the length of strings
        peer = SentenceTransformer(modules=[Tokens(), Pooling(config.hidden_size)], device=options.device)
        encode, name = (lambda: peer.encode(sentences, batch_size=256, show_progress_bar=False)), "sentence-transformers"
    except ImportError:
        def encode():
            order = sorted(range(count), key=lambda i: -len(texts[i]))
            with torch.inference_mode():
                for first in range(0, count, 256):
                    ids, mask = collated([texts[i] for i in order[first:first + 256]], options.device)
                    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
                    ((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).float().cpu()
    encode()
    start = time.perf_counter()
    encode()
    return count / (time.perf_counter() - start), name


def encode_rows(options):
    shapes, count = (["tiny"], 512) if options.small else (["minilm", "base"], 20000)
    for shape in shapes:
        mine, other, share, name = 0, 0, 0, ""
        for _ in range(options.rounds):
            result = ours(options, "encode", shape=shape, texts=count)
            if result["sentences_per_second"] > mine:
                mine, share = result["sentences_per_second"], result["share_of_peak"]
            speed, name = encoding_speed(options, shape, count)
            other = max(other, speed)
        yield f"encoding {shape}, ragged", f"{mine:,.0f} sentences/s", f"{100 * share:.0f} %", f"{other:,.0f} {name}", mine / other, 1.5


# --- the contrast with a queue -------------------------------------------------------------------

def released_contrast(z, labels, keys, key_labels, most, least):
    """The selection of the released code: everything sorted, negatives repeated for every positive (../shared/methods.md, 1)."""
    similarity = torch.einsum("nc,nkc->nk", z, keys[None].repeat(len(z), 1, 1))
    same = key_labels.repeat(len(z), 1) == labels[:, None].repeat(1, len(keys))

    def sorted_part(chosen):
        part = torch.full_like(similarity, -torch.inf).masked_scatter(chosen, similarity.masked_select(chosen))
        return part.topk(int(chosen.int().sum(-1).min()), dim=-1).values

    positives, negatives = sorted_part(same), sorted_part(~same)
    positives = torch.cat([positives[:, :most], positives[:, -least:]], -1)
    repeated = negatives.repeat(1, positives.shape[1]).view(-1, negatives.shape[1])
    logits = torch.cat([positives.reshape(-1, 1), repeated], -1) / TEMPERATURE
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=z.device))


def released_seconds(options, batch, count, width, steps):
    torch.manual_seed(1)
    keys = F.normalize(torch.randn(count, width, device=options.device), dim=1)
    key_labels = torch.arange(count, device=options.device) % CLASSES
    labels = torch.arange(batch, device=options.device) % CLASSES
    best = math.inf
    for _ in range(steps):
        z = F.normalize(torch.randn(batch, width, device=options.device), dim=1).requires_grad_()
        synchronize(options.device)
        start = time.perf_counter()
        released_contrast(z, labels, keys, key_labels, 100, 1).backward()
        synchronize(options.device)
        best = min(best, time.perf_counter() - start)
    return best


def knn_rows(options):
    batch, keys, positives, shape, width, steps = (4, 4000, 2, "tiny", 128, 2) if options.small else (16, 100000, 16, "base", 768, 10)
    contrast, step, other = math.inf, math.inf, math.inf
    for _ in range(options.rounds):
        contrast = min(contrast, ours(options, "contrast", width=width, batch=batch, keys=keys, steps=steps)["seconds"])
        step = min(step, ours(options, "knn", shape=shape, batch=batch, keys=keys, positives=positives, steps=steps)["seconds_a_step"])
        other = min(other, released_seconds(options, batch, keys, width, steps))
    yield f"contrast, B = {batch}, K = {keys:,}, loss and gradient", f"{1e3 * contrast:.2f} ms", "", f"{1e3 * other:.1f} ms released selection", other / contrast, 10
    # A step with the released selection would be ours with its contrast in place of ours.
    yield f"KNN-BERT step of {shape}, R = {positives}", f"{1e3 * step:.1f} ms", "", f"{1e3 * (step - contrast + other):.1f} ms with the released selection", (step - contrast + other) / step, 10


# --- search --------------------------------------------------------------------------------------

def faiss_speed(options, count, width, queries, k):
    """Queries a second of an exact index, or None."""
    try:
        import faiss
        import numpy as np
    except ImportError:
        return None
    index = faiss.IndexFlatIP(width)
    if options.device.startswith("cuda"):
        if not hasattr(faiss, "StandardGpuResources"):
            return None
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    else:
        faiss.omp_set_num_threads(options.threads)
    rows = np.random.default_rng(1).standard_normal((count, width), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index.add(rows)
    asked = np.random.default_rng(2).standard_normal((queries, width), np.float32)
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        index.search(asked, k)
        best = min(best, time.perf_counter() - start)
    return queries / best


def top_k_speed(options, count, width, queries, k, block=65536):
    """Queries a second of products and torch.topk by blocks."""
    rows = F.normalize(torch.randn(count, width, device=options.device), dim=1)
    asked = F.normalize(torch.randn(queries, width), dim=1)
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        there, found = asked.to(options.device), []
        for first in range(0, count, block):
            scores, at = (there @ rows[first:first + block].T).topk(k, 1)
            found.append((scores, at + first))
        scores, at = torch.cat([s for s, _ in found], 1).topk(k, 1)
        torch.cat([a for _, a in found], 1).gather(1, at).cpu()
        best = min(best, time.perf_counter() - start)
    return queries / best


def search_rows(options):
    count, width, queries, k = (20000, 128, 64, 10) if options.small else (1_000_000, 768, 1000, 10)
    mine, peers = 0, {}
    for _ in range(options.rounds):
        mine = max(mine, ours(options, "search", width=width, keys=count, queries=queries, neighbors=k)["queries_per_second"])
        for name, speed in (("Faiss", faiss_speed), ("torch top-k", top_k_speed)):
            value = speed(options, count, width, queries, k)
            if value:
                peers[name] = max(peers.get(name, 0), value)
    for name, other in peers.items():
        yield f"exact search, {count:,} x {width}, k = {k}", f"{mine:,.0f} queries/s", "", f"{other:,.0f} {name}", mine / other, 1


def main():
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    name = torch.cuda.get_device_name() if options.device.startswith("cuda") else f"CPU, {options.threads} thread(s)"
    print(f"torch {torch.__version__}, {name}, {options.precision}" + (", small sizes" if options.small else "") + "\n")
    print("| what | here | of peak | beside | ratio | goal |\n|---|---|---|---|---|---|")
    for kind in options.rows:
        for what, here, share, beside, ratio, goal in globals()[f"{kind}_rows"](options):
            print(f"| {what} | {here} | {share} | {beside} | {ratio:.2f} | {goal} |", flush=True)


if __name__ == "__main__":
    main()
