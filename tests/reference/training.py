"""What PyTorch computes for gradients and for 20 training steps, in float64 from float32 weights, dropout off.

Parameters have the names of the checkpoint; heads are classifier.{dense,out_proj}.{weight,bias} and
projection.{dense,out_proj}.{weight,bias}, both Linear, tanh, Linear on the embedding. option.NAME [1] f64 repeats every
hyper-parameter. A tensor of more than 200000 elements is stored as flattened[::37] wherever it is marked (thin);
statistics [2] f64 are its L2 norm and its sum over all elements.

training_gradients_{mean,pooler}.safetensors, MiniLM, 8 texts:
  ids [T], offsets [9], labels [8]; heads under their names; queue.keys [256, H], queue.labels [256]
  embedding [8, H], logits [8, C], z [8, D], scores [8, 256], positives [8, top_k + end_k] (indices of keys, most similar
  first), log_partition [8], gap [1] f64 (smallest distance of a score from being ranked on the other side)
  ce.loss, joint.loss, joint.contrastive [1] f64;  joint.loss = lambda joint.contrastive + (1 - lambda) ce.loss
  {ce,joint}.{d_logits,d_embedding}, joint.{d_z,d_scores}           gradients of ce.loss and of joint.loss
  {ce,joint}.grad.PARAMETER (thin), {ce,joint}.statistics.PARAMETER  absent where the loss does not reach
  touched [U], {ce,joint}.grad_rows [U, H]                           the rows of d(word embeddings) that occur in ids

training_{minilm,tiny,distilbert,roberta}_{ce,knn}.safetensors and training_tiny_knn_fast.safetensors; MiniLM and the tiny DistilBERT of
models/training_distilbert with mean pooling, the tiny encoder of models/training_tiny with its pooler:
  ids [T], offsets [N + 1], labels [N], batches [20, B] (examples of each step); heads under their names (initial)
  knn: warmup_order [N], positives [20, B R] (the R examples of query 0, then of query 1 ...)
  learning_rate, gradient_norm (before clipping), loss.{total,cross_entropy,contrastive} [20] f64, the last one knn only
  final.PARAMETER (thin), final_statistics.PARAMETER                 after the last step; all parameters of tiny
  kept_ids [U]                             token ids of the rows of final.embeddings.word_embeddings.weight: all of tiny,
                                           those that some text uses (and 0) of MiniLM, where the others do not change
  final_logits [N, C], final_embedding [N, H]
  knn: after_warmup.{keys,labels}, final_queue.{keys,labels} [K, D], [K] oldest first; final_key.PARAMETER (thin) of the
       momentum encoder and its head; gap [20] f64 as above; key_change [1] f64 max |key encoder - its start|
  float32.loss.{...}, float32.gradient_norm [20] f64, float32.deviation.PARAMETER [1] f64    the same run in float32, and
       max |float32 - float64| of a final parameter: what rounding alone does. Adam turns the rounding noise of a
       gradient that is mathematically 0 (attention.self.key.bias) into steps of up to the learning rate.

A knn step: key encoder follows the weights from before this step's update; encodes the positives; enqueues them; then
the queries are encoded and scored against the queue that holds them already. Gradients of encoder and heads together
are multiplied by min(1, clip / (norm + 1e-6)). The rate of step t is learning_rate (1 - t / 20), t from 0. Neither
biases nor LayerNorm decay.
"""

import random

import torch
from torch import nn
from transformers import AutoModel, BertConfig, DistilBertConfig, RobertaConfig

import texts
from common import THINNING, generator, offsets, parse_arguments, ragged, save, statistics, thin, tokenize
from knn_bert import Classifier, Queue, contrast, follow, key_copy
from models import TINY, random_encoder

STEPS = 20
GRADIENT_OPTIONS = {"lambda": 0.3, "temperature": 0.07, "top_k": 20, "end_k": 1}
TRAINING_OPTIONS = GRADIENT_OPTIONS | {
    "steps": STEPS, "learning_rate": 5e-5, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0,
    "clip": 1.0, "momentum": 0.999, "queue": 128, "positives": 4}
FAST_OPTIONS = TRAINING_OPTIONS | {"learning_rate": 1e-3, "momentum": 0.5, "weight_decay": 0.05, "clip": 0.5}
WORDS = "embeddings.word_embeddings.weight"
WATCHED = [WORDS, "embeddings.LayerNorm.weight", "encoder.layer.0.attention.self.query.weight",
           "encoder.layer.2.attention.output.dense.bias", "encoder.layer.3.intermediate.dense.weight",
           "encoder.layer.5.output.dense.weight", "encoder.layer.5.output.LayerNorm.bias"]


