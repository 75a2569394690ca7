"""Small random encoders in the layouts that checkpoints come in."""

import math
import shutil

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaModel

from common import generator

TINY = dict(hidden_size=48, num_attention_heads=3, intermediate_size=80, num_hidden_layers=2,
            max_position_embeddings=64, vocab_size=2500)
SMALL = TINY | dict(vocab_size=120)
HALF_LAYOUTS = {torch.float16: "f16", torch.bfloat16: "bf16"}
FIRST_WORD_ID = 4  # below lie the padding ids, whose embedding row has no gradient in PyTorch


def configurations():
    """Name to configuration; embeddings are small enough for layer_norm_eps to show."""
    return {
        "tiny": BertConfig(**TINY),
        "odd": BertConfig(hidden_size=20, num_attention_heads=2, intermediate_size=33, num_hidden_layers=3,
                          max_position_embeddings=70, vocab_size=97),
        "wide": BertConfig(hidden_size=128, num_attention_heads=2, intermediate_size=512, num_hidden_layers=2,
                           max_position_embeddings=80, vocab_size=300),
        "gelu_new": BertConfig(**SMALL, hidden_act="gelu_new"),
        "relu": BertConfig(**SMALL, hidden_act="relu"),
        "epsilon": BertConfig(**SMALL, layer_norm_eps=1e-5),
        "roberta": RobertaConfig(**SMALL, type_vocab_size=1, layer_norm_eps=1e-5),
        "distilbert": DistilBertConfig(dim=48, n_heads=3, hidden_dim=80, n_layers=2, max_position_embeddings=64,
                                       vocab_size=120),
        "xlm_roberta": XLMRobertaConfig(**SMALL, type_vocab_size=1, layer_norm_eps=1e-5),
    }


def random_encoder(config, seed):
    """Every parameter is random, biases and LayerNorm too, and attention is far from uniform."""
    kind = {"bert": BertModel, "roberta": RobertaModel, "xlm-roberta": XLMRobertaModel,
            "distilbert": DistilBertModel}[config.model_type]
    config._attn_implementation = "eager"
    model = kind(config).eval()
    draw = generator(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=draw)
            if "embeddings.weight" in name:
                parameter.copy_(0.05 * noise)
            elif parameter.dim() == 2:
                parameter.copy_(noise / math.sqrt(parameter.shape[1]))
            else:
                parameter.copy_(0.1 * noise + (1 if name.endswith("orm.weight") else 0))
    return model


def write_layouts(tiny, folder, vocabulary):
    """The tiny model, already in folder/tiny, in every other layout that the loader has to read; gives it a vocabulary."""
    kept = vocabulary.read_text(encoding="utf-8").split("\n")[:tiny.config.vocab_size]
    (folder / "tiny" / "vocab.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    weights = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    prefixed = {f"bert.{name}": tensor for name, tensor in weights.items()}
    old_names = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
                 for name, tensor in prefixed.items()}
    positions = torch.arange(tiny.config.max_position_embeddings)[None]
    write_layout(folder, "prefix", prefixed | {"cls.predictions.bias": torch.zeros(tiny.config.vocab_size)})
    write_layout(folder, "gamma_beta", old_names)
    write_layout(folder, "no_pooler", {name: t for name, t in weights.items() if "pooler" not in name})
    write_layout(folder, "position_ids", weights | {"embeddings.position_ids": positions})
    for dtype, name in HALF_LAYOUTS.items():
        write_layout(folder, name, {key: tensor.to(dtype) for key, tensor in weights.items()})
    shutil.rmtree(folder / "tiny_sharded", ignore_errors=True)
    tiny.save_pretrained(folder / "tiny_sharded", max_shard_size="100KB")


def write_layout(folder, name, weights):
    target = folder / f"tiny_{name}"
    target.mkdir(exist_ok=True)
    shutil.copy(folder / "tiny" / "config.json", target)
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, target / "model.safetensors",
              metadata={"format": "pt"})
