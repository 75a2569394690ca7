"""What tokenizers 0.23 makes of texts with unigram models, trained here, in OUTPUT/unigrams.

Rows are those of token_rows.py. Special tokens in texts are ordinary text unless a name ends in `.all`.

KIND/tokenizer.json         the tokenizer, for all KINDS; those of SENTENCE_PIECE only where that package is installed
NAME, NAME.KIND             texts and their ids with special tokens, for NAME random (hostile strings), clusters (of
                            characters that may join), spaces (awkward white space), words (long ones)
codes.KIND                  ids of all code points but surrogates, 16 in a code_text (WHOLE kinds; others: some of them)
limited, pairs              as in byte_pairs.py
spans.plain                 of the texts in spaces: id, first byte and end of every piece without white space around it,
                            0 where that is nothing
added.KIND.all, .ordinary   texts in added and ids with all or the ordinary of their tokens matched
data.FOLDER, data.FOLDER.KIND           texts of data sets in both languages, where there are any
"""

import argparse
import json
import lzma
import random
import struct
from pathlib import Path

from byte_pairs import awkward_texts, long_words, training_texts
from token_rows import (BINARY, CODE_POINTS, SOME_CODE_POINTS, decode, ids, random_texts, some, texts_of,
                        write_limited, write_rows)
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

try:
    import sentencepiece
except ImportError:
    sentencepiece = None

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
SPECIAL_PIECES = [(name, 0.0) for name in SPECIAL]
SENTENCE_PIECE = ("xlmr", "deberta")
WHOLE = ("xlmr", "nfkc")
DATA = {"chnsenticorp": None, "tnews": None, "sst2": None, "corpus": 1_000_000}
MORE_DATA = {"sst2": ("nfkc", "cut")}


