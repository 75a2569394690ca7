"""What tokenizers 0.23 makes of texts with byte-level BPE vocabularies, trained here, in OUTPUT/byte_pairs.

Rows are those of token_rows.py. Special tokens in texts are ordinary text unless a name ends in `.all`.

KIND/tokenizer.json         the tokenizer, for all KINDS
plain.strings/              tokenizer.json with merges as strings; plain.text/, prefixed.text/: vocab.json and merges.txt
plain.auto/                 what transformers' RobertaTokenizer saves
NAME, NAME.KIND             texts and their ids with special tokens, for NAME random (hostile strings), spaces (awkward white
                            space and apostrophes), words (long ones)
codes.KIND                  ids of each code point but surrogates in code_point_text (plain; others: SOME_CODE_POINTS)
limited, limited.KIND       texts; the first id of a row is the max_length, the others are ids
pairs, pairs.KIND           two rows of texts a pair; max_length, ids; then the same number of segments
added/, added.legacy/       a tokenizer with added tokens of every sort; the same as vocab.json, merges.txt and configuration
added, added[.legacy].all, .ordinary    texts with these tokens, and ids with all or the ordinary of them matched
data.FOLDER, data.FOLDER.plain          as in tokens.py, where there are data sets
"""

import argparse
import json
import random
from pathlib import Path

from token_rows import (BINARY, CODE_POINTS, SOME_CODE_POINTS, decode, ids, random_texts, some, texts_of,
                        write_limited, write_rows)
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, RobertaTokenizer
from transformers.utils import logging

ROOT = Path(__file__).resolve().parents[2]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
KINDS = {
    "plain": {},
    "prefixed": {"prefix": True, "template": True},
    "whole": {"split": False},
    "lower": {"lower": True, "prefix": True},
    "lacking": {"alphabet": "etaoin shrdlu\u00c3\u0120"},
    "unknown": {"alphabet": "etaoin shrdlu\u00c3\u0120", "unknown": "<unk>"},
    "fused": {"alphabet": "etaoin shrdlu\u00c3\u0120", "unknown": "<unk>", "fuse": True, "split": False},
}
CODE_POINT_KINDS = {"plain": CODE_POINTS, "lower": SOME_CODE_POINTS, "unknown": SOME_CODE_POINTS}


def training_texts():
    """Texts of this repository, and words of scripts that it lacks."""
    texts = []
    for path in sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("include/**/*.hpp")]):
        texts += path.read_text(encoding="utf-8").splitlines()
    draw = random.Random(5)
    for first, last in ((0x3B1, 0x3C9), (0x430, 0x44F), (0x4E00, 0x4E60), (0xAC00, 0xAC80), (0x905, 0x939),
                        (0x1F600, 0x1F640), (0x5D0, 0x5EA), (0xE0, 0xFF), (0x300, 0x330)):
        words = ["".join(chr(draw.randint(first, last)) for _ in range(draw.randint(1, 6))) for _ in range(40)]
        texts += [" ".join(draw.choices(words, k=12)) for _ in range(60)]
    return texts


def trained(texts, prefix=False, template=False, split=True, lower=False, alphabet=None, unknown=None, fuse=False):
    tokenizer = Tokenizer(models.BPE(unk_token=unknown, fuse_unk=fuse))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=True)
    if lower:
        tokenizer.normalizer = normalizers.Lowercase()
    initial = pre_tokenizers.ByteLevel.alphabet() if alphabet is None else list(alphabet.replace(" ", ""))
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=3000 if alphabet is None else 300, initial_alphabet=initial, special_tokens=SPECIAL, show_progress=False,
        limit_alphabet=1000 if alphabet is None else len(initial)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=split)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    if template:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s>:0 $A:0 </s>:0", pair="<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0", special_tokens=[("<s>", 0), ("</s>", 2)])
    else:
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=prefix)
    tokenizer.encode_special_tokens = True
    return tokenizer


