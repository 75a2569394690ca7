"""Fine-tunes a text classifier with PyTorch by the recipe of `knnbert train`, and prints its accuracy as a JSON line.

ce: cross-entropy of a head Linear, tanh, Linear. knn-bert: the same plus the queue contrast of arXiv 2110.02523, keys
from a momentum encoder. Both: AdamW, clip 1.0, linear decay to 0, no warm-up. After training the training set is encoded
again and its nearest neighbors vote; accuracy is that of the vote, of the head and of their mixture.
"""

import argparse
import copy
import json
import random
import sys
import time
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from torch import nn

import datasets

TEXTS_PADDED = 8  # to one length, in attention
TEXTS_AT_ONCE = 64  # where no gradient is needed
CLIP = 1.0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="directory of a Hugging Face encoder")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--dataset", choices=list(datasets.READERS), required=True)
    parser.add_argument("--method", choices=["ce", "knn-bert"], default="knn-bert")
    parser.add_argument("--seed", type=int, default=42, help="of heads, order, dropout and positives")
    parser.add_argument("--split-seed", type=int, default=42, help="of the choice of training examples")
    parser.add_argument("--limit-train", type=int, help="use this many training examples, drawn with --split-seed")
    parser.add_argument("--limit-test", type=int, help="use the first test examples only")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--head-lr", type=float, help="of both heads; default: --lr")
    parser.add_argument("--dropout", type=float, help="everywhere; default: as the encoder's configuration says")
    parser.add_argument("--pooling", choices=["mean", "pooler", "cls"], default="mean")
    parser.add_argument("--max-length", type=int, default=128, help="tokens, special ones included")
    parser.add_argument("--lambda", dest="lambda_", type=float, default=0.1, help="weight of the contrast")
    parser.add_argument("--momentum", type=float, default=0.99)
    parser.add_argument("--positives", type=int, default=16, help="keys encoded for every query")
    parser.add_argument("--queue", type=int, default=32000)
    parser.add_argument("--top-k", type=int, default=100)
    parser.add_argument("--end-k", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.07)
    parser.add_argument("--key-dropout", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--k", type=int, help="voting neighbors; default: --top-k")
    parser.add_argument("--phi", type=float, default=0.1, help="weight of the vote in the mixture")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--matmul-precision", choices=["highest", "high", "medium"], default="highest",
                        help="of float32 products, as torch names it")
    options = parser.parse_args()
    options.head_lr = options.lr if options.head_lr is None else options.head_lr
    options.k = options.top_k if options.k is None else options.k
    return options


class Texts:
    """Token ids and labels of a part of a data set."""

    def __init__(self, pairs, classes, tokenizer):
        numbers = {name: number for number, name in enumerate(classes)}
        self.rows = [encoding.ids for encoding in tokenizer.encode_batch([text for text, _ in pairs])]
        self.labels = torch.tensor([numbers[name] for _, name in pairs])

    def __len__(self):
        return len(self.rows)

    def padded(self, indices):
        """Ids and mask [B, longest of these]."""
        rows = [self.rows[index] for index in indices]
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for line, row in zip(ids, rows):
            line[:len(row)] = row
        lengths = torch.tensor([len(row) for row in rows])
        return torch.from_numpy(ids), (torch.arange(ids.shape[1]) < lengths[:, None]).long()

    def by_length(self, indices):
        """Positions in `indices`, shortest text first."""
        return sorted(range(len(indices)), key=lambda place: len(self.rows[indices[place]]))


def load_tokenizer(folder, max_length):
    if (folder / "tokenizer.json").exists():
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        tokenizer = tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


class Head(nn.Module):
    """Dropout, Linear, tanh, dropout, Linear."""

    def __init__(self, width, size, dropout):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, size)

    def forward(self, features):
        return self.out_proj(self.dropout(torch.tanh(self.dense(self.dropout(features)))))


