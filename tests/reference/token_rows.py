"""What the dumps of tokenizers share: rows of texts and ids, texts to try, all texts of the data sets."""

import gzip
import json
import lzma
import os
import zipfile

import numpy as np

CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
# Planes 4 to 13, 15 and 16 are alike throughout.
SOME_CODE_POINTS = [code for code in CODE_POINTS if code < 0x40000 or code >> 16 == 14 or code % 97 == 0]
BINARY = {".data-00000-of-00001", ".index"}
MOST_ROWS = 20_000


def write_rows(folder, name, rows):
    """Rows are bytes or lists of ids."""
    lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
    if rows and isinstance(rows[0], bytes):
        elements = b"".join(rows)
    else:
        elements = np.fromiter((value for row in rows for value in row), np.int32, int(lengths.sum())).tobytes()
    with gzip.open(folder / f"{name}.rows.gz", "wb", compresslevel=1) as out:
        out.write(np.int64(len(rows)).tobytes() + np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64).tobytes())
        out.write(elements)


def ids(tokenizer, texts, special=True, batch=20_000):
    rows = []
    for first in range(0, len(texts), batch):
        encodings = tokenizer.encode_batch_fast(texts[first:first + batch], add_special_tokens=special)
        rows.extend(encoding.ids for encoding in encodings)
    return rows


def decode(rows):
    return [row.decode("utf-8", "replace") for row in rows]


def contents(path):
    """Bytes of a file, or of the members of an archive."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return [archive.read(name) for name in archive.namelist()]
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "rb") as file:
        return [file.read()]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def texts_of(path):
    rows = []
    for content in contents(path):
        if ".json" in path.suffixes and content.count(b"\n{") == 0:
            rows += [text.encode() for text in strings(json.loads(content))]
            continue
        rows += content.split(b"\n")
        try:
            content.decode()
        except UnicodeDecodeError:
            rows += content.decode("gb18030" if "cilin" in path.name else "latin-1").encode().split(b"\n")
    return rows


def some(rows):
    """The different rows; of many every n-th, at most MOST_ROWS, unless KNNBERT_ALL_TEXTS is set."""
    rows = list(dict.fromkeys(rows))
    step = 1 if os.environ.get("KNNBERT_ALL_TEXTS") else max(1, -(-len(rows) // MOST_ROWS))
    return rows[::step]


def random_texts(draw, count):
    """Bytes that try to break something."""
    pools = [range(0x20, 0x7F), range(0x300, 0x370), range(0x590, 0x700), range(0x900, 0xE00), range(0xAC00, 0xD7A4),
             range(0x1100, 0x1200), range(0x4E00, 0x5000), range(0xF900, 0xFB10), range(0x1E00, 0x2000),
             range(0x2000, 0x2070), range(0x1D150, 0x1D200), range(0x2F800, 0x2FA20), range(0x302A, 0x3100),
             range(0xC0, 0x250), range(0x370, 0x530), range(0, 0x21)]
    marks = [0x302E, 0x302F, 0x1D165, 0x1D16D, 0x16FF0, 0x8D4, 0x1ABF, 0x1DF6, 0x10EAB, 0x0345, 0x0300, 0x0323, 0x5B0,
             0x94D, 0x93F, 0x941]
    pieces = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", "##ing", "a" * 99, "b" * 100, "c" * 101, "\u00e9" * 100,
              "\u4e2d" * 3, "\u0130", "\ufeff", "\u00ad", "\u2028", "unaffable", "\u1e9b\u0323", "\ud55c\uad6d",
              "\x00", "\ufffd"]

    def part():
        choice = draw.randrange(6)
        if choice == 0:
            return draw.randbytes(draw.randrange(8))
        if choice == 1:
            return draw.choice(pieces).encode()
        if choice == 2:
            return "".join(chr(draw.choice(marks)) for _ in range(draw.randrange(8))).encode()
        if choice == 3:
            code = draw.choice(CODE_POINTS)
            return chr(code).encode() if draw.random() < 0.7 else chr(code).encode()[:-1]
        if choice == 4:
            return chr(draw.randrange(0xD800, 0xE000)).encode("utf-8", "surrogatepass")
        pool = draw.choice(pools)
        return "".join(chr(draw.choice(pool)) for _ in range(draw.randrange(1, 12))).encode()

    return [b"".join(part() for _ in range(draw.randrange(12))) for _ in range(count)]


def truncated(tokenizer, inputs, limits, content):
    """[limit, content ...] of each input."""
    rows = [None] * len(inputs)
    for limit in sorted(set(limits)):
        tokenizer.enable_truncation(limit) if limit else tokenizer.no_truncation()
        places = [place for place, own in enumerate(limits) if own == limit]
        for place, encoding in zip(places, tokenizer.encode_batch([inputs[place] for place in places]), strict=True):
            rows[place] = [limit, *content(encoding)]
    tokenizer.no_truncation()
    return rows


def write_limited(folder, made, rows, limits, pairs, pair_limits):
    """Texts, and pairs in two rows each, with their ids within limits by every tokenizer; of pairs the segments follow."""
    write_rows(folder, "limited", rows)
    write_rows(folder, "pairs", pairs)
    texts, sides = decode(rows), list(zip(decode(pairs[::2]), decode(pairs[1::2]), strict=True))
    for kind, tokenizer in made.items():
        write_rows(folder, f"limited.{kind}", truncated(tokenizer, texts, limits, lambda encoding: encoding.ids))
        write_rows(folder, f"pairs.{kind}",
                   truncated(tokenizer, sides, pair_limits, lambda encoding: encoding.ids + encoding.type_ids))
    print("limits and pairs", flush=True)
