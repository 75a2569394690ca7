"""Loads tokenizers that byte_pair_encoding.cpp and unigram_files.cpp of tests/text wrote with transformers: equal ids.

usage: saved_tokenizers.py [FOLDER]        default: the environment variable KNNBERT_REFERENCE
"""

import json
import os
import sys
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer


def check(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    for row in rows:
        ids = tokenizer(row["text"], row["pair"])["input_ids"]
        assert ids == row["ids"], (folder.name, row, ids)
        ids = backend.encode(row["text"], row["pair"]).ids
        assert ids == row["ids"], (folder.name, row, ids)
    print(f"{folder.name}: {len(rows)} pairs, {type(tokenizer).__name__}")


def main():
    place = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["KNNBERT_REFERENCE"])
    folders = [own for name in ("saved_byte_pairs", "saved_unigrams") for own in sorted((place / name).glob("*"))]
    if not folders:
        print("skipped: no tokenizers there")
    for own in folders:
        check(own)


if __name__ == "__main__":
    main()
