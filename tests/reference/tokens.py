"""What transformers' BertTokenizer (tokenizers 0.23) makes of texts, in OUTPUT/tokens.

Every list of rows is a file NAME.rows.gz: int64 count, int64 offsets [count + 1], then the elements end to end, which
are int32 ids or, for texts, bytes.

KIND/tokenizer.json         the tokenizer, for KIND uncased, cased, chinese, multilingual
KIND.text/                  the same as vocab.txt and tokenizer_config.json
data.FOLDER                 every line of every file of a data set, undecoded, and every string of its JSON files;
                            files in another encoding also as UTF-8; of more than 20,000 a part, unless
                            KNNBERT_ALL_TEXTS is set
data.FOLDER.KIND            their ids, special tokens included
alone.KIND, between.KIND    ids of each code point but surrogates, alone and between "a" and "b", without special tokens
words.SETTING               words of SOME_CODE_POINTS between "a" and "b", joined by blanks, for all SETTINGS
random, random.KIND         hostile strings and their ids
random.words.SETTING        and their words
limited, limited.KIND       texts; the first id of a row is the max_length, the others are ids
pairs, pairs.KIND           two rows of texts a pair; max_length, ids; then the same number of segments
added/tokenizer.json        a tokenizer with added tokens of every sort,
added, added.all, .ordinary, .none      texts with these tokens, and ids with all, the ordinary or none of them matched
added.WAY, added.WAY.all, .ordinary     a folder that names them elsewhere, for WAY decoder (vocab.txt and tokenizer_config.json),
                            beside (tokenizer.json without them and tokenizer_config.json) and legacy (vocab.txt and
                            added_tokens.json, which has no flags); ids of the texts of `added`, by transformers' AutoTokenizer
toy/tokenizer.json          few tokens, another prefix, short words; toy, toy.ids
"""

import argparse
import json
import random
import shutil
from pathlib import Path

from token_rows import (BINARY, CODE_POINTS, SOME_CODE_POINTS, decode, ids, random_texts, some, texts_of,
                        write_limited, write_rows)
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, BertTokenizer

KINDS = {"uncased": True, "cased": False, "chinese": True, "multilingual": False}
SETTINGS = {
    "uncased": {},
    "cased": {"lowercase": False},
    "accents": {"strip_accents": False},
    "stripped": {"lowercase": False, "strip_accents": True},
    "unclean": {"clean_text": False, "handle_chinese_chars": False},
    "bare": {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False},
}


def backend(vocabulary, lowercase):
    """The tokenizer as users get it, with literal special tokens in a text as ordinary text."""
    tokenizer = BertTokenizer(vocab=str(vocabulary), do_lower_case=lowercase).backend_tokenizer
    tokenizer.encode_special_tokens = True
    return tokenizer


def tokenizers(data, folder):
    made = {}
    for kind, lowercase in KINDS.items():
        vocabulary = next((data / "vocab").glob(f"bert-base-{kind}*-vocab.txt"))
        made[kind] = backend(vocabulary, lowercase)
        for name in (kind, f"{kind}.text"):
            (folder / name).mkdir(exist_ok=True)
        made[kind].save(str(folder / kind / "tokenizer.json"))
        shutil.copyfile(vocabulary, folder / f"{kind}.text" / "vocab.txt")
        config = {"do_lower_case": lowercase, "tokenizer_class": "BertTokenizer"}
        (folder / f"{kind}.text" / "tokenizer_config.json").write_text(json.dumps(config))
    return made


def dump_data(data, made, folder):
    total = 0
    for source in sorted(path for path in data.iterdir() if path.is_dir()):
        rows = some(row for path in sorted(source.iterdir()) if path.suffix not in BINARY for row in texts_of(path))
        write_rows(folder, f"data.{source.name}", rows)
        texts = decode(rows)
        for kind, tokenizer in made.items():
            write_rows(folder, f"data.{source.name}.{kind}", ids(tokenizer, texts))
        total += len(rows)
        print(f"{source.name}: {len(rows)} texts", flush=True)
    print(f"{total} texts", flush=True)