def minilm(arguments):
    return AutoModel.from_pretrained(arguments.encoder, dtype=torch.float32, attn_implementation="eager").eval()


def with_heads(encoder, pooling, classes, size, seed):
    """Heads start uniform in +-1/sqrt(fan_in), weights and biases, as nn.Linear does."""
    torch.manual_seed(seed)
    return Classifier(encoder, pooling, classes, size).eval()


def heads_of(model):
    return {name: p for name, p in model.flat_parameters() if name.startswith(("classifier.", "projection."))}


def option_scalars(options):
    return {f"option.{name}": [value] for name, value in options.items()}


def smallest_gap(scores, labels, queue, options):
    """Distance between the scores on both sides of a cut of the ranking: below rounding, the lists may differ."""
    gaps = [torch.tensor(1.0)]
    for row, label in zip(scores.detach(), labels):
        ranked = row[queue.labels == label].sort(descending=True).values
        if len(ranked) > options["top_k"] + options["end_k"]:
            gaps.append(ranked[options["top_k"] - 1] - ranked[options["top_k"]])
            gaps.append(ranked[-options["end_k"] - 1] - ranked[-options["end_k"]])
    return float(min(gaps))


def pick(pairs, count, seed):
    return random.Random(seed).sample(pairs, count)


def tokenized(arguments, pairs, limit):
    """Token ids and labels of (text, label) pairs."""
    rows = tokenize(arguments.encoder, [text for text, _ in pairs], [limit] * len(pairs))
    return rows, torch.tensor([label for _, label in pairs])


@torch.no_grad()
def enqueue(queue, model, rows, labels):
    for first in range(0, len(rows), 40):
        queue.push(model.key(rows[first:first + 40]), labels[first:first + 40])


def dump_gradients(arguments, pooling):
    rows, labels = tokenized(arguments, pick(texts.sst2(arguments.data, "dev"), 8, 3), 128)
    keys, key_labels = tokenized(arguments, short_texts(arguments, 256, 4), 128)
    model, queue = with_heads(minilm(arguments), pooling, 2, 384, 5), Queue(len(keys))
    enqueue(queue, model, keys, key_labels)
    queue.keys = queue.keys.double()
    values, losses, contrastive = joint_pass(model.double(), rows, labels, queue, GRADIENT_OPTIONS)

    tensors = ragged(rows) | {"labels": labels, "queue.keys": queue.keys, "queue.labels": queue.labels}
    tensors |= heads_of(model) | values | {"touched": tensors["ids"].unique()}
    wide = option_scalars(GRADIENT_OPTIONS) | {"joint.contrastive": [contrastive.item()]}
    wide["gap"] = [smallest_gap(values["scores"], labels, queue, GRADIENT_OPTIONS)]
    inner = {f"d_{name}": values[name] for name in ("logits", "embedding", "z", "scores")}
    for name, loss in losses.items():
        gradients, sums = gradients_of(loss, model, inner, tensors["touched"])
        tensors |= {f"{name}.{key}": value for key, value in gradients.items()}
        wide |= {f"{name}.{key}": value for key, value in sums.items()} | {f"{name}.loss": [loss.item()]}
    save(arguments.output / f"training_gradients_{pooling}.safetensors", tensors, wide, thinning=THINNING,
         options=GRADIENT_OPTIONS)


def joint_pass(model, rows, labels, queue, options):
    """What the forward pass computes by name, the losses ce and joint, and the contrast in the latter."""
    embedding = model.embed(rows)
    logits = model.classifier(embedding)
    z = nn.functional.normalize(model.projection(embedding), dim=-1)
    contrastive, found = contrast(z, labels, queue, options)
    cross_entropy = nn.functional.cross_entropy(logits, labels)
    joint = options["lambda"] * contrastive + (1 - options["lambda"]) * cross_entropy
    values = {"embedding": embedding, "logits": logits, "z": z} | found | {"positives": torch.stack(found["positives"])}
    return values, {"ce": cross_entropy, "joint": joint}, contrastive


def gradients_of(loss, model, inner, touched):
    """Gradients at parameters and at inner tensors, where there are any, and the statistics of the former."""
    parameters = dict(model.flat_parameters())
    wanted = [*parameters.values(), *inner.values()]
    found = dict(zip([*parameters, *inner], torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True)))
    found = {name: value for name, value in found.items() if value is not None}
    gradients = {name if name in inner else f"grad.{name}": value if name in inner else thin(value)
                 for name, value in found.items()}
    gradients["grad_rows"] = found[WORDS][touched]
    return gradients, {f"statistics.{name}": statistics(value) for name, value in found.items() if name not in inner}


