"""Reads roundtrip.safetensors, written by tests/io/safetensors_writer.cpp, with the Python package and compares.

usage: safetensors_roundtrip.py [FOLDER]        default: the environment variable KNNBERT_REFERENCE
"""

import os
import sys

import torch
from safetensors import safe_open

EXPECTED = {
    "blob": torch.tensor([97, 0, 255], dtype=torch.uint8),
    "weight": torch.tensor([[1, -2.5, 0.1], [3e38, 0, -0.0]]),
    "ids": torch.tensor([1, -2, 2**40]),
    "precise": torch.tensor([[1e-300, 2]], dtype=torch.float64),
    "small": torch.tensor(-7, dtype=torch.int32),
    "none": torch.zeros(0, 4),
    "brain": torch.tensor([1], dtype=torch.bfloat16),
    "rows": torch.tensor([[[0.0, 1, 2], [10, 11, 12]], [[20, 21, 22], [30, 31, 32]]]),
}
METADATA = {"format": "pt", "note": 'é "quoted"'}


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("KNNBERT_REFERENCE")
    if not folder:
        sys.exit(__doc__)
    with safe_open(os.path.join(folder, "roundtrip.safetensors"), framework="pt") as file:
        assert file.metadata() == METADATA, file.metadata()
        assert set(file.keys()) == set(EXPECTED), set(file.keys())
        for name, expected in EXPECTED.items():
            actual = file.get_tensor(name)
            assert actual.dtype == expected.dtype, (name, actual.dtype)
            assert actual.shape == expected.shape, (name, actual.shape)
            assert torch.equal(actual, expected), (name, actual)
    print(f"{len(EXPECTED)} tensors equal")


if __name__ == "__main__":
    main()
