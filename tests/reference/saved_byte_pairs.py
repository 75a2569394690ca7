"""Loads tokenizers that tests/text/byte_pair_encoding.cpp wrote with transformers: equal ids.

usage: saved_byte_pairs.py [FOLDER]        default: the environment variable KNNBERT_REFERENCE
"""

import json
import os
import sys
from pathlib import Path

from transformers import AutoTokenizer


def check(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    for row in rows:
        ids = tokenizer(row["text"], row["pair"])["input_ids"]
        assert ids == row["ids"], (folder.name, row, ids)
    print(f"{folder.name}: {len(rows)} pairs, {type(tokenizer).__name__}")


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["KNNBERT_REFERENCE"]) / "saved_byte_pairs"
    if not folder.exists():
        print("skipped: no tokenizers there")
        return
    for own in sorted(folder.iterdir()):
        check(own)


if __name__ == "__main__":
    main()
