"""What the comparisons share: pinned processes that take turns, files of token ids, counts of operations, tables.

A peer runs in a process of its own, pinned to one core, which lives through all its rounds and waits while ours has its
turn. Times are processor seconds of the whole process, so that a thread of the peer's own that helps is counted. Functions import what
they need: this module is also part of processes whose start is measured.
"""

import json
import os
import sys
import time
from pathlib import Path

FOLDER = Path(sys.prefix).parent  # what setup.sh made: venv/ (this interpreter), models/, libmkl_intel.so
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
QUIET = {"TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1",
         "PYTHONWARNINGS": "ignore"}
FAST_MKL = {"LD_PRELOAD": str(FOLDER / "libmkl_intel.so")}
# Large tensors from the heap, which keeps their pages, in place of a mapping for each, whose pages are cleared every time.
PAGE_REUSE = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "67108864"}
# A process of no size that starts the measured one: Linux hands the peak memory of the starter on to what it starts.
LAUNCHER = """import json, os, sys
null = os.open(os.devnull, os.O_WRONLY)
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, status, usage = os.wait4(child, 0)
print(json.dumps({"status": status, "seconds": usage.ru_utime + usage.ru_stime, "megabytes": usage.ru_maxrss / 1024}))"""


def parser(description, sets, rounds, programs):
    import argparse
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    result.add_argument("--encoder", type=Path, help="directory of a Hugging Face encoder", required=True)
    result.add_argument("--data", type=Path, help="folder of the data sets", required=True)
    for name, help_text in programs.items():
        result.add_argument(f"--{name}", type=Path, help=f"our program: {help_text}; without it only the peers run")
    if sets:
        result.add_argument("--sets", nargs="+", choices=sets, default=sets)
    result.add_argument("--peers", nargs="+", metavar="PART", default=[""], help="only peers with this in their name")
    result.add_argument("--core", type=int, default=0, help="all processes run on this core")
    result.add_argument("--rounds", type=int, default=rounds, help="turns that each side has; the best one counts")
    return result


