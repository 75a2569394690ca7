"""What transformers' BertForMaskedLM computes, in float64 from float32 weights, dropout off.

models/masked_language, a random one with vocab.txt, and masked_language.safetensors, 5 sequences of it:
  ids [T] with hidden tokens, offsets [6], labels [T]: what they were, -1 for the others
  logits [T, V], loss [1] f64: mean cross entropy of the hidden tokens
  grad.NAME for every parameter, named as in the file but without the prefix `bert.`
"""

import torch
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM

from common import generator, parse_arguments, ragged, save
from models import TINY

VOCABULARY = 90


def main():
    arguments = parse_arguments("Dumps logits, loss and gradients of a masked language model.")
    folder = arguments.output / "models" / "masked_language"
    config = BertConfig(**TINY | {"vocab_size": VOCABULARY})
    config._attn_implementation = "eager"
    model = BertForMaskedLM(config).eval()
    draw = generator(81)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=draw)
            norm = name.endswith("LayerNorm.weight")
            parameter.copy_(noise * (0.2 if parameter.dim() == 2 else 0.1) + (1 if norm else 0))
    model.save_pretrained(folder)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join(special + [f"word{i}" for i in range(5, VOCABULARY)]) + "\n")

    rows, labels = [], []
    for length in (9, 3, 14, 5, 8):
        ids = torch.randint(5, VOCABULARY, (length,), generator=draw)
        chosen = torch.rand(length, generator=draw) < 0.3
        chosen[1] = True
        labels.append(torch.where(chosen, ids, -1))
        rows.append(torch.where(chosen & (torch.rand(length, generator=draw) < 0.8), 4, ids))
    model = model.double()
    logits = torch.cat([model(ids[None]).logits[0] for ids in rows])
    answers = torch.cat(labels)
    loss = functional.cross_entropy(logits[answers >= 0], answers[answers >= 0])
    loss.backward()
    tensors = ragged([ids.tolist() for ids in rows]) | {"labels": answers, "logits": logits}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            tensors[f"grad.{name.removeprefix('bert.')}"] = parameter.grad
    save(arguments.output / "masked_language.safetensors", tensors, {"loss": [loss.item()]})


if __name__ == "__main__":
    main()
