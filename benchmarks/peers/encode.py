"""Encodes the sst2 development set, 2,000 texts of ag_news and 300 of imdb cut at 256 tokens: batches of 32 sorted by
length, mean of the last layer, one thread. Tokenization is not part of it. Our program takes turns with every peer, and a
time counts only if the embeddings agree with those of transformers in fp32. Prints Markdown tables.

FOLDER/venv/bin/python encode.py --encoder DIR --data DIR --encode PROGRAM     (FOLDER: see setup.sh)
"""

import sys

sys.path.append(sys.path.pop(0))  # behind the others: modules here are named like some of the standard library

from collections import namedtuple
from pathlib import Path

import common
import numpy as np

SETS = {"sst2": (None, 512), "ag_news": (2000, 512), "imdb": (300, 256)}  # texts, tokens
BATCH = 32
PACKAGES = ("torch", "transformers", "sentence-transformers", "onnxruntime", "ctranslate2", "openvino", "nncf")
REFERENCE = "transformers, fp32"


# --- the peers: each returns a function of ids and mask [B, L] that gives embeddings [B, H] -------

def mean(hidden, mask):
    """Mean over the tokens of a text, [B, L, H] -> [B, H]; a product, as numpy sums over a middle axis slowly."""
    weights = mask.astype(np.float32) / mask.sum(1, keepdims=True, dtype=np.float32)
    return (weights[:, None] @ hidden)[:, 0]


def transformers(encoder, dtype="float32", precision="highest"):
    import torch
    from transformers import AutoModel
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(precision)
    model = AutoModel.from_pretrained(encoder, dtype=getattr(torch, dtype), attn_implementation="sdpa").eval()

    @torch.inference_mode()
    def embed(ids, mask):
        ids, mask = torch.from_numpy(ids), torch.from_numpy(mask)
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[..., None].to(hidden.dtype)
        return ((hidden * weights).sum(1) / weights.sum(1)).float().numpy()
    return embed


def sentence_transformers(encoder):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(1)
    model = SentenceTransformer(str(encoder), device="cpu").eval()

    @torch.inference_mode()
    def embed(ids, mask):
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        return model[1](model[0](features))["sentence_embedding"].numpy()  # without the normalization behind them
    return embed


def onnxruntime(encoder, model):
    import onnxruntime as library
    settings = library.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = library.InferenceSession(str(common.FOLDER / "models" / model), settings, providers=["CPUExecutionProvider"])
    return lambda ids, mask: mean(
        session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})[0], mask)


def ctranslate2(encoder, model):
    import ctranslate2 as library
    network = library.Encoder(str(common.FOLDER / "models" / model), device="cpu", inter_threads=1, intra_threads=1)

    def embed(ids, mask):
        tokens, lengths = (library.StorageView.from_array(array.astype(np.int32)) for array in (ids, mask.sum(1)))
        return mean(np.asarray(network.forward_batch(tokens, lengths).last_hidden_state), mask)
    return embed


def openvino(encoder, model, precision):
    import openvino as library
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision, "ENABLE_CPU_PINNING": False}
    request = library.Core().compile_model(common.FOLDER / "models" / model, "CPU", settings).create_infer_request()
    return lambda ids, mask: mean(
        request.infer([ids, mask, np.zeros_like(ids)], share_inputs=True, share_outputs=True)[0], mask)


Peer = namedtuple("Peer", "precision load arguments environment", defaults=({}, {}))

PEERS = {
    REFERENCE: Peer("fp32", transformers),
    "transformers, medium, fp32": Peer("fp32", transformers, {"precision": "medium"}),
    "transformers, fast MKL, fp32": Peer("fp32", transformers, {}, common.FAST_MKL),
    "sentence-transformers, fp32": Peer("fp32", sentence_transformers),
    "ONNX Runtime, fp32": Peer("fp32", onnxruntime, {"model": "eager.onnx"}),
    "CTranslate2, fp32": Peer("fp32", ctranslate2, {"model": "ctranslate2_float32"}),
    "OpenVINO, fp32": Peer("fp32", openvino, {"model": "eager.xml", "precision": "f32"}),
    "OpenVINO, sdpa graph, fp32": Peer("fp32", openvino, {"model": "sdpa.xml", "precision": "f32"}),
    "transformers, bf16": Peer("bf16", transformers, {"dtype": "bfloat16"}),
    "transformers, fast MKL, bf16": Peer("bf16", transformers, {"dtype": "bfloat16"}, common.FAST_MKL),
    "OpenVINO, bf16": Peer("bf16", openvino, {"model": "eager.xml", "precision": "bf16"}),
    "OpenVINO, sdpa graph, bf16": Peer("bf16", openvino, {"model": "sdpa.xml", "precision": "bf16"}),
    "ONNX Runtime, int8": Peer("int8", onnxruntime, {"model": "eager_int8.onnx"}),
    "CTranslate2, int8": Peer("int8", ctranslate2, {"model": "ctranslate2_int8"}),
    "OpenVINO with NNCF, int8": Peer("int8", openvino, {"model": "eager_int8.xml", "precision": "f32"}),
    "OpenVINO with NNCF, int8 with bf16": Peer("int8", openvino, {"model": "eager_int8.xml", "precision": "bf16"}),
}


def selected(options):
    return {name: peer for name, peer in PEERS.items()
            if peer.precision in options.precision and any(part in name for part in options.peers)}


# --- a peer's process ----------------------------------------------------------------------------