def positives_for(labels, batch, count, draw):
    """`count` different examples of the class of every query, the query itself allowed."""
    classes = {label: [i for i, other in enumerate(labels) if other == label] for label in set(labels)}
    return [example for query in batch for example in draw.sample(classes[labels[query]], count)]


def schedule(rows, labels, options, seed):
    """Everything random about a run: the examples of every batch, their positives, the order of the first keys."""
    draw = random.Random(seed)
    order = draw.sample(range(len(rows)), STEPS * 8)
    batches = [order[8 * step:8 * step + 8] for step in range(STEPS)]
    positives = [positives_for(labels, batch, options["positives"], draw) for batch in batches]
    return {"rows": rows, "labels": torch.tensor(labels), "batches": batches, "positives": positives,
            "warmup_order": draw.sample(range(len(rows)), len(rows))}


def optimizer_of(model, options):
    """AdamW; neither biases nor LayerNorm decay."""
    plain = [p for name, p in model.flat_parameters() if name.endswith(".bias") or "LayerNorm" in name]
    decaying = [p for name, p in model.flat_parameters() if not (name.endswith(".bias") or "LayerNorm" in name)]
    groups = [{"params": decaying, "weight_decay": options["weight_decay"]}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options["learning_rate"], betas=(options["beta1"], options["beta2"]),
                             eps=options["epsilon"], fused=True)


def examples(data, chosen):
    return [data["rows"][index] for index in chosen], data["labels"][chosen]


def step(model, keys, queue, data, number, options):
    """Backward pass of one step.  Returns its losses and the gap of its ranking."""
    rows, labels = examples(data, data["batches"][number])
    if keys is not None:
        follow(keys, model, options["momentum"])
        enqueue(queue, keys, *examples(data, data["positives"][number]))
    embedding = model.embed(rows)
    total = cross_entropy = nn.functional.cross_entropy(model.classifier(embedding), labels)
    losses = {"loss.cross_entropy": cross_entropy}
    if keys is not None:
        z = nn.functional.normalize(model.projection(embedding), dim=-1)
        losses["loss.contrastive"], found = contrast(z, labels, queue, options)
        losses["gap"] = smallest_gap(found["scores"], labels, queue, options)
        total = options["lambda"] * losses["loss.contrastive"] + (1 - options["lambda"]) * cross_entropy
    total.backward()
    losses["loss.total"] = total
    return {name: float(torch.as_tensor(value).detach()) for name, value in losses.items()}


def train(model, data, options, with_keys):
    """Trains the model in place.  Returns the series of 20 numbers, the key encoder, the queue, and its first state."""
    optimizer, series = optimizer_of(model, options), []
    keys, queue, first_queue = None, Queue(options["queue"]), None
    if with_keys:
        keys = key_copy(model)
        enqueue(queue, keys, *examples(data, data["warmup_order"]))
        first_queue = (queue.keys, queue.labels)
    for number in range(STEPS):
        rate = options["learning_rate"] * (1 - number / STEPS)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        values = step(model, keys, queue, data, number, options)
        norm = nn.utils.clip_grad_norm_([p for _, p in model.flat_parameters()], options["clip"])
        optimizer.step()
        series.append(values | {"learning_rate": rate, "gradient_norm": float(norm)})
    return {name: [values[name] for values in series] for name in series[0]}, keys, queue, first_queue


def dump_run(arguments, name, build, data, options, with_keys, watched=None):
    """The run in float64, and what the same run in float32 makes of it."""
    tensors = ragged(data["rows"]) | {"labels": data["labels"], "batches": torch.tensor(data["batches"])}
    start, model, rounded = build(), build().double(), build()
    tensors |= heads_of(start) | {"kept_ids": start.kept_ids}
    series, keys, queue, first_queue = train(model, data, options, with_keys)
    rounded_series, *_ = train(rounded, data, options, with_keys)
    series |= {f"float32.{key}": rounded_series[key] for key in rounded_series if key.startswith(("loss", "gradient"))}
    wide = option_scalars(options) | series

    names = [key for key, p in model.flat_parameters() if p.grad is not None and (is_watched(key, watched))]
    final, narrow = dict(model.flat_parameters()), dict(rounded.flat_parameters())
    tensors |= {f"final.{key}": thin(final[key]) for key in names} | outputs_of(model, data)
    wide |= {f"final_statistics.{key}": statistics(final[key].detach()) for key in names}
    wide |= {f"float32.deviation.{key}": [largest_difference(final[key], narrow[key])] for key in names}
    if with_keys:
        first, last = dict(start.flat_parameters()), dict(keys.flat_parameters())
        wide["key_change"] = [max(largest_difference(first[key], last[key]) for key in last)]
        tensors |= {f"final_key.{key}": thin(last[key]) for key in names if not key.startswith("classifier.")}
        tensors |= {"positives": torch.tensor(data["positives"]), "warmup_order": torch.tensor(data["warmup_order"]),
                    "after_warmup.keys": first_queue[0], "after_warmup.labels": first_queue[1],
                    "final_queue.keys": queue.keys, "final_queue.labels": queue.labels}
    save(arguments.output / f"training_{name}.safetensors", tensors, wide, thinning=THINNING, options=options,
         pooling=model.pooling)