def packed_layer(layer, x, groups):
    """A BertLayer on texts end to end, [T, H]; groups of them: tokens, their places [texts * longest], texts, mask."""
    attention = layer.attention.self
    query, key, value = (part(x) for part in (attention.query, attention.key, attention.value))
    contexts = []
    for tokens, place, count, mask in groups:
        def heads(rows):
            padded = rows.new_zeros(count * mask.shape[-1], rows.shape[1]).index_copy(0, place, rows[tokens])
            return padded.view(count, mask.shape[-1], attention.num_attention_heads, -1).transpose(1, 2)
        context = nn.functional.scaled_dot_product_attention(
            heads(query), heads(key), heads(value), attn_mask=mask, dropout_p=attention.dropout.p if layer.training else 0.0)
        contexts.append(context.transpose(1, 2).flatten(2).flatten(0, 1)[place])
    x = layer.attention.output(torch.cat(contexts), x)
    return layer.output(layer.intermediate(x), x)


class Model(nn.Module):
    def __init__(self, options, classes):
        super().__init__()
        config = transformers.AutoConfig.from_pretrained(options.encoder)
        if options.dropout is not None:
            config.hidden_dropout_prob = config.attention_probs_dropout_prob = options.dropout
        self.encoder = transformers.AutoModel.from_pretrained(options.encoder, config=config, dtype=torch.float32)
        self.pooling = options.pooling
        self.classifier = Head(config.hidden_size, classes, config.hidden_dropout_prob)
        self.projection = Head(config.hidden_size, config.hidden_size, config.hidden_dropout_prob)

    @property
    def device(self):
        return self.classifier.dense.weight.device

    def embed(self, texts, indices):
        """[B, H], in the order of indices, as transformers computes it: padded to the longest."""
        ids, mask = (tensor.to(self.device) for tensor in texts.padded(indices))
        output = self.encoder(input_ids=ids, attention_mask=mask)
        if self.pooling == "pooler":
            return output.pooler_output
        if self.pooling == "cls":
            return output.last_hidden_state[:, 0]
        kept = mask[..., None].to(output.last_hidden_state.dtype)
        return (output.last_hidden_state * kept).sum(1) / kept.sum(1)

    def embed_packed(self, texts, indices):
        """The same with the same modules, but texts lie end to end, shortest first: only attention pads, a few texts of
        about one length at a time."""
        order = texts.by_length(indices)
        rows = [texts.rows[indices[place]] for place in order]
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        starts = lengths.cumsum(0) - lengths
        text_of_token = torch.repeat_interleave(torch.arange(len(rows), device=self.device), lengths)
        positions = torch.arange(int(lengths.sum()), device=self.device) - starts[text_of_token]
        groups = []
        for first in range(0, len(rows), TEXTS_PADDED):
            of_group = slice(first, first + TEXTS_PADDED)
            longest, count = int(lengths[of_group][-1]), len(rows[of_group])
            tokens = slice(int(starts[first]), int(starts[of_group][-1] + lengths[of_group][-1]))
            place = (text_of_token[tokens] - first) * longest + positions[tokens]
            mask = torch.arange(longest, device=self.device) < lengths[of_group, None]
            groups.append((tokens, place, count, mask[:, None, None, :]))
        inner = self.encoder.embeddings
        ids = torch.tensor([token for row in rows for token in row], device=self.device)
        x = inner.word_embeddings(ids) + inner.position_embeddings(positions) + inner.token_type_embeddings.weight[0]
        x = inner.dropout(inner.LayerNorm(x))
        for layer in self.encoder.encoder.layer:
            x = packed_layer(layer, x, groups)
        back = torch.tensor(order, device=self.device).argsort()
        if self.pooling != "mean":
            first = x[starts[back]]
            return first if self.pooling == "cls" else self.encoder.pooler(first[:, None])
        sums = torch.zeros(len(rows), x.shape[1], dtype=x.dtype, device=self.device).index_add(0, text_of_token, x)
        return (sums / lengths[:, None])[back]

    def project(self, embedding):
        return nn.functional.normalize(self.projection(embedding), dim=-1)

    @torch.no_grad()
    def embed_all(self, texts, indices, project):
        """Embeddings, or projections, [len(indices), H] computed in micro-batches of similar length."""
        result = torch.empty(len(indices), self.classifier.dense.in_features, device=self.device)
        order = texts.by_length(indices)
        for first in range(0, len(order), TEXTS_AT_ONCE):
            places = order[first:first + TEXTS_AT_ONCE]
            embedding = self.embed_packed(texts, [indices[place] for place in places])
            result[places] = self.project(embedding) if project else embedding
        return result


