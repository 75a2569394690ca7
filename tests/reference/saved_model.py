"""Loads model directories that tests/model/files.cpp wrote with transformers: equal ids, hidden states and logits.

usage: saved_model.py [FOLDER]        default: the environment variable KNNBERT_REFERENCE
"""

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

CLASSES = ["card", "money", "rate"]
MAX_LENGTH = 12
TOLERANCE = 1e-5


def rows(flat, offsets):
    return [flat[first:last] for first, last in zip(offsets[:-1], offsets[1:])]


def difference(given, expected):
    assert given.shape == expected.shape, (given.shape, expected.shape)
    return (given - expected).abs().max().item()


@torch.no_grad()
def check(folder, name):
    dump = load_file(folder / f"{name}.safetensors")
    texts = [bytes(row.tolist()).decode() for row in rows(dump["text"], dump["text_offsets"].tolist())]
    offsets = dump["offsets"].tolist()
    tokenizer = AutoTokenizer.from_pretrained(folder / name)
    sequence = name.endswith("linear_pooler")
    model, about = AutoModel.from_pretrained(folder / name, output_loading_info=True)
    model.eval()
    assert not about["missing_keys"] and not about["mismatched_keys"], about
    assert all(key.startswith("classifier.") for key in about["unexpected_keys"]), about
    classifier = None
    if sequence:
        classifier, about = AutoModelForSequenceClassification.from_pretrained(folder / name, output_loading_info=True)
        classifier.eval()
        assert not about["missing_keys"] and not about["mismatched_keys"], about
        assert set(about["unexpected_keys"]) <= {"roberta.pooler.dense.weight", "roberta.pooler.dense.bias"}, about
        assert [classifier.config.id2label[i] for i in range(3)] == CLASSES, classifier.config.id2label

    worst = 0.0
    for number, (text, ids) in enumerate(zip(texts, rows(dump["ids"], offsets), strict=True)):
        encoded = tokenizer(text, truncation=True, max_length=MAX_LENGTH, return_tensors="pt")
        assert encoded["input_ids"][0].tolist() == ids.tolist(), (text, encoded["input_ids"], ids)
        if name.startswith("distilbert"):
            encoded.pop("token_type_ids", None)
        result = model(**encoded, output_hidden_states=True)
        for layer, hidden in enumerate(result.hidden_states):
            worst = max(worst, difference(hidden[0], dump[f"hidden.{layer}"][offsets[number]:offsets[number + 1]]))
        embedding = result.pooler_output[0] if sequence else result.last_hidden_state[0].mean(0)
        worst = max(worst, difference(embedding, dump["embedding"][number]))
        if classifier:
            worst = max(worst, difference(classifier(**encoded).logits[0], dump["logits"][number]))
    assert worst < TOLERANCE, (name, worst)
    print(f"{name}: {len(texts)} texts, largest difference {worst:.1e}")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KNNBERT_REFERENCE")
    if not folder:
        sys.exit(__doc__)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for name in ("linear_pooler", "mlp_mean", "distilbert_mean", "roberta_mean", "roberta_linear_pooler"):
        check(Path(folder) / "saved_model", name)


if __name__ == "__main__":
    main()
