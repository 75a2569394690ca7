"""What PyTorch's autograd computes for training terms that look inside a pass, in float64 from float32 weights, dropout off.

terms.safetensors, the random encoder of models/terms with its pooler and the head classifier.{dense,out_proj}, 6 texts:
  ids [T], offsets [7], labels [6], head classifier.*
  option.{epsilon,eta,lambda,temperature} [1] f64
  KIND.loss [1] f64 and KIND.grad.PARAMETER for each KIND; what a loss does not reach is absent
  smoothness: noise [T, H], ascent [T, H] (gradient at the perturbed embedding output, scaled to max |u| = 1 a text), clipped
      [T, H] (the perturbation);  loss = mean CE + mean symmetric KL of perturbed and clean logits
  layerwise: layerwise.out_proj.{weight,bias};  loss = (sum over blocks of CE of the first rows + CE of the pooled rows) / (blocks + 1)
  words: words.{first,second}.{weight,bias}, word_gradient [V, H] (gradient of the mean CE at the word table), perturbation [V, H] =
      epsilon sign(word_gradient);  loss = (1 - lambda) / 2 (CE + CE of the perturbed) + lambda NT-Xent of the first rows, projected
  masked: masked_ids [T], masked.bias [V];  loss = mean CE of h E^T + bias at the masked tokens, whose id is MASK
"""

import torch
from torch import nn
from torch.nn import functional
from transformers import BertConfig

from common import generator, parse_arguments, ragged, save
from knn_bert import Head
from models import TINY, random_encoder

EPSILON, ETA, NOISE, LAMBDA, TEMPERATURE, MASK = 1e-2, 1e-1, 1e-2, 0.2, 0.1, 3
WORDS = "embeddings.word_embeddings.weight"


class Model:
    """An encoder and a head, text by text without padding."""

    def __init__(self, encoder, head):
        self.encoder, self.head = encoder, head

    def words(self, ids):
        return self.encoder.embeddings.word_embeddings(ids)

    def output(self, words):
        """Embedding output [L, H] of looked-up words [L, H]."""
        return self.encoder.embeddings(inputs_embeds=words[None])[0]

    def hidden(self, output):
        """Hidden states behind every block, the embedding output first."""
        states = [output[None]]
        for layer in self.encoder.encoder.layer:
            after = layer(states[-1])
            states.append(after[0] if isinstance(after, tuple) else after)
        return [state[0] for state in states]

    def pooled(self, hidden):
        return self.encoder.pooler(hidden[-1][None])[0]

    def parameters(self):
        named = list(self.encoder.named_parameters()) + [(f"classifier.{n}", p) for n, p in self.head.named_parameters()]
        return dict(named)


def symmetric_kl(a, b):
    p, q = functional.log_softmax(a, -1), functional.log_softmax(b, -1)
    return ((p.exp() - q.exp()) * (p - q)).sum(-1).mean()


def logits_of(model, passes):
    return model.head(torch.stack([model.pooled(hidden) for hidden in passes]))


def smoothness(model, rows, labels, tensors):
    clean = [model.hidden(model.output(model.words(ids))) for ids in rows]
    logits = logits_of(model, clean)
    noise = [NOISE * torch.randn(len(ids), 48, generator=generator(40 + i)).double() for i, ids in enumerate(rows)]
    noisy = [(hidden[0] + nu).detach().requires_grad_() for hidden, nu in zip(clean, noise)]
    ascent = torch.autograd.grad(symmetric_kl(logits_of(model, [model.hidden(x) for x in noisy]), logits.detach()), noisy)
    ascent = [u / u.abs().max() for u in ascent]
    clipped = [(nu + ETA * u).clamp(-EPSILON, EPSILON) for nu, u in zip(noise, ascent)]
    perturbed = logits_of(model, [model.hidden(hidden[0] + delta) for hidden, delta in zip(clean, clipped)])
    tensors |= {"noise": torch.cat(noise), "ascent": torch.cat(ascent), "clipped": torch.cat(clipped)}
    return functional.cross_entropy(logits, labels) + symmetric_kl(perturbed, logits), {}


