"""Attention over texts of many lengths in PyTorch: buckets of similar lengths, as knnbert/torch/bert_block.hpp has them, beside
nested tensors. Prints a Markdown table of milliseconds, forward, and forward and backward, the best of --rounds.

    python nested_attention.py [--device cuda] [--precision bf16] [--threads 1]
"""

import argparse
import math
import random
import time

import torch
import torch.nn.functional as F

SIZES = [(384, 12, 32), (384, 12, 256), (768, 12, 32), (768, 12, 256)]  # width, heads, texts
SHARES = (0.0, 0.15, 0.5, 1.0)


def lengths_of(texts):
    draw = random.Random(1)
    return sorted(min(128, max(6, int(math.exp(3 + 0.6 * draw.gauss(0, 1))))) for _ in range(texts))


class Buckets:
    """Texts ordered by length; at most a share of a bucket's slots is padding."""

    def __init__(self, lengths, share, device):
        self.parts, first = [], 0
        while first < len(lengths):
            last, rows = first, 0
            while last < len(lengths):
                slots = (last - first + 1) * lengths[last]
                if last > first and slots - rows - lengths[last] > share * slots:
                    break
                rows += lengths[last]
                last += 1
            self.parts.append((rows, *self.places(lengths[first:last], device)))
            first = last

    @staticmethod
    def places(lengths, device):
        """(texts, longest, row of each slot, slot of each row, whether a slot holds a token)"""
        longest, rows, slots, kept, start = lengths[-1], [], [], [], 0
        for text, length in enumerate(lengths):
            rows += [start + (t if t < length else 0) for t in range(longest)]
            slots += [text * longest + t for t in range(length)]
            kept += [t < length for t in range(longest)]
            start += length
        if all(kept):
            return len(lengths), longest, None, None, None
        return (len(lengths), longest, torch.tensor(rows, device=device), torch.tensor(slots, device=device),
                torch.tensor(kept, device=device).view(len(lengths), 1, 1, longest))

    def __call__(self, projections, heads):
        width, contexts = projections.shape[1] // 3, []
        for own, (_, texts, longest, rows, slots, kept) in zip(projections.split([part[0] for part in self.parts]), self.parts):
            own = own if rows is None else own.index_select(0, rows)
            q, k, v = own.view(texts, longest, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
            context = F.scaled_dot_product_attention(q, k, v, kept).transpose(1, 2).reshape(-1, width)
            contexts.append(context if rows is None else context.index_select(0, slots))
        return torch.cat(contexts)


class Nested:
    """Nested tensors of jagged layout."""

    def __init__(self, lengths, device):
        self.shortest, self.longest = lengths[0], lengths[-1]
        self.offsets = torch.tensor([0, *lengths], device=device).cumsum(0)

    def __call__(self, projections, heads):
        parts = [torch.nested.nested_tensor_from_jagged(part.contiguous(), self.offsets, min_seqlen=self.shortest, max_seqlen=self.longest)
                 .unflatten(-1, [heads, -1]).transpose(1, 2) for part in projections.chunk(3, 1)]
        return F.scaled_dot_product_attention(*parts).transpose(1, 2).values().flatten(1)


def best_time(call, rounds, device):
    best = math.inf
    for _ in range(rounds + 1):
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    kind = torch.bfloat16 if options.precision == "bf16" else torch.float32
    print("| width, texts, tokens | " + " | ".join(f"padding {share}" for share in SHARES) + " | nested |\n" + "|---" * (len(SHARES) + 2) + "|")
    for width, heads, texts in SIZES:
        lengths = lengths_of(texts)
        projections = torch.randn(sum(lengths), 3 * width, device=options.device, dtype=kind)
        d_context = torch.randn(sum(lengths), width, device=options.device, dtype=kind)
        expected, cells = None, []
        for attention in [Buckets(lengths, share, options.device) for share in SHARES] + [Nested(lengths, options.device)]:
            context = attention(projections, heads)
            expected = context if expected is None else expected
            torch.testing.assert_close(context, expected, rtol=0, atol=1e-5 if kind == torch.float32 else 2e-2)
            leaf = projections.clone().requires_grad_()
            forward = best_time(lambda: attention(projections, heads), options.rounds, options.device)
            both = best_time(lambda: torch.autograd.grad(attention(leaf, heads), leaf, d_context), options.rounds, options.device)
            cells.append(f"{forward:.2f}, {both:.2f}")
        print(f"| {width}, {texts}, {sum(lengths)} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
