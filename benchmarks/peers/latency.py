"""One text at a time: milliseconds for 25 and 128 tokens, in turns with our program; and processor seconds and peak memory
of a fresh process up to its first embedding, from a text. One thread. Prints Markdown tables.

FOLDER/venv/bin/python latency.py --encoder DIR --data DIR --encode PROGRAM --knnbert PROGRAM   (FOLDER: see setup.sh)
"""

import sys

sys.path.append(sys.path.pop(0))  # behind the others: modules here are named like some of the standard library

from pathlib import Path

import common
import encode
import numpy as np

LENGTHS = (25, 128)
CALLS = 200
TEXT = "a text of a dozen words , which is what people type into search boxes ."


# --- from the start of a process to its first embedding ------------------------------------------

def start_transformers(encoder):
    import torch
    from transformers import AutoModel, AutoTokenizer
    inputs = AutoTokenizer.from_pretrained(encoder)(TEXT, return_tensors="pt")
    with torch.inference_mode():
        return AutoModel.from_pretrained(encoder)(**inputs).last_hidden_state.mean(1).numpy()


def start_sentence_transformers(encoder):
    from sentence_transformers import SentenceTransformer
    return SentenceTransformer(encoder, device="cpu").encode([TEXT], normalize_embeddings=False)


def start_other(load, encoder, **arguments):
    """A peer of encode.py that needs ids, made by tokenizers, which is small."""
    ids, mask = common.padded(common.token_ids(Path(encoder), [TEXT], 512))
    return load(encoder, **arguments)(ids, mask)


STARTS = {
    encode.REFERENCE: start_transformers,
    "sentence-transformers, fp32": start_sentence_transformers,
    **{name: lambda encoder, peer=peer: start_other(peer.load, encoder, **peer.arguments)
       for name, peer in encode.PEERS.items() if "transformers" not in name and "bf16" not in name},
}


def start(name, encoder, output):
    """All that the measured process does."""
    np.save(output, STARTS[name](encoder))


def start_row(options, name, command, output, reference):
    """A row: the best of the turns, once the embedding is right (up to its norm, as some normalize)."""
    output.unlink(missing_ok=True)
    turns = [common.measured(options.core, command) for _ in range(options.rounds)]
    x, y = np.load(output)[0], reference
    cosine = float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    if cosine < 0.95:
        return [name, f"disagrees: cosine {cosine:.4f}", "-"]
    return [name, f"{common.best(turns):.3f}", f"{common.best(turns, 'megabytes'):.0f}"]


def start_command(options, name, output):
    return [sys.executable, sys.argv[0], "--start", name, options.encoder, output]


def compare_starts(options, folder):
    output, rows = folder / "first.npy", []
    common.measured(options.core, start_command(options, encode.REFERENCE, output))
    reference = np.load(output)[0]
    for name in STARTS:
        if any(part in name for part in options.peers):
            rows.append(start_row(options, name, start_command(options, name, output), output, reference))
    if options.knnbert:
        text = folder / "text.txt"
        text.write_text(TEXT + "\n")
        for precision in options.start_precision:
            command = [options.knnbert, "embed", "--model", options.encoder, "--input", text, "--output", output, "--feature", "mean",
                       "--threads", 1, *(["--precision", precision] if precision != "fp32" else [])]
            rows.append(start_row(options, f"ours (knnbert embed), {precision}", command, output, reference))
    common.print_table("Start of a process to its first embedding", ["peer", "processor seconds", "peak memory, MB"], rows)


# --- one text at a time --------------------------------------------------------------------------

def our_turn(options, ids, precision, length):
    """Milliseconds: medians of the program's calls."""
    answer = common.run_program(options.core, options.encode, options.encoder, ids, "--precision", precision,
                                "--latency", length, "--rounds", CALLS)
    return {"cpu": answer["ms"], "wall": 1e3 * answer["median_wall"]}


def compare_latency(options, name, length, ids):
    peer = encode.PEERS[name]
    with common.Worker(options.core, name, peer.environment) as worker:
        worker.ask(task="load", encoder=options.encoder, ids=ids)
        worker.ask(task="repeat", calls=20)
        sides = [lambda: worker.ask(task="repeat", calls=CALLS)]
        if options.encode:
            sides.append(lambda: our_turn(options, ids, peer.precision, length))
        answers = common.take_turns(options.rounds, *sides)
    row = [name] + [f"{common.best(answers[0], key):.2f}" for key in ("cpu", "wall")]
    if options.encode:
        row += [f"{common.best(answers[1], key):.2f}" for key in ("cpu", "wall")]
        row.append(f"{common.best(answers[1], 'cpu') / common.best(answers[0], 'cpu'):.2f}")
    return row


def long_text(options):
    """The ids of a text of imdb."""
    texts = [text for text, _ in common.read("imdb", "test", options.data)[:100]]
    return max(common.token_ids(options.encoder, texts, 512), key=len)


def main():
    import tempfile
    parser = common.parser(__doc__, None, 3, {"encode": "benchmarks/encode", "knnbert": "the program knnbert"})
    parser.add_argument("--precision", nargs="+", choices=list(encode.LIMITS), default=list(encode.LIMITS))
    parser.add_argument("--start-precision", nargs="+", choices=list(encode.LIMITS), default=["fp32"], help="of knnbert embed")
    options = parser.parse_args()
    common.print_caption(options, *encode.PACKAGES)
    header = ["peer", "ms, processor", "ms, wall"]
    if options.encode:
        header += ["ours, ms, processor", "ms, wall", "ours / peer"]
    with tempfile.TemporaryDirectory() as folder:
        text = long_text(options)
        for length in LENGTHS:
            ids = common.write_ids(Path(folder) / f"{length}.ids", [[*text[:length - 1], text[-1]]])
            rows = [compare_latency(options, name, length, ids) for name in encode.selected(options)]
            common.print_table(f"One text of {length} tokens, median of {CALLS} calls", header, rows)
        compare_starts(options, Path(folder))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--start"]:
        start(*sys.argv[2:])
    elif common.worker_name():
        common.serve(encode.Encoding(encode.PEERS[common.worker_name()]))
    else:
        main()
