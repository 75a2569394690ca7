"""Text to token ids on one thread: this library, flash-tokenizer and tokenizers' encode_batch_fast, in turns.

Prints a Markdown table of MB (10^6 bytes of UTF-8) a second of processor time, best of several turns, and where ids
differ from tokenizers'. A program whose ids differ from it in one text is not counted; flash-tokenizer is, with the number
of such texts. The peers are measured as their users call them, from Python: their figures include making Python objects
of the ids, this library's program has them in a Batch. Pin it: taskset -c 0 python tokenize_texts.py ...

Needs tokenizers and flash-tokenizer (PyPI), and a built benchmarks/tokenize.
"""

import argparse
import csv
import gzip
import os
import platform
import re
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from flash_tokenizer import BertTokenizerFlash
from tokenizers import Tokenizer

REPEATS = 3  # of each contender in a turn, warm; this library's program has one more before them
UNLIMITED = 1_000_000  # flash-tokenizer has no other way to say it


def imdb(data):
    rows = []
    for part in ("test_2000", "train_5000"):
        with gzip.open(data / "imdb" / f"{part}.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
            rows += [line.rstrip("\n").split("\t", 3)[3] for line in lines]
    return rows


def ag_news(data):
    with gzip.open(data / "ag_news" / "test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        return [f"{title} {body}" for _, title, body in csv.reader(lines)]


def sst2(data):
    with gzip.open(data / "sst2" / "train.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rsplit("\t", 1)[0] for line in lines][1:]


READERS = {"imdb": imdb, "ag_news": ag_news, "sst2": sst2}


class HuggingFace:
    name = "tokenizers encode_batch_fast"

    def __init__(self, encoder, max_length):
        self.tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length) if max_length else self.tokenizer.no_truncation()

    def run(self, texts):
        start = time.process_time()
        encodings = self.tokenizer.encode_batch_fast(texts)
        seconds = time.process_time() - start
        return seconds, lambda: [np.array(encoding.ids, np.int32) for encoding in encodings]


class Flash:
    """The faster of its two calls: all texts at once, or text by text."""

    name = "flash-tokenizer"

    def __init__(self, encoder, max_length):
        self.length = max_length or UNLIMITED
        config = {"do_lower_case": True, "model_max_length": self.length}
        self.tokenizer = BertTokenizerFlash(str(encoder / "vocab.txt"), **config).tokenizer

    def run(self, texts):
        start = time.process_time()
        self.tokenizer.batch_encode(texts, "longest", self.length, False)
        middle = time.process_time()
        rows = [self.tokenizer.encode(text, "longest", self.length) for text in texts]
        end = time.process_time()
        return min(middle - start, end - middle), lambda: [np.array(row, np.int32) for row in rows]


class Own:
    name = "knnbert"

    def __init__(self, encoder, max_length, program, path, match_special):
        self.dump = path.with_suffix(".ids")
        self.command = [program, encoder, path, "--rounds", str(REPEATS + 1), "--max-length", str(max_length)]
        self.command += ["--dump", self.dump]
        self.command += ["--match-special"] * match_special
        self.first = float("inf")

    def run(self, texts):
        line = subprocess.run(self.command, check=True, capture_output=True, text=True).stdout
        figure = {key: float(value) for key, value in re.findall(r"(MB|first MB/s|seconds) ([\d.]+)", line)}
        self.first = min(self.first, figure["MB"] / figure["first MB/s"])
        return figure["seconds"], self.rows

    def rows(self):
        ids = np.fromfile(self.dump, np.int32)
        return [row[row >= 0] for row in np.split(ids, np.flatnonzero(ids == -1))][:-1]


def differing(rows, expected):
    assert len(rows) == len(expected), f"{len(rows)} texts instead of {len(expected)}"
    return [i for i, (row, other) in enumerate(zip(rows, expected)) if not np.array_equal(row, other)]


def around(tokens, row, expected):
    """What the two rows say where they first differ."""
    place = next((i for i, (a, b) in enumerate(zip(row, expected)) if a != b), min(len(row), len(expected)))
    show = lambda ids: " ".join(tokens.id_to_token(int(i)) for i in ids[max(0, place - 2):place + 4])
    return f"`{show(row)}` instead of `{show(expected)}`"


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="folder with tokenizer.json and vocab.txt, uncased")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--program", required=True, help="benchmarks/tokenize, built")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--max-length", type=int, default=0, help="special tokens included; 0: no limit")
    parser.add_argument("--match-special", action="store_true",
                        help="let this library find special tokens in texts, as tokenizers does by default")
    arguments = parser.parse_args()
    notes = []
    print("| texts | MB | knnbert, MB/s (first round) | flash-tokenizer | tokenizers | knnbert / flash | knnbert / tokenizers "
          "|\n|---|---|---|---|---|---|---|")
    for name, read in READERS.items():
        texts = [re.sub("[\r\n]", " ", text) for text in read(arguments.data)]
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.txt"
            path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="\n")
            own = Own(arguments.encoder, arguments.max_length, arguments.program, path, arguments.match_special)
            flash, peer = (kind(arguments.encoder, arguments.max_length) for kind in (Flash, HuggingFace))
            best = {}
            for _ in range(arguments.rounds):
                for contender in (own, flash, peer):
                    for _ in range(1 if contender is own else REPEATS):
                        seconds, rows = contender.run(texts)
                        best[contender] = min(seconds, best.get(contender, seconds))
                    if contender is own:
                        own_rows = rows()
                    elif contender is flash:
                        flash_rows = rows()
                    else:
                        expected = rows()
                wrong = differing(own_rows, expected)
                if wrong:
                    raise SystemExit(f"{name}: ids of {len(wrong)} texts differ from tokenizers', the first one is "
                                     f"{wrong[0]}: {around(peer.tokenizer, own_rows[wrong[0]], expected[wrong[0]])}")
            for i in differing(flash_rows, expected):
                notes.append(f"{name}, text {i}: {around(peer.tokenizer, flash_rows[i], expected[i])}")
            speed = {contender: megabytes / seconds for contender, seconds in best.items()}
            print(f"| {name} | {megabytes:.2f} | {speed[own]:.0f} ({megabytes / own.first:.0f}) | {speed[flash]:.1f} | "
                  f"{speed[peer]:.2f} | {speed[own] / speed[flash]:.1f} | {speed[own] / speed[peer]:.0f} |", flush=True)
    print(f"\nOne thread of {processor()}; tokenizers {version('tokenizers')}, flash-tokenizer {version('flash-tokenizer')}, "
          f"Python {platform.python_version()}; limit {arguments.max_length or 'none'}; best of {arguments.rounds} turns "
          f"of {REPEATS} runs. Ids of knnbert equal those of tokenizers in all texts.")
    print(f"Texts where flash-tokenizer's ids differ from tokenizers': {len(notes)}")
    for note in notes[:10]:
        print(f"- {note}")


if __name__ == "__main__":
    main()
