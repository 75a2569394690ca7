"""Loads the directory that tests/pretrain/reference.cpp wrote with transformers' BertForMaskedLM: equal ids and logits.

usage: saved_masked_language.py [FOLDER]        default: the environment variable KNNBERT_REFERENCE
"""

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, AutoTokenizer


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["KNNBERT_REFERENCE"]) / "saved_masked_language"
    dump = load_file(folder / "dump.safetensors")
    model, about = AutoModelForMaskedLM.from_pretrained(folder / "model", output_loading_info=True)
    model.eval()
    assert type(model).__name__ == "BertForMaskedLM", type(model)
    assert not about["missing_keys"] and not about["mismatched_keys"], about
    assert set(about["unexpected_keys"]) <= {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}, about
    assert model.cls.predictions.decoder.weight.data_ptr() == model.bert.embeddings.word_embeddings.weight.data_ptr()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    text = bytes(dump["text"].tolist()).decode()
    encoded = tokenizer(text, return_tensors="pt")
    assert encoded["input_ids"][0].tolist() == dump["ids"].tolist(), (text, encoded)
    with torch.no_grad():
        worst = (model(**encoded).logits[0] - dump["logits"]).abs().max().item()
    assert worst < 1e-4, worst
    print(f"saved_masked_language: logits differ by at most {worst:.1e}")


if __name__ == "__main__":
    main()
