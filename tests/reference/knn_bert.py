"""A plain KNN-BERT training step: heads, queue, contrast, momentum; no dropout anywhere."""

import copy

import torch
from torch import nn

PADDING = 0


class Head(nn.Module):
    """Linear, tanh, Linear."""

    def __init__(self, width, size):
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, size)

    def forward(self, features):
        return self.out_proj(torch.tanh(self.dense(features)))


class Classifier(nn.Module):
    """An encoder with a classification and a contrastive head on one of its poolings."""

    def __init__(self, encoder, pooling, classes, size):
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.classifier = Head(encoder.config.hidden_size, classes)
        self.projection = Head(encoder.config.hidden_size, size)
        self.kept_ids = torch.arange(encoder.config.vocab_size)

    def keep_only(self, ids):
        """Drops the rows of the word embeddings that no text uses: they never change, and would dominate the time."""
        self.kept_ids = torch.cat([torch.tensor([PADDING]), ids]).unique()
        table = self.encoder.get_input_embeddings().weight.detach()[self.kept_ids]
        self.encoder.set_input_embeddings(nn.Embedding.from_pretrained(table, freeze=False, padding_idx=PADDING))
        return self

    def embed(self, rows):
        """[B, H] of id lists; padding is masked, and weighs exactly 0."""
        longest = max(map(len, rows))
        ids = torch.tensor([row + [PADDING] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        output = self.encoder(input_ids=torch.searchsorted(self.kept_ids, ids), attention_mask=mask)
        if self.pooling == "pooler":
            return output.pooler_output
        kept = mask[..., None].to(output.last_hidden_state.dtype)
        return (output.last_hidden_state * kept).sum(1) / kept.sum(1)

    def key(self, rows):
        return nn.functional.normalize(self.projection(self.embed(rows)), dim=-1)

    def flat_parameters(self):
        """Parameters under the names of a checkpoint: those of the encoder bare, then classifier.*, projection.*."""
        yield from self.encoder.named_parameters()
        yield from ((f"classifier.{name}", p) for name, p in self.classifier.named_parameters())
        yield from ((f"projection.{name}", p) for name, p in self.projection.named_parameters())


class Queue:
    """The newest `capacity` keys, oldest first."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.keys = self.labels = None

    def push(self, keys, labels):
        if self.keys is not None:
            keys, labels = torch.cat([self.keys, keys]), torch.cat([self.labels, labels])
        self.keys, self.labels = keys[-self.capacity:].detach(), labels[-self.capacity:]


def positives_of(scores, same, top_k, end_k):
    """Indices of the top_k most and end_k least similar keys of the same label, most similar first, each once."""
    own = same.nonzero()[:, 0]
    ranked = own[scores[own].argsort(descending=True, stable=True)]
    if len(ranked) <= top_k + end_k:
        return ranked
    return torch.cat([ranked[:top_k], ranked[len(ranked) - end_k:]])


def contrast(z, labels, queue, options):
    """Loss, averaged per anchor, and what led to it: scores [B, n], positives (a list an anchor), log partition [B]."""
    scores = z @ queue.keys.T
    chosen, partition, losses = [], [], []
    for row, label in zip(scores, labels):
        same = queue.labels == label
        chosen.append(positives_of(row.detach(), same, options["top_k"], options["end_k"]))
        partition.append((row[~same] / options["temperature"]).logsumexp(0))
        if len(chosen[-1]) and not same.all():
            own = row[chosen[-1]] / options["temperature"]
            losses.append(nn.functional.softplus(partition[-1] - own).mean())
    return torch.stack(losses).mean(), {"scores": scores, "positives": chosen, "log_partition": torch.stack(partition)}


def key_copy(model):
    return copy.deepcopy(model).requires_grad_(False)


@torch.no_grad()
def follow(keys, model, momentum):
    """keys = momentum keys + (1 - momentum) model."""
    for target, source in zip(keys.parameters(), model.parameters(), strict=True):
        target.mul_(momentum).add_(source, alpha=1 - momentum)
