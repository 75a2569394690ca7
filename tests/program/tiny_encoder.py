"""usage: tiny_encoder.py FOLDER [roberta]: a BERT or RoBERTa encoder of random weights that loads in no time, with nothing but
the standard library."""
import json, random, struct, sys
from pathlib import Path

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
words = "[PAD] [UNK] [CLS] [SEP] [MASK] my the is where new card lost stolen block pin money send transfer abroad cash rate euro dollar key water a ##s ##ing ?".split()
width, inner, positions, segments = 16, 24, 32, 2
about = dict(architectures=["BertModel"], model_type="bert", layer_norm_eps=1e-12)
if "roberta" in sys.argv[2:]:
    positions, segments = 34, 1
    about = dict(architectures=["RobertaModel"], model_type="roberta", layer_norm_eps=1e-5, pad_token_id=1)
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [0x100 + place for place in range(256 - len(visible))]  # byte 32 is the 33rd of them
    merges = [pair.split() for pair in ("k e", "ke y", "\u0120 key", "e r", "t er", "w a", "wa ter", "\u0120 water", "i s", "\u0120 is")]
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *map(chr, visible + others), *("".join(pair) for pair in merges)]
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in merges), encoding="utf-8")
else:
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in words))
(folder / "config.json").write_text(json.dumps(about | dict(
    vocab_size=len(words), hidden_size=width, num_hidden_layers=1, num_attention_heads=2, intermediate_size=inner,
    max_position_embeddings=positions, type_vocab_size=segments, hidden_act="gelu", hidden_dropout_prob=0.1,
    attention_probs_dropout_prob=0.1)))
shapes = {"embeddings.word_embeddings.weight": [len(words), width], "embeddings.position_embeddings.weight": [positions, width],
          "embeddings.token_type_embeddings.weight": [segments, width], "embeddings.LayerNorm.weight": [width], "embeddings.LayerNorm.bias": [width]}
block = "encoder.layer.0."
for name, rows, columns in [("attention.self.query", width, width), ("attention.self.key", width, width), ("attention.self.value", width, width),
                            ("attention.output.dense", width, width), ("intermediate.dense", inner, width), ("output.dense", width, inner)]:
    shapes[block + name + ".weight"], shapes[block + name + ".bias"] = [rows, columns], [rows]
for name in ["attention.output.LayerNorm", "output.LayerNorm"]:
    shapes[block + name + ".weight"], shapes[block + name + ".bias"] = [width], [width]
shapes["pooler.dense.weight"], shapes["pooler.dense.bias"] = [width, width], [width]
generator, header, data = random.Random(1), {}, b""
for name, shape in sorted(shapes.items()):
    count = shape[0] * (shape[1] if len(shape) > 1 else 1)
    values = [1.0 if "LayerNorm.weight" in name else generator.gauss(0, 0.3) for _ in range(count)]
    header[name] = dict(dtype="F32", shape=shape, data_offsets=[len(data), len(data) + 4 * count])
    data += struct.pack(f"<{count}f", *values)
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
(folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
