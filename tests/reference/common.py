"""What the reference scripts share: arguments, ragged texts, dumps."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers.utils import logging

THIN_ABOVE = 200_000
THIN_STRIDE = 37


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--encoder", type=Path, required=True, help="all-MiniLM-L6-v2 as Hugging Face stores it")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for the dumps")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    logging.disable_progress_bar()
    return arguments


def generator(seed):
    return torch.Generator().manual_seed(seed)


def tokenize(encoder, texts, limits):
    """Ids with special tokens, each cut at its limit, never padded (the shipped file of MiniLM asks for padding)."""
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    rows = []
    for text, limit in zip(texts, limits, strict=True):
        tokenizer.enable_truncation(limit)
        rows.append(tokenizer.encode(text).ids)
    return rows


def offsets(rows):
    return torch.tensor(np.cumsum([0] + [len(row) for row in rows]), dtype=torch.int64)


def ragged(rows):
    """Rows end to end and their offsets, as tensors `ids` [T] and `offsets` [B + 1]."""
    return {"ids": torch.tensor([value for row in rows for value in row], dtype=torch.int64), "offsets": offsets(rows)}


def bytes_of(texts):
    """UTF-8 end to end: `text` [bytes] and `text_offsets` [B + 1]."""
    encoded = [text.encode() for text in texts]
    return {"text": torch.tensor(list(b"".join(encoded)), dtype=torch.uint8), "text_offsets": offsets(encoded)}


def groups_of_equal_length(rows, most=32):
    """Indices in groups that need no padding, so that no result can depend on it."""
    by_length = {}
    for index, row in enumerate(rows):
        by_length.setdefault(len(row), []).append(index)
    for group in by_length.values():
        yield from (group[first:first + most] for first in range(0, len(group), most))


def thin(tensor):
    """The flattened tensor, only every 37th element if it has more than 200000."""
    if tensor.numel() <= THIN_ABOVE:
        return tensor
    return tensor.flatten()[::THIN_STRIDE]


THINNING = f"a tensor of more than {THIN_ABOVE} elements is stored as flattened[::{THIN_STRIDE}]; statistics of all"


def statistics(tensor):
    """[2]: L2 norm and sum in double precision."""
    wide = tensor.double()
    return torch.stack([wide.norm(), wide.sum()])


def save(path, tensors, wide=None, **about):
    """Writes tensors (floating point as float32) and wide ones (as float64), with metadata as text or JSON."""
    narrow = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    ready = narrow | {name: torch.as_tensor(t, dtype=torch.float64) for name, t in (wide or {}).items()}
    ready = {name: t.detach().contiguous().clone() for name, t in ready.items()}
    metadata = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
    save_file(ready, path, metadata=metadata)
    print(f"{path.name}: {len(ready)} tensors, {path.stat().st_size / 1e6:.1f} MB", flush=True)