class Queue:
    """A ring of the newest keys."""

    def __init__(self, capacity, width, device):
        self.keys = torch.empty(capacity, width, device=device)
        self.labels = torch.empty(capacity, dtype=torch.int64, device=device)
        self.size = self.next = 0

    def push(self, keys, labels):
        capacity = len(self.keys)
        keys, labels = keys[-capacity:], labels[-capacity:].to(self.labels.device)
        slots = (self.next + torch.arange(len(keys), device=keys.device)) % capacity
        self.keys[slots], self.labels[slots] = keys, labels
        self.next = (self.next + len(keys)) % capacity
        self.size = min(capacity, self.size + len(keys))


def rank_positives(scores, same, top_k, end_k):
    """Indices [B, P] of the top_k most and end_k least similar keys of the same label, and which of them count."""
    most = min(top_k + end_k, scores.shape[1])
    chosen = scores.masked_fill(~same, -torch.inf).topk(most).indices
    found = same.sum(1, keepdim=True)
    if end_k and most > top_k:
        least = scores.masked_fill(~same, torch.inf).topk(most - top_k, largest=False).indices
        chosen[:, top_k:] = torch.where(found > top_k + end_k, least, chosen[:, top_k:])
    return chosen, torch.arange(most, device=scores.device) < found


def contrast(z, labels, queue, options):
    """Mean over the anchors that have positives and negatives; None if there is none."""
    keys, key_labels = queue.keys[:queue.size], queue.labels[:queue.size]
    scores = z @ keys.T
    same = labels[:, None] == key_labels
    with torch.no_grad():
        chosen, counts = rank_positives(scores.detach(), same, options.top_k, options.end_k)
        valid = same.any(1) & ~same.all(1)
    if not valid.any():
        return None
    partition = (scores / options.temperature).masked_fill(same, -torch.inf)[valid].logsumexp(1, keepdim=True)
    terms = nn.functional.softplus(partition - scores.gather(1, chosen)[valid] / options.temperature)
    counts = counts[valid].to(terms.dtype)
    return ((terms * counts).sum(1) / counts.sum(1)).mean()


class Keys:
    """The momentum encoder and its queue."""

    def __init__(self, model, texts, options, draw):
        self.options, self.texts, self.draw = options, texts, draw
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.queue = Queue(options.queue, model.classifier.dense.in_features, model.device)
        self.classes = {}
        for index, label in enumerate(texts.labels.tolist()):
            self.classes.setdefault(label, []).append(index)
        order = draw.sample(range(len(texts)), len(texts))
        self.push(order)
        self.model.train(options.key_dropout)

    def push(self, examples):
        self.queue.push(self.model.embed_all(self.texts, examples, project=True), self.texts.labels[examples])

    def positives(self, label):
        """Different examples of a class; all of a small class, then some of them again."""
        members, count = self.classes[label], self.options.positives
        chosen = self.draw.sample(members, min(count, len(members)))
        return chosen + self.draw.choices(members, k=count - len(chosen))

    @torch.no_grad()
    def advance(self, model, batch):
        """Follows the model as it is before its update, then encodes and enqueues the positives of the batch."""
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - self.options.momentum)
        self.push([example for index in batch for example in self.positives(int(self.texts.labels[index]))])


def loss_of(model, keys, texts, batch, options):
    labels = texts.labels[batch].to(model.device)
    embedding = model.embed_packed(texts, batch)
    cross_entropy = nn.functional.cross_entropy(model.classifier(embedding), labels)
    if keys is None:
        return cross_entropy
    contrastive = contrast(model.project(embedding), labels, keys.queue, options)
    if contrastive is None:
        return cross_entropy
    return options.lambda_ * contrastive + (1 - options.lambda_) * cross_entropy


