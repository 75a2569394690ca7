"""usage: tiny_encoder.py FOLDER: a BERT encoder of random weights that loads in no time, with nothing but the standard library."""
import json, random, struct, sys
from pathlib import Path

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
words = "[PAD] [UNK] [CLS] [SEP] [MASK] my the is where new card lost stolen block pin money send transfer abroad cash rate euro dollar key water a ##s ##ing ?".split()
width, inner, positions = 16, 24, 32
(folder / "vocab.txt").write_text("".join(word + "\n" for word in words))
(folder / "config.json").write_text(json.dumps(dict(
    architectures=["BertModel"], model_type="bert", vocab_size=len(words), hidden_size=width, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=inner, max_position_embeddings=positions, type_vocab_size=2, hidden_act="gelu", hidden_dropout_prob=0.1,
    attention_probs_dropout_prob=0.1, layer_norm_eps=1e-12)))
shapes = {"embeddings.word_embeddings.weight": [len(words), width], "embeddings.position_embeddings.weight": [positions, width],
          "embeddings.token_type_embeddings.weight": [2, width], "embeddings.LayerNorm.weight": [width], "embeddings.LayerNorm.bias": [width]}
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