class Encoding:
    """What a worker does on request; the model is loaded once."""

    def __init__(self, peer):
        self.peer = peer
        self.embed = None

    def __call__(self, task, **arguments):
        return getattr(self, task)(**arguments)

    def load(self, encoder, ids):
        """Reads the model, and the texts in batches of 32 in the order of the file."""
        self.embed = self.embed or self.peer.load(encoder, **self.peer.arguments)
        rows, _ = common.read_ids(ids)
        self.batches = [common.padded(rows[first:first + BATCH]) for first in range(0, len(rows), BATCH)]
        return {}

    def encode(self, rounds=1, output=None):
        """Seconds of the best round."""
        times = []
        for _ in range(rounds):
            seconds, parts = common.processor_seconds(lambda: [self.embed(*batch) for batch in self.batches])
            times.append(seconds)
        if output:
            np.save(output, np.concatenate(parts))
        return {"seconds": min(times)}

    def repeat(self, calls):
        """Median milliseconds of one batch: processor time and wall time."""
        import time
        times = []
        for _ in range(calls):
            wall = time.perf_counter()
            seconds, _ = common.processor_seconds(lambda: self.embed(*self.batches[0]))
            times.append((seconds, time.perf_counter() - wall))
        return dict(zip(("cpu", "wall"), (1e3 * np.median(times, 0)).tolist()))


# --- agreement -----------------------------------------------------------------------------------

Agreement = namedtuple("Agreement", "difference lowest mean")
LIMITS = {"fp32": lambda a: a.difference <= 1e-4, "bf16": lambda a: a.lowest >= 0.999, "int8": lambda a: a.mean >= 0.98}


def agreement(embeddings, reference):
    """Largest difference; lowest and mean cosine."""
    x, y = (np.load(path).astype(np.float64) for path in (embeddings, reference))
    if x.shape != y.shape:
        raise ValueError(f"{embeddings}: {x.shape} given, {y.shape} expected")
    cosines = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    return Agreement(np.abs(x - y).max(), cosines.min(), cosines.mean())


def described(found, precision):
    """For a table: largest difference of fp32, cosines of the others."""
    if not LIMITS[precision](found):
        return f"disagrees: {found.difference:.1e}, {found.lowest:.5f} / {found.mean:.5f}"
    return f"{found.difference:.1e}" if precision == "fp32" else f"{found.lowest:.5f} / {found.mean:.5f}"


# --- the comparison ------------------------------------------------------------------------------

class Corpus:
    def __init__(self, options, name, folder):
        texts, most = SETS[name]
        limit = options.texts or texts
        rows = common.token_ids(options.encoder, [text for text, _ in common.read(name, "test", options.data)[:limit]], most)
        self.name, self.rows = name, sorted(rows, key=len)
        self.ids = common.write_ids(folder / f"{name}.ids", self.rows)
        self.operations = common.forward_operations(options.encoder, self.rows)
        self.reference = folder / f"{name}.npy"
        with common.Worker(options.core, REFERENCE, PEERS[REFERENCE].environment) as worker:
            worker.ask(task="load", encoder=options.encoder, ids=self.ids)
            worker.ask(task="encode", output=self.reference)

    @property
    def title(self):
        tokens = sum(map(len, self.rows)) / len(self.rows)
        return f"{self.name}, {len(self.rows)} texts of {tokens:.0f} tokens on average"


def our_turn(options, corpus, precision, output):
    """A process of its own; of its two rounds the first one touches the memory."""
    return common.run_program(options.core, options.encode, options.encoder, corpus.ids, "--precision", precision,
                              "--rounds", 2, "--output", output)


def compare(options, corpus, name, folder):
    """A row of the table: one peer beside ours."""
    peer, output = PEERS[name], folder / "embeddings.npy"
    with common.Worker(options.core, name, peer.environment) as worker:
        worker.ask(task="load", encoder=options.encoder, ids=corpus.ids)
        worker.ask(task="encode", output=output)
        found = agreement(output, corpus.reference)
        sides = [lambda: worker.ask(task="encode", rounds=2)]
        if options.encode:
            sides.append(lambda: our_turn(options, corpus, peer.precision, output))
        answers = common.take_turns(options.rounds, *sides)
    seconds = common.best(answers[0])
    row = [name, f"{len(corpus.rows) / seconds:.1f}", f"{corpus.operations / seconds * 1e-9:.0f}", described(found, peer.precision)]
    if not options.encode:
        return row
    ours, found = min(answers[1], key=lambda answer: answer["seconds"]), agreement(output, corpus.reference)
    ratio = "-" if "disagrees" in row[3] + described(found, peer.precision) else f"{seconds / ours['seconds']:.2f}"
    return row + [f"{len(corpus.rows) / ours['seconds']:.1f}", f"{corpus.operations / ours['seconds'] * 1e-9:.0f}",
                  f"{100 * ours['peak_share']:.0f} %", described(found, peer.precision), ratio]


def main():
    import tempfile
    parser = common.parser(__doc__, list(SETS), rounds=5, programs={"encode": "benchmarks/encode"})
    parser.add_argument("--precision", nargs="+", choices=list(LIMITS), default=list(LIMITS))
    parser.add_argument("--texts", type=int, help="only the first texts of each set, for a trial")
    options = parser.parse_args()
    common.print_caption(options, *PACKAGES)
    header = ["peer", "sentences/s", "GFLOP/s", "difference (fp32) or cosine, lowest / mean"]
    if options.encode:
        header += ["ours, sentences/s", "GFLOP/s", "of peak", "difference or cosine", "ours / peer"]
    with tempfile.TemporaryDirectory() as folder:
        for name in options.sets:
            corpus = Corpus(options, name, Path(folder))
            common.print_table(corpus.title, header, [compare(options, corpus, peer, Path(folder)) for peer in selected(options)])


if __name__ == "__main__":
    if common.worker_name():
        common.serve(Encoding(PEERS[common.worker_name()]))
    else:
        main()