def is_watched(name, watched):
    return watched is None or name in watched or name.startswith(("classifier.", "projection."))


def largest_difference(left, right):
    return float((left.detach().double() - right.detach().double()).abs().max())


@torch.no_grad()
def outputs_of(model, data):
    embedding = torch.cat([model.embed(data["rows"][i:i + 40]) for i in range(0, len(data["rows"]), 40)])
    return {"final_embedding": embedding, "final_logits": model.classifier(embedding)}


def short_texts(arguments, count, seed):
    """Texts of few words, so that a run takes seconds."""
    return pick([pair for pair in texts.sst2(arguments.data, "train") if 4 <= len(pair[0].split()) <= 9], count, seed)


def random_examples(vocabulary, count, classes):
    """Ids of which half come from a range of their class's own, so that there is something to learn."""
    draw, span = random.Random(7), vocabulary // (classes + 1)
    labels = [draw.randrange(classes) for _ in range(count)]
    def one(label):
        own = (label + 1) * span
        return [draw.choice((draw.randrange(4, span), draw.randrange(own, own + span))) for _ in range(draw.randint(4, 24))]
    return [one(label) for label in labels], labels


def main():
    arguments = parse_arguments("Dumps gradients and short training runs.")
    for pooling in ("mean", "pooler"):
        dump_gradients(arguments, pooling)
    rows, labels = tokenized(arguments, short_texts(arguments, 160, 6), 12)
    data = schedule(rows, labels.tolist(), TRAINING_OPTIONS, 8)
    def build_minilm():
        return with_heads(minilm(arguments), "mean", 2, 384, 9).keep_only(ragged(rows)["ids"])
    dump_run(arguments, "minilm_ce", build_minilm, data, TRAINING_OPTIONS, False, WATCHED)
    dump_run(arguments, "minilm_knn", build_minilm, data, TRAINING_OPTIONS, True, WATCHED)
    config = BertConfig(**TINY | {"vocab_size": 500})
    random_encoder(config, 10).save_pretrained(arguments.output / "models" / "training_tiny")
    data = schedule(*random_examples(500, 200, 3), TRAINING_OPTIONS, 11)
    def build_tiny():
        return with_heads(random_encoder(config, 10), "pooler", 3, 32, 12)
    dump_run(arguments, "tiny_ce", build_tiny, data, TRAINING_OPTIONS, False)
    dump_run(arguments, "tiny_knn", build_tiny, data, TRAINING_OPTIONS, True)
    dump_run(arguments, "tiny_knn_fast", build_tiny, data, FAST_OPTIONS, True)
    distilled = DistilBertConfig(dim=48, n_heads=3, hidden_dim=80, n_layers=2, max_position_embeddings=64, vocab_size=500)
    random_encoder(distilled, 13).save_pretrained(arguments.output / "models" / "training_distilbert")
    def build_distilled():
        return with_heads(random_encoder(distilled, 13), "mean", 3, 32, 14)
    dump_run(arguments, "distilbert_ce", build_distilled, data, TRAINING_OPTIONS, False)
    dump_run(arguments, "distilbert_knn", build_distilled, data, TRAINING_OPTIONS, True)
    roberta = RobertaConfig(**TINY | {"vocab_size": 500}, type_vocab_size=1, layer_norm_eps=1e-5)
    random_encoder(roberta, 15).save_pretrained(arguments.output / "models" / "training_roberta")
    def build_roberta():
        return with_heads(random_encoder(roberta, 15), "pooler", 3, 32, 16)
    dump_run(arguments, "roberta_ce", build_roberta, data, TRAINING_OPTIONS, False)
    dump_run(arguments, "roberta_knn", build_roberta, data, TRAINING_OPTIONS, True)


if __name__ == "__main__":
    main()
