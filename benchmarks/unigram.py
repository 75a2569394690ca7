"""usage: unigram.py CORPUS OUTPUT [--pieces 16000] [--sentences 200000] [--coverage 0.9995]

Trains a unigram model on plain text with the SentencePiece library and writes it as OUTPUT/tokenizer.json, framed like BERT:
[CLS] text [SEP], with [MASK]; `knnbert pretrain --tokenizer OUTPUT` starts a masked language model from it. Needs the packages
sentencepiece and tokenizers, such as those of tests/reference/requirements.txt.
"""

import argparse
import gzip
import io
import json
import lzma
import sys
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "reference"))
from unigrams import pieces_of  # noqa: E402

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def lines_of(path):
    opener = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line := line.strip():
                yield line


def trained(corpus, options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines_of(corpus), model_writer=model, model_type="unigram", vocab_size=options.pieces,
        character_coverage=options.coverage, input_sentence_size=options.sentences, shuffle_input_sentence=True,
        add_dummy_prefix=False, pad_id=0, unk_id=1, bos_id=2, eos_id=3, pad_piece="[PAD]", unk_piece="[UNK]", bos_piece="[CLS]",
        eos_piece="[SEP]", control_symbols=["[MASK]"], num_threads=1, minloglevel=1, hard_vocab_limit=False)
    return pieces_of(model.getvalue())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pieces", type=int, default=16000)
    parser.add_argument("--sentences", type=int, default=200000, help="lines that are drawn; 0: all")
    parser.add_argument("--coverage", type=float, default=0.9995)
    options = parser.parse_args()
    pieces, characters = trained(options.corpus, options)
    assert [piece for piece, _ in pieces[:5]] == SPECIAL, pieces[:5]
    tokenizer = Tokenizer(models.Unigram(pieces, 1))
    tokenizer.normalizer = normalizers.Precompiled(characters)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    options.output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(options.output / "tokenizer.json"))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL))
    (options.output / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}) + "\n")
    print(f"{tokenizer.get_vocab_size()} pieces")


if __name__ == "__main__":
    main()