def dump_code_points(made, folder):
    for kind, tokenizer in made.items():
        write_rows(folder, f"alone.{kind}", ids(tokenizer, [chr(code) for code in CODE_POINTS], special=False))
        write_rows(folder, f"between.{kind}", ids(tokenizer, [f"a{chr(code)}b" for code in CODE_POINTS], special=False))
    print("code points", flush=True)


def words(setting, texts, batch=500):
    """Words of each text joined by blanks; a batch goes through as one text, cut apart at a word of its own."""
    normalizer, pre_tokenizer = normalizers.BertNormalizer(**setting), pre_tokenizers.BertPreTokenizer()
    mark = "endofonetext"
    rows = []
    for first in range(0, len(texts), batch):
        joined = "".join(f"{text} {mark} " for text in texts[first:first + batch])
        row = []
        for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(joined)):
            if word == mark:
                rows.append(" ".join(row).encode())
                row = []
            else:
                row.append(word)
    assert len(rows) == len(texts)
    return rows


def dump_random(made, folder):
    rows = random_texts(random.Random(7), 25_000)
    rows += [chr(code).encode("utf-8", "surrogatepass") for code in range(0xD800, 0xE000)]
    rows += [bytes([first, second]) for first in range(0x80, 0x100) for second in range(0x100)]
    rows += [part * 100_000 for part in (b"x", b"\xff", b".", b"[")]
    rows += [(part * 100_000).encode() for part in ("\u0301", "\u302e", "\u4e2d")]
    write_rows(folder, "random", rows)
    texts = decode(rows)
    for kind, tokenizer in made.items():
        write_rows(folder, f"random.{kind}", ids(tokenizer, texts))
    for name, setting in SETTINGS.items():
        write_rows(folder, f"random.words.{name}", words(setting, texts))
        write_rows(folder, f"words.{name}", words(setting, [f"a{chr(code)}b" for code in SOME_CODE_POINTS]))
    print("random strings and words", flush=True)


def lengthy_texts(draw, data, count):
    """Texts of 0 to about 150 tokens."""
    pool = (texts_of(data / "rte" / "train.tsv") + texts_of(data / "chnsenticorp" / "dev.tsv"))
    return [row[:draw.choice((0, 3, 10, 30, 100, 400))] for row in draw.choices(pool, k=count)]


