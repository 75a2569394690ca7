"""usage: transplant.py ENCODER TOKENIZER OUTPUT CORPUS [...] [--layers 3]

A BERT encoder for another vocabulary that starts from the first layers of a trained one of another language: `knnbert pretrain --encoder
OUTPUT` learns the tokens from text, and the layers have not to be found anew. TOKENIZER: vocab.txt, or a directory with tokenizer.json.
A token that ENCODER has too keeps its row of the word table; the n-th most frequent other one of CORPUS starts from that of ENCODER's n-th
whole word in the order of its vocabulary, which is about that of frequency, and those that do not occur from later ones. Needs the packages
tokenizers, safetensors and numpy, such as those of tests/reference/requirements.txt.
"""

import argparse
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import BertWordPieceTokenizer, Tokenizer

WORDS = "embeddings.word_embeddings.weight"


def tokenizer_of(path, output):
    """The tokenizer, which OUTPUT gets as well."""
    output.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(path / name, output / name)
        return Tokenizer.from_file(str(path / "tokenizer.json"))
    shutil.copy(path, output / "vocab.txt")
    return BertWordPieceTokenizer(str(path))


def frequencies(tokenizer, paths, lines=40000):
    counts = Counter()
    for path in paths:
        with path.open(encoding="utf-8") as text:
            for encoding in tokenizer.encode_batch([line for line, _ in zip(text, range(lines))]):
                counts.update(encoding.ids)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("corpus", type=Path, nargs="+")
    parser.add_argument("--layers", type=int, default=3)
    o = parser.parse_args()
    tokenizer = tokenizer_of(o.tokenizer, o.output)
    known = {token: row for row, token in enumerate((o.encoder / "vocab.txt").read_text(encoding="utf-8").splitlines())}
    weights = load_file(o.encoder / "model.safetensors")
    weights = {name: value for name, value in weights.items()
               if not name.startswith("pooler") and value.dtype.kind == "f" and not any(
                   name.startswith(f"encoder.layer.{number}.") for number in range(o.layers, 100))}
    table = weights[WORDS]
    counts = frequencies(tokenizer, o.corpus)
    tokens = [tokenizer.id_to_token(row) for row in range(tokenizer.get_vocab_size())]
    others = sorted((row for row, token in enumerate(tokens) if token not in known), key=lambda row: (-counts[row], row))
    words = [row for token, row in known.items() if token.isalpha() and token.isascii() and len(token) > 1]
    rows = np.zeros((len(tokens), table.shape[1]), dtype=table.dtype)
    for row, token in enumerate(tokens):
        if token in known:
            rows[row] = table[known[token]]
    for place, row in enumerate(others):
        rows[row] = table[words[place % len(words)]]
    weights[WORDS] = rows
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, o.output / "model.safetensors")
    config = json.loads((o.encoder / "config.json").read_text())
    config.update(vocab_size=len(tokens), num_hidden_layers=o.layers)
    (o.output / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    print(f"{len(tokens)} tokens, {len(tokens) - len(others)} of them known")


if __name__ == "__main__":
    main()