def layerwise(model, rows, labels, tensors):
    torch.manual_seed(31)
    shared = nn.Linear(48, 3).double()
    passes = [model.hidden(model.output(model.words(ids))) for ids in rows]
    losses = [functional.cross_entropy(shared(torch.stack([hidden[layer][0] for hidden in passes])), labels)
              for layer in range(1, len(passes[0]))]
    losses.append(functional.cross_entropy(shared(torch.stack([model.pooled(hidden) for hidden in passes])), labels))
    own = {f"layerwise.out_proj.{name}": p for name, p in shared.named_parameters()}
    return sum(losses) / len(losses), own


def words(model, rows, labels, tensors):
    torch.manual_seed(32)
    first, second = nn.Linear(48, 48).double(), nn.Linear(48, 20).double()
    project = lambda f: second(torch.relu(first(f)))  # noqa: E731
    clean = [model.hidden(model.output(model.words(ids))) for ids in rows]
    cross_entropy = functional.cross_entropy(logits_of(model, clean), labels)
    (gradient,) = torch.autograd.grad(cross_entropy, [model.encoder.embeddings.word_embeddings.weight], retain_graph=True)
    change = EPSILON * gradient.sign()
    other = [model.hidden(model.output(model.words(ids) + change[ids])) for ids in rows]
    views = torch.cat([project(torch.stack([hidden[-1][0] for hidden in passes])) for passes in (clean, other)])
    z = functional.normalize(views, dim=-1)
    similar = (z @ z.T / TEMPERATURE).masked_fill(torch.eye(len(z), dtype=torch.bool), -torch.inf)
    partner = torch.arange(len(z)).roll(len(rows))
    contrast = functional.cross_entropy(similar, partner)
    tensors |= {"word_gradient": gradient, "perturbation": change}
    own = {f"words.first.{n}": p for n, p in first.named_parameters()} | {f"words.second.{n}": p for n, p in second.named_parameters()}
    return (1 - LAMBDA) / 2 * (cross_entropy + functional.cross_entropy(logits_of(model, other), labels)) + LAMBDA * contrast, own


def masked(model, rows, labels, tensors):
    bias = nn.Parameter(0.1 * torch.randn(model.encoder.config.vocab_size, generator=generator(33)).double())
    hidden_rows, answers, masked_ids = [], [], []
    for i, ids in enumerate(rows):
        chosen = torch.rand(len(ids), generator=generator(60 + i)) < 0.4
        chosen[0] |= not chosen.any()
        seen = ids.masked_fill(chosen, MASK)
        masked_ids += seen.tolist()
        hidden_rows.append(model.hidden(model.output(model.words(seen)))[-1][chosen])
        answers.append(ids[chosen])
    tensors["masked_ids"] = torch.tensor(masked_ids)
    scores = torch.cat(hidden_rows) @ model.encoder.embeddings.word_embeddings.weight.T + bias
    return functional.cross_entropy(scores, torch.cat(answers)), {"masked.bias": bias}


def main():
    arguments = parse_arguments("Dumps losses and gradients of terms that look inside a pass.")
    config = BertConfig(**TINY | {"vocab_size": 90})
    encoder = random_encoder(config, 30)
    encoder.save_pretrained(arguments.output / "models" / "terms")
    torch.manual_seed(34)
    head = Head(48, 3)
    draw = generator(35)
    rows = [torch.randint(4, 90, (length,), generator=draw) for length in (7, 1, 12, 4, 9, 5)]
    labels = torch.tensor([0, 2, 1, 1, 0, 2])
    tensors = ragged([ids.tolist() for ids in rows]) | {"labels": labels}
    tensors |= {f"classifier.{name}": p.clone() for name, p in head.named_parameters()}
    wide = {"option.epsilon": [EPSILON], "option.eta": [ETA], "option.lambda": [LAMBDA], "option.temperature": [TEMPERATURE]}
    model = Model(encoder.double(), head.double())
    for kind in (smoothness, layerwise, words, masked):
        loss, own = kind(model, rows, labels, tensors)
        named = model.parameters() | own
        found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        tensors |= {name: p for name, p in own.items()}
        tensors |= {f"{kind.__name__}.grad.{name}": g for name, g in zip(named, found) if g is not None}
        wide[f"{kind.__name__}.loss"] = [loss.item()]
    save(arguments.output / "terms.safetensors", tensors, wide)


if __name__ == "__main__":
    main()