def dump_limits(data, made, folder):
    draw = random.Random(11)
    rows = lengthy_texts(draw, data, 2000)
    limits = [draw.choice((0, 2, 3, 4, 5, 8, 13, 16, 31, 32, 64, 128)) for _ in rows]
    pairs = lengthy_texts(draw, data, 6000)
    pair_limits = [draw.choice((0, 3, 4, 5, 6, 8, 13, 16, 31, 32, 64, 128)) for _ in range(len(pairs) // 2)]
    write_limited(folder, made, rows, limits, pairs, pair_limits)


def dump_added_elsewhere(vocabulary, tokenizer, texts, folder):
    """The added tokens of a tokenizer in directories of the other layouts."""
    flags = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
    added = sorted(tokenizer.get_added_tokens_decoder().items())
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    decoder = {str(place): {flag: getattr(token, flag) for flag in flags} for place, token in added}
    legacy = {token.content: place for place, token in added if not token.special}
    for way, content in (("decoder", decoder), ("beside", decoder), ("legacy", legacy)):
        own = folder / f"added.{way}"
        own.mkdir(exist_ok=True)
        (own / "config.json").write_text(json.dumps({"model_type": "bert"}))
        if way == "beside":
            backend(vocabulary, True).save(str(own / "tokenizer.json"))
        else:
            shutil.copyfile(vocabulary, own / "vocab.txt")
        if way == "legacy":
            (own / "added_tokens.json").write_text(json.dumps(content))
        own_config = config if way == "legacy" else {**config, "added_tokens_decoder": content}
        (own / "tokenizer_config.json").write_text(json.dumps(own_config))
        made = AutoTokenizer.from_pretrained(str(own)).backend_tokenizer
        for name, special in (("all", False), ("ordinary", True)):
            made.encode_special_tokens = special
            write_rows(folder, f"added.{way}.{name}", ids(made, texts))


def dump_added(data, folder):
    vocabulary = data / "vocab" / "bert-base-uncased-vocab.txt"
    tokenizer = backend(vocabulary, True)
    (folder / "added").mkdir(exist_ok=True)
    for content, flags in (("banana", {}), ("ban", {"single_word": True}), ("Caf\u00e9", {}), ("hello", {}),
                           ("<both>", {"lstrip": True, "rstrip": True}), ("RAW", {"normalized": False}),
                           ("RAWER", {"normalized": False, "single_word": True}),
                           ("<left>", {"normalized": False, "lstrip": True}),
                           ("<right>", {"normalized": False, "rstrip": True}), ("\u4e2d\u6587", {"normalized": False})):
        tokenizer.add_tokens([AddedToken(content, **flags)])
    for content, flags in (("[X]", {}), ("[XY]", {"lstrip": True}), ("<s>", {"normalized": True}), ("RAWEST", {})):
        tokenizer.add_special_tokens([AddedToken(content, **{"special": True, "normalized": False, **flags})])
    tokenizer.save(str(folder / "added" / "tokenizer.json"))
    draw = random.Random(13)
    parts = ["banana", "Banana", "ban", "BAN", "caf\u00e9", "cafe\u0301", "CAFE", "RAW", "raw", "RAWER", "RAWEST",
             "<left>", "<right>", "<both>", "<BOTH>", "\u4e2d\u6587", "\u4e2d", "\u6587", "hello", "[X]", "[XY]",
             "[CLS]", "[MASK]", "[mask]", "<s>", "<S>", " ", "  ", "\u3000", "\t", "a", "x", "_", ".", "\u0301",
             "\u00e9", "1", "-", "\u200b", "\xad", "\u0915\u094d"]
    texts = ["".join(draw.choices(parts, k=draw.randrange(9))) for _ in range(20_000)]
    rows = [text.encode() for text in texts]
    for _ in range(5000):
        rows.append(b"".join(draw.choice((part.encode(), draw.randbytes(1))) for part in draw.choices(parts, k=6)))
    texts = decode(rows)
    write_rows(folder, "added", rows)
    write_rows(folder, "added.ordinary", ids(tokenizer, texts))
    tokenizer.encode_special_tokens = False
    write_rows(folder, "added.all", ids(tokenizer, texts))
    dump_added_elsewhere(vocabulary, tokenizer, texts, folder)
    plain = Tokenizer(models.WordPiece.from_file(str(vocabulary), unk_token="[UNK]"))
    plain.normalizer, plain.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    plain.post_processor = tokenizer.post_processor
    write_rows(folder, "added.none", ids(plain, texts))
    print("added tokens", flush=True)


def dump_toy(folder):
    draw = random.Random(17)
    tokens = ["<unk>", "<cls>", "<sep>"]
    for prefix in ("", "~"):
        made = {"".join(draw.choices("ab\u00e9\u4e2d", k=draw.randrange(1, 6))) for _ in range(60)}
        tokens += [prefix + token for token in sorted(made)]
    tokenizer = Tokenizer(models.WordPiece({token: place for place, token in enumerate(tokens)}, unk_token="<unk>",
                                           continuing_subword_prefix="~", max_input_chars_per_word=9))
    tokenizer.normalizer = normalizers.BertNormalizer(handle_chinese_chars=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("<sep>", 2), ("<cls>", 1))
    (folder / "toy").mkdir(exist_ok=True)
    tokenizer.save(str(folder / "toy" / "tokenizer.json"))
    texts = ["".join(draw.choices("aabb\u00e9\u4e2d ~", k=draw.randrange(40))) for _ in range(20_000)]
    write_rows(folder, "toy", [text.encode() for text in texts])
    write_rows(folder, "toy.ids", ids(tokenizer, texts))
    print("toy vocabulary", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets; vocab/ has the vocabularies")
    parser.add_argument("--output", type=Path, required=True, help="folder for the dumps")
    parser.add_argument("--encoder", help="not needed here")
    arguments = parser.parse_args()
    folder = arguments.output / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizers(arguments.data, folder)
    dump_toy(folder)
    dump_added(arguments.data, folder)
    dump_limits(arguments.data, made, folder)
    dump_random(made, folder)
    dump_code_points(made, folder)
    dump_data(arguments.data, made, folder)


if __name__ == "__main__":
    main()