class Turns:
    """A program of ours that works once for every line that it is sent, and answers with numbers."""

    def __init__(self, *arguments):
        import subprocess
        self.process = subprocess.Popen(list(map(str, arguments)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def words(self):
        """Of its next line."""
        return self.process.stdout.readline().split()

    def turn(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [float(word) for word in self.words()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# --- data ----------------------------------------------------------------------------------------

def read(name, part, data):
    """(text, class name) pairs; `part` is train or test, for sst2 the development set serves as test."""
    import csv
    import gzip

    import datasets
    if name == "sst2":
        return getattr(datasets.read("sst2", data, 42), part)
    if name == "ag_news" and part == "test":
        with gzip.open(data / name / "test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
            return [(f"{title} {text}", label) for label, title, text in csv.reader(lines)]
    if name == "ag_news":
        with gzip.open(data / name / "train_10k.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
            return [tuple(line.rstrip("\r\n").rsplit("\t", 1)) for line in lines]
    if name == "imdb" and part == "test":
        with gzip.open(data / name / "test_2000.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
            rows = [line.rstrip("\r\n").split("\t") for line in lines]
        return [(row[3], row[0]) for row in rows]
    raise ValueError(f"{name} {part}: no such set")


def token_ids(encoder, texts, most):
    """A list of ids for every text, special tokens included."""
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def labeled(name, data, encoder, count, most=128):
    """Ids and label numbers of `count` training examples in shuffled order."""
    import random
    pairs = read(name, "train", data)
    random.Random(1).shuffle(pairs)
    pairs = pairs[:count]
    if len(pairs) < count:
        raise ValueError(f"{name}: {len(pairs)} training examples, {count} needed")
    classes = sorted({label for _, label in pairs})
    return token_ids(encoder, [text for text, _ in pairs], most), [classes.index(label) for _, label in pairs]


def write_ids(path, rows, labels=None):
    """A text a line: ids separated by spaces, with labels behind `label<TAB>`."""
    lines = [" ".join(map(str, row)) for row in rows]
    if labels is not None:
        lines = [f"{label}\t{line}" for label, line in zip(labels, lines)]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def read_ids(path):
    """Rows and labels of such a file; labels is empty where the file has none."""
    rows, labels = [], []
    for line in Path(path).read_text().splitlines():
        label, tab, ids = line.rpartition("\t")
        rows.append([int(word) for word in ids.split()])
        if tab:
            labels.append(int(label))
    return rows, labels


def padded(rows, length=None):
    """Ids and mask [B, L] as int64, L the longest row unless given."""
    import numpy as np
    lengths = np.array([len(row) for row in rows])
    ids = np.zeros((len(rows), length or lengths.max()), dtype=np.int64)
    for line, row in zip(ids, rows):
        line[:len(row)] = row
    return ids, (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)


def by_length(rows, indices, size):
    """`indices` in lists of `size`, texts of about one length together."""
    order = sorted(indices, key=lambda index: len(rows[index]))
    return [order[first:first + size] for first in range(0, len(order), size)]


def forward_operations(encoder, rows):
    """Useful operations of a forward pass: products and attention at the texts' real lengths."""
    config = json.loads((encoder / "config.json").read_text())
    width, inner, layers = (config[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    token = 2 * (4 * width * width + 2 * width * inner)
    return layers * sum(len(row) * token + 4 * len(row) ** 2 * width for row in rows)


# --- processes -----------------------------------------------------------------------------------

def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def environment(extra=()):
    return {**os.environ, **ONE_THREAD, **QUIET, **dict(extra)}


def run_program(core, *command):
    """Runs one of our programs; what its last line says."""
    import subprocess
    done = subprocess.run(pinned(core, command), env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measured(core, command, extra=()):
    """Processor seconds and peak megabytes of a fresh process."""
    import subprocess
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, *pinned(core, command)]
    done = subprocess.run(launcher, env=environment(extra), capture_output=True, text=True)
    result = json.loads(done.stdout or '{"status": -1}')
    if result["status"]:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
    return result


class Worker:
    """A peer in a process of its own: the script that is running, started again with --worker NAME."""

    def __init__(self, core, name, extra=()):
        import subprocess
        command = pinned(core, [sys.executable, sys.argv[0], "--worker", name])
        self.name = name
        self.process = subprocess.Popen(command, env=environment(extra), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request, default=str) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name}: the process ended with {self.process.wait()}")
        return json.loads(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def worker_name():
    """The name behind --worker where this process is a worker, else None."""
    return sys.argv[2] if sys.argv[1:2] == ["--worker"] else None


def serve(answer):
    """Answers every request on standard input, one JSON line each; what libraries print goes to standard error."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=output, flush=True)


def processor_seconds(function):
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def take_turns(rounds, *sides):
    """Calls the sides alternately; a list of the answers for each side."""
    answers = [[] for _ in sides]
    for _ in range(rounds):
        for side, list_of_answers in zip(sides, answers):
            list_of_answers.append(side())
    return answers


def best(answers, key="seconds"):
    return min(answer[key] for answer in answers)


# --- tables --------------------------------------------------------------------------------------

def versions(*packages):
    from importlib.metadata import version
    return ", ".join(f"{package} {version(package)}" for package in packages)


def described_loss(answer):
    """Our programs may leave it out."""
    return f"{answer['loss']:.3f}" if "loss" in answer else "-"


def print_caption(options, *packages):
    with open("/proc/cpuinfo") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    print(f"{model}, one thread on core {options.core}, best processor time of {options.rounds} turns; load average at the start "
          f"{os.getloadavg()[0]:.1f}. {versions(*packages)}.\n", flush=True)


def print_table(title, header, rows):
    """A Markdown table; the first column to the left, the others to the right."""
    print(f"**{title}**\n\n| {' | '.join(header)} |\n|---|{'---:|' * (len(header) - 1)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)