def trained(texts):
    """Pieces and scores of 3000 pieces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(texts, trainers.UnigramTrainer(
        vocab_size=3000, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False))
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    # The trainer repeats those that are in texts.
    return SPECIAL_PIECES + [tuple(piece) for piece in pieces if piece[0] not in SPECIAL]


def fields(message):
    """Numbers and values of a protocol buffer message."""
    at = 0

    def variable():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(variable(), 8)
        if kind == 0:
            yield number, variable()
        else:
            size = {1: 8, 5: 4}.get(kind) or variable()
            yield number, message[at:at + size]
            at += size


def sentence_piece_model(texts, path):
    """Pieces, scores and the precompiled map of characters, as SentencePiece writes them."""
    with open(path, "wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=out, vocab_size=3000, model_type="unigram",
            character_coverage=0.999, num_threads=1, minloglevel=2, hard_vocab_limit=False)
    own, charsmap = pieces_of(path.read_bytes())
    return SPECIAL_PIECES + [piece for piece in own if piece[0] not in SPECIAL], charsmap


def pieces_of(model):
    """Pieces with their scores and the precompiled map of characters of a SentencePiece model."""
    pieces, charsmap = [], None
    for number, value in fields(model):
        content = dict(fields(value)) if isinstance(value, bytes) else {}
        if number == 1:
            pieces.append((content[1].decode(), struct.unpack("<f", content[2])[0]))
        elif number == 3:
            charsmap = content[2]
    return pieces, charsmap


def framed(model, normalizer, pre_tokenizer, segments=False):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    pair = "<s>:0 $A:0 </s>:0 $B:1 </s>:1" if segments else "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0"
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s>:0 $A:0 </s>:0", pair=pair, special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens([*SPECIAL[:4], AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    tokenizer.encode_special_tokens = True
    return tokenizer


def tokenizers(folder, data):
    texts = training_texts()
    pieces = trained(texts[::5])
    fallback = pieces + [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    made = {
        "plain": framed(models.Unigram(pieces, 3), None, pre_tokenizers.Metaspace()),
        "nfkc": framed(models.Unigram(pieces, 3), normalizers.Sequence(
            [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
            pre_tokenizers.Metaspace(prepend_scheme="first"), segments=True),
        "whole": framed(models.Unigram(fallback, 3, byte_fallback=True), normalizers.Sequence(
            [normalizers.NFC(), normalizers.Lowercase()]),
            pre_tokenizers.Metaspace(prepend_scheme="never", split=False)),
        "cut": framed(models.Unigram(fallback[:-100], 3, byte_fallback=True), normalizers.Sequence(
            [normalizers.Replace("`", "'"), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]),
            pre_tokenizers.Sequence([pre_tokenizers.Split("e", "merged_with_next"),
                                     pre_tokenizers.Split("t", "merged_with_previous"),
                                     pre_tokenizers.Split(Regex("a+"), "removed"), pre_tokenizers.Whitespace(),
                                     pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace(prepend_scheme="first")])),
    }
    if sentencepiece:
        more = [row.decode() for row in texts_of(data / "tnews" / "dev.tsv.gz")[:4000]] if data else []
        own, charsmap = sentence_piece_model(texts + more, folder / "sentence_piece.model")
        precompiled = normalizers.Precompiled(charsmap)
        made["xlmr"] = framed(models.Unigram(own, 3), precompiled, pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
        made["deberta"] = framed(models.Unigram(own, 3), normalizers.Sequence(
            [normalizers.Strip(left=False), precompiled, normalizers.Replace(Regex(" {2,}"), "\u2581")]),
            pre_tokenizers.Metaspace(), segments=True)
    else:
        print("without the package sentencepiece: no kinds " + ", ".join(SENTENCE_PIECE))
    for kind, tokenizer in made.items():
        (folder / kind).mkdir(exist_ok=True)
        tokenizer.save(str(folder / kind / "tokenizer.json"))
    print("models", flush=True)
    return made


def cluster_texts(draw, count):
    """Few characters each, of kinds that join: marks, joiners, prefixes, conjuncts, syllables, pictographs, flags."""
    pools = [range(0x300, 0x340), [0x200D, 0x200C, 0xFE0F, 0x94D, 0x9CD, 0xD4D], range(0x600, 0x606),
             range(0x915, 0x93A), range(0x958, 0x960), range(0x1100, 0x1113), range(0x1161, 0x1176),
             range(0x11A8, 0x11C3), range(0xAC00, 0xAC40),
             [0xA9, 0xAE, 0x203C, 0x2122, 0x1F600, 0x1F468, 0x1F3FB], range(0x1F1E6, 0x1F200), range(0xFF01, 0xFF5F),
             range(0x3200, 0x3400), range(0x2F00, 0x2F20), range(0xA0, 0xC0), range(0xFB00, 0xFB07),
             [0xD, 0xA, 0x20, 0x61, 0x3000], range(0x900, 0x904), range(0xE30, 0xE50), range(0x1D160, 0x1D170),
             range(0x2100, 0x2190)]
    lengths = (draw.randint(1, 6) for _ in range(count))
    return ["".join(chr(draw.choice(draw.choice(pools))) for _ in range(length)).encode() for length in lengths]


def code_text(codes):
    """Each alone and before a letter."""
    return " ".join(f"{chr(code)} {chr(code)}a" for code in codes)


def spans(tokenizer, texts):
    rows, mark = [], tokenizer.token_to_id("\u2581")
    for text, encoding in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True):
        row = []
        for piece, (first, last) in zip(encoding.ids, encoding.offsets, strict=True):
            part = text[first:last]
            first += len(part) - len(part.lstrip(WHITE_SPACE))
            last = first if piece == mark else first + len(part.strip(WHITE_SPACE))
            places = (len(text[:first].encode()), len(text[:last].encode())) if first < last else (0, 0)
            row += [piece, *places]
        rows.append(row)
    return rows


# White_Space of Unicode; str.strip() has another one.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"


def dump_texts(made, folder):
    draw = random.Random(19)
    clusters, spaces = cluster_texts(draw, 40_000), awkward_texts(draw, 5_000)
    names = {"random": random_texts(random.Random(7), 5_000), "clusters": clusters, "spaces": spaces,
             "words": long_words(draw)}
    for name, texts in names.items():
        write_rows(folder, name, texts)
        for kind, tokenizer in made.items():
            write_rows(folder, f"{name}.{kind}", ids(tokenizer, decode(texts)))
    write_rows(folder, "spans.plain", spans(made["plain"], decode(spaces)))
    for kind, tokenizer in made.items():
        codes = CODE_POINTS if kind in WHOLE else SOME_CODE_POINTS[::8]
        texts = [code_text(codes[first:first + 16]) for first in range(0, len(codes), 16)]
        write_rows(folder, f"codes.{kind}", ids(tokenizer, texts, special=False))
    print("texts", flush=True)


def dump_limits(made, folder):
    draw = random.Random(11)
    pool = [text.encode() for text in training_texts() if text.strip()]
    rows = [b" ".join(draw.choices(pool, k=draw.randrange(5))) for _ in range(200)]
    pairs = [b" ".join(draw.choices(pool, k=draw.randrange(5))) for _ in range(500)]
    limits = [draw.choice((0, 2, 3, 5, 20, 64)) for _ in rows]
    pair_limits = [draw.choice((0, 4, 5, 6, 9, 20, 21, 64, 129)) for _ in range(len(pairs) // 2)]
    write_limited(folder, made, rows, limits, pairs, pair_limits)


def dump_added(made, folder):
    draw = random.Random(13)
    parts = ["banana", "Banana", "ban", "Caf\u00e9", "Cafe\u0301", "RAW", "RAWER", "<left>", "<right>", "<both>", "<X>",
             "<XY>", "<s>", "</s>", "<mask>", " <mask>", "<unk>", "two words", " ", "  ", "\u3000", "\n", "a", "x", "_",
             ".", "1", "\uff11", "\u4e2d"]
    rows = ["".join(draw.choices(parts, k=draw.randrange(9))).encode() for _ in range(10_000)]
    write_rows(folder, "added", rows)
    for kind in made:
        tokenizer = Tokenizer.from_file(str(folder / kind / "tokenizer.json"))
        for content, flags in (("banana", {}), ("ban", {"single_word": True}), ("Caf\u00e9", {}),
                               ("RAW", {"normalized": False}), ("<both>", {"lstrip": True, "rstrip": True}),
                               ("<left>", {"normalized": False, "lstrip": True}),
                               ("<right>", {"normalized": False, "rstrip": True}), ("two words", {"normalized": False})):
            tokenizer.add_tokens([AddedToken(content, **flags)])
        tokenizer.add_special_tokens(["<X>", AddedToken("<XY>", lstrip=True, special=True, normalized=False)])
        place = folder / f"added.{kind}"
        place.mkdir(exist_ok=True)
        tokenizer.save(str(place / "tokenizer.json"))
        for way, special in (("all", False), ("ordinary", True)):
            tokenizer.encode_special_tokens = special
            write_rows(folder, f"added.{kind}.{way}", ids(tokenizer, decode(rows)))
    print("added tokens", flush=True)


def dump_data(data, made, folder):
    for name, size in DATA.items():
        paths = (path for path in sorted((data / name).iterdir()) if path.suffix not in BINARY | {".xz"})
        rows = [row for path in paths for row in texts_of(path)]
        if size:
            rows += lzma.open(data / name / "zh_wiki_part.txt.xz").read(size).split(b"\n")
        rows = some(rows)
        write_rows(folder, f"data.{name}", rows)
        for kind in (*SENTENCE_PIECE[:1], *MORE_DATA.get(name, ())):
            if kind in made:
                write_rows(folder, f"data.{name}.{kind}", ids(made[kind], decode(rows)))
        print(f"{name}: {len(rows)} texts", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the data sets; without it their texts are left out")
    parser.add_argument("--output", type=Path, required=True, help="folder for the dumps")
    parser.add_argument("--encoder", help="not needed here")
    given = parser.parse_args()
    folder = given.output / "unigrams"
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizers(folder, given.data)
    dump_texts(made, folder)
    dump_limits(made, folder)
    dump_added(made, folder)
    if given.data:
        dump_data(given.data, made, folder)


if __name__ == "__main__":
    main()
