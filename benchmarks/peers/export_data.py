"""Writes the splits that train_torch.py uses as TSV files, text<TAB>class name, without a header."""

import argparse
from pathlib import Path

import datasets


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for SET.train.tsv and SET.test.tsv")
    parser.add_argument("--split-seed", type=int, default=42)
    parser.add_argument("--header", action="store_true", help="start with a line text<TAB>label")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in datasets.COMPARED:
        split = datasets.read(name, arguments.data, arguments.split_seed)
        for part, pairs in {"train": split.train, "test": split.test}.items():
            lines = ["text\tlabel"] * arguments.header + [f"{text}\t{label}" for text, label in pairs]
            path = arguments.output / f"{name}.{part}.tsv"
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
            print(f"{path.name}: {len(pairs)} examples, {len(split.classes)} classes")


if __name__ == "__main__":
    main()