def train(model, texts, options):
    """Trains in place.  Returns the mean loss of each epoch and the number of steps skipped for a non-finite loss."""
    draw = random.Random(options.seed)
    keys = Keys(model, texts, options, draw) if options.method == "knn-bert" else None
    heads = [*model.classifier.parameters(), *model.projection.parameters()]
    groups = [{"params": list(model.encoder.parameters()), "peak": options.lr}, {"params": heads, "peak": options.head_lr}]
    optimizer = torch.optim.AdamW(groups, lr=options.lr, weight_decay=0.0, fused=True)
    total = options.epochs * -(-len(texts) // options.batch)
    step, skipped, means = 0, 0, []
    model.train()
    for epoch in range(options.epochs):
        order, losses = draw.sample(range(len(texts)), len(texts)), []
        for first in range(0, len(order), options.batch):
            batch = order[first:first + options.batch]
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * (1 - step / total)
            if keys:
                keys.advance(model, batch)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model, keys, texts, batch, options)
            step += 1
            if not torch.isfinite(loss):
                skipped += 1
                continue
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            losses.append(loss.item())
        means.append(float(np.mean(losses)) if losses else float("nan"))
        print(f"epoch {epoch + 1}: loss {means[-1]:.4f}", file=sys.stderr, flush=True)
    return means, skipped


def vote(queries, store, labels, classes, k):
    """[N, C]: share of each class among the k nearest rows of the store."""
    shares = []
    for part in queries.split(512):
        nearest = labels[(part @ store.T).topk(min(k, len(store))).indices]
        shares.append(nn.functional.one_hot(nearest, classes).double().mean(1))
    return torch.cat(shares)


@torch.no_grad()
def evaluate(model, train_texts, test_texts, classes, options):
    """Accuracy of the neighbors, the head and their mixture; ties go to the lowest class."""
    model.eval()
    def features(texts):
        embedding = model.embed_all(texts, range(len(texts)), project=False)
        metric = model.project(embedding) if options.method == "knn-bert" else nn.functional.normalize(embedding, dim=-1)
        return embedding, metric
    _, store = features(train_texts)
    embedding, queries = features(test_texts)
    head = model.classifier(embedding).double().softmax(1)
    knn = vote(queries, store, train_texts.labels.to(model.device), classes, options.k)
    mixed = options.phi * knn + (1 - options.phi) * head
    gold = test_texts.labels.numpy()
    return {name: float((np.argmax(p.cpu().numpy(), 1) == gold).mean())
            for name, p in {"knn": knn, "head": head, "combined": mixed}.items()}


def read_texts(options):
    split = datasets.read(options.dataset, options.data, options.split_seed)
    classes = split.classes
    if options.limit_train:
        split.train = random.Random(options.split_seed).sample(split.train, options.limit_train)
    tokenizer = load_tokenizer(options.encoder, options.max_length)
    return Texts(split.train, classes, tokenizer), Texts(split.test[:options.limit_test], classes, tokenizer), classes


def main():
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    torch.set_float32_matmul_precision(options.matmul_precision)
    torch.manual_seed(options.seed)
    transformers.utils.logging.disable_progress_bar()
    train_texts, test_texts, classes = read_texts(options)
    model = Model(options, len(classes)).to(options.device)
    start = time.perf_counter()
    losses, skipped = train(model, train_texts, options)
    trained = time.perf_counter()
    accuracy = evaluate(model, train_texts, test_texts, len(classes), options)
    end = time.perf_counter()
    print(json.dumps({
        "dataset": options.dataset, "method": options.method, "seed": options.seed, "n": len(test_texts),
        "accuracy": accuracy, "seconds": round(end - start, 2), "train_seconds": round(trained - start, 2),
        "train_n": len(train_texts), "classes": len(classes), "losses": losses, "skipped_steps": skipped,
        "options": {name.rstrip("_"): str(value) if isinstance(value, Path) else value
                    for name, value in vars(options).items() if name not in ("encoder", "data")},
        "torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