def write_text_files(tokenizer, folder, config):
    """vocab.json and merges.txt."""
    folder.mkdir(exist_ok=True)
    model = json.loads(tokenizer.to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    lines = [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta"}))


def tokenizers(folder):
    texts = training_texts()
    made = {}
    for kind, settings in KINDS.items():
        made[kind] = trained(texts, **settings)
        (folder / kind).mkdir(exist_ok=True)
        made[kind].save(str(folder / kind / "tokenizer.json"))
    content = json.loads(made["plain"].to_str())
    content["model"]["merges"] = ["#version: 0.2", *(" ".join(pair) for pair in content["model"]["merges"])]
    (folder / "plain.strings").mkdir(exist_ok=True)
    (folder / "plain.strings" / "tokenizer.json").write_text(json.dumps(content))
    write_text_files(made["plain"], folder / "plain.text", {"tokenizer_class": "RobertaTokenizer"})
    write_text_files(made["prefixed"], folder / "prefixed.text", {"add_prefix_space": True})
    auto = RobertaTokenizer(vocab=content["model"]["vocab"], merges=[tuple(m.split()) for m in content["model"]["merges"][1:]])
    auto.save_pretrained(str(folder / "plain.auto"))
    print("vocabularies", flush=True)
    return made


def code_point_text(code):
    """Alone, and beside a letter, a number, another character and white space."""
    c = chr(code)
    return f"{c}a{c}b 1{c}2 !{c}? {c} {c}"


def awkward_texts(draw, count):
    parts = [" ", "  ", "   ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2028", "\x85", "\x0b", "\x1c", "\u200b", "'", "''",
             "'s", "'S", "'re", "'ll", "'l", "'v", "'ve", "'m", "'d", "\u2019s", "a", "b", "the", "1", "23", "\u00bd", "\u0661",
             "!", "?!", "-", "\u00e9", "e\u0301", "\u4e2d\u6587", "\U0001f600", "<s>", "</s>", "<mask>", "\u0120", "\x00",
             "\ufffd"]
    return ["".join(draw.choices(parts, k=draw.randrange(14))).encode() for _ in range(count)]


def long_words(draw):
    words = ["a" * 70_000, " " * 70_000, "ab" * 40_000, "the" * 30_000, "\u4e2d" * 30_000, "!" * 70_000, "\n" * 50_000]
    words += ["".join(draw.choices("aeiountrs", k=50_000)), "".join(draw.choices(" \n", k=50_000))]
    return [word.encode() for word in words] + [draw.randbytes(40_000)]


def dump_texts(made, folder):
    draw = random.Random(19)
    rows = random_texts(random.Random(7), 12_000)
    rows += [bytes([first, second]) for first in range(0x80, 0x100) for second in range(0x100)]
    for name, texts in (("random", rows), ("spaces", awkward_texts(draw, 15_000)), ("words", long_words(draw))):
        write_rows(folder, name, texts)
        for kind, tokenizer in made.items():
            write_rows(folder, f"{name}.{kind}", ids(tokenizer, decode(texts)))
    for kind, codes in CODE_POINT_KINDS.items():
        write_rows(folder, f"codes.{kind}", ids(made[kind], [code_point_text(code) for code in codes], special=False))
    print("texts", flush=True)


def dump_limits(made, folder):
    draw = random.Random(11)
    # Short lines: tokenizers makes every pair of what a limit cuts off, thousands of a long text.
    pool = [text.encode()[:60] for text in training_texts() if text.strip()]
    rows = [b" ".join(draw.choices(pool, k=draw.randrange(5))) for _ in range(1000)]
    pairs = [b" ".join(draw.choices(pool, k=draw.randrange(5))) for _ in range(3000)]
    limits = [draw.choice((0, 2, 3, 5, 20, 64)) for _ in rows]
    pair_limits = [draw.choice((0, 4, 5, 6, 9, 20, 21, 64, 129)) for _ in range(len(pairs) // 2)]
    write_limited(folder, made, rows, limits, pairs, pair_limits)


def dump_added(folder):
    tokenizer = Tokenizer.from_file(str(folder / "prefixed" / "tokenizer.json"))
    for content, flags in (("banana", {}), ("ban", {"single_word": True}), ("Caf\u00e9", {}), ("RAW", {"normalized": False}),
                           ("<both>", {"lstrip": True, "rstrip": True}), ("RAWER", {"normalized": False, "single_word": True}),
                           ("<left>", {"normalized": False, "lstrip": True}), ("\ufffd\ufffd", {"normalized": False}),
                           ("<right>", {"normalized": False, "rstrip": True}), ("two words", {"normalized": False})):
        tokenizer.add_tokens([AddedToken(content, **flags)])
    for content, flags in (("<X>", {}), ("<XY>", {"lstrip": True}), ("<new>", {"normalized": True}), ("RAWEST", {})):
        tokenizer.add_special_tokens([AddedToken(content, **{"special": True, "normalized": False, **flags})])
    (folder / "added").mkdir(exist_ok=True)
    tokenizer.save(str(folder / "added" / "tokenizer.json"))
    draw = random.Random(13)
    parts = ["banana", "Banana", "ban", "Caf\u00e9", "Cafe\u0301", "RAW", "raw", "RAWER", "RAWEST", "<left>", "<right>", "<both>",
             "<BOTH>", "<X>", "<XY>", "<new>", "<s>", "</s>", "<mask>", "<pad>", " <mask>", "two words", "two  words", " ", "  ",
             "\u3000", "\t", "\n", "a", "x", "_", ".", "'s", "1", "-", "\u200b", "\u0915\u094d"]
    rows = ["".join(draw.choices(parts, k=draw.randrange(9))).encode() for _ in range(20_000)]
    for _ in range(5000):
        rows.append(b"".join(draw.choice((part.encode(), draw.randbytes(1))) for part in draw.choices(parts, k=6)))
    texts = decode(rows)
    write_rows(folder, "added", rows)
    flags = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
    decoder = {str(place): {flag: getattr(token, flag) for flag in flags}
               for place, token in sorted(tokenizer.get_added_tokens_decoder().items())}
    config = {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True, "added_tokens_decoder": decoder}
    write_text_files(tokenizer, folder / "added.legacy", config)
    legacy = AutoTokenizer.from_pretrained(str(folder / "added.legacy")).backend_tokenizer
    for name, own in (("added", tokenizer), ("added.legacy", legacy)):
        for way, special in (("all", False), ("ordinary", True)):
            own.encode_special_tokens = special
            write_rows(folder, f"{name}.{way}", ids(own, texts))
    print("added tokens", flush=True)


def dump_data(data, made, folder):
    for source in sorted(path for path in data.iterdir() if path.is_dir()):
        rows = some(row for path in sorted(source.iterdir()) if path.suffix not in BINARY for row in texts_of(path))
        write_rows(folder, f"data.{source.name}", rows)
        texts = decode(rows)
        write_rows(folder, f"data.{source.name}.plain", ids(made["plain"], texts))
        print(f"{source.name}: {len(rows)} texts", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the data sets; without it their texts are left out")
    parser.add_argument("--output", type=Path, required=True, help="folder for the dumps")
    parser.add_argument("--encoder", help="not needed here")
    given = parser.parse_args()
    logging.set_verbosity_error()
    folder = given.output / "byte_pairs"
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizers(folder)
    dump_texts(made, folder)
    dump_limits(made, folder)
    dump_added(folder)
    if given.data:
        dump_data(Path(given.data), made, folder)


if __name__ == "__main__":
    main()
