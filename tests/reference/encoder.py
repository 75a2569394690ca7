"""What PyTorch computes for the forward and backward pass of an encoder.

encoder_minilm.safetensors, 500 real texts, forward only, float32, each text without any padding:
  ids [T], offsets [501], max_length [500], text [bytes], text_offsets [501]
  pooler, mean, cls [500, H]
  hidden_texts [20], hidden_offsets [21]   some of the texts, in this order,
  hidden.0 .. hidden.6 [T20, H]            and their hidden states end to end; 0 is the output of the embedding layer

encoder_NAME.safetensors, random weights in models/NAME, computed in float64:
  ids, segments [T], offsets [B + 1], hidden.0 .. hidden.L [T, H], pooler, mean, cls [B, H]
  upstream.hidden.0 .. upstream.hidden.L [T, H], upstream.pooler, upstream.mean [B, H]
  SET.loss [1] f64                         sum of upstream * value over pooler | mean | hidden (all layers) | all of them
  SET.d_embedding_output [T, H]            gradient at hidden.0, what enters there included
  SET.d_word_embedding [T, H]              gradient at the looked-up word embedding of each token
  SET.grad.PARAMETER                       shaped like the parameter; one that the loss does not reach is absent
mean is the plain mean of the last hidden states, special tokens included, not normalized.
models/tiny_LAYOUT holds the weights of models/tiny in other layouts; those in f16 and bf16 have a dump of their own
(ids .. cls only).
"""

import random

import torch
from transformers import AutoModel

import texts
from common import bytes_of, generator, groups_of_equal_length, offsets, parse_arguments, ragged, save, tokenize
from models import FIRST_WORD_ID, HALF_LAYOUTS, configurations, random_encoder, write_layouts


def real_texts(data):
    """(text, max_length) of 500 texts between 3 and 512 tokens."""
    long = [text for text in texts.imdb(data) if len(text) > 2000]
    pools = [([text for text, _ in texts.sst2(data, "dev")], 180, 128), (texts.ag_news(data), 120, 128),
             (texts.banking77(data), 140, 128), (texts.imdb(data), 45, 256), (long, 15, 512)]
    draw = random.Random(1)
    chosen = [(text, limit) for pool, count, limit in pools for text in draw.sample(pool, count)]
    draw.shuffle(chosen)
    return chosen


def encode(model, rows):
    """Hidden states of all layers, one [length, H] a layer and text, in the order of rows."""
    states = [None] * len(rows)
    for group in groups_of_equal_length(rows):
        output = model(torch.tensor([rows[index] for index in group]), output_hidden_states=True)
        pooled = [None] * len(group) if output.get("pooler_output") is None else output.pooler_output
        for place, index in enumerate(group):
            states[index] = [layer[place] for layer in output.hidden_states], pooled[place]
    return states


def subset_with_hidden_states(rows):
    """Twenty texts: short ones, and some at the limits of 128, 256 and 512 tokens where there are any."""
    longest = [next(index for index, row in enumerate(rows) if len(row) >= length) for length in (100, 250, 500)]
    return [index for index, row in enumerate(rows) if len(row) <= 40][:20 - len(longest)] + longest


@torch.no_grad()
def dump_real(arguments):
    chosen = real_texts(arguments.data)
    rows = tokenize(arguments.encoder, *zip(*chosen))
    model = AutoModel.from_pretrained(arguments.encoder, dtype=torch.float32, attn_implementation="eager").eval()
    states = encode(model, rows)
    subset = subset_with_hidden_states(rows)
    tensors = ragged(rows) | bytes_of([text for text, _ in chosen]) | pooled_outputs(states)
    tensors["max_length"] = torch.tensor([limit for _, limit in chosen])
    tensors["hidden_texts"] = torch.tensor(subset)
    tensors["hidden_offsets"] = offsets([rows[index] for index in subset])
    tensors |= hidden_states([states[index] for index in subset])
    save(arguments.output / "encoder_minilm.safetensors", tensors)


def pooled_outputs(states):
    pooled = {"mean": torch.stack([layers[-1].mean(0) for layers, _ in states]),
              "cls": torch.stack([layers[-1][0] for layers, _ in states])}
    if states[0][1] is not None:
        pooled["pooler"] = torch.stack([pooler for _, pooler in states])
    return pooled


def hidden_states(states):
    layers = range(len(states[0][0]))
    return {f"hidden.{layer}": torch.cat([hidden[layer] for hidden, _ in states]) for layer in layers}


def random_rows(config, seed):
    """Ids and segments of texts of 1 token up to all positions; every second text is a pair."""
    most = config.max_position_embeddings - (2 if config.model_type in ("roberta", "xlm-roberta") else 0)
    lengths = [1, 2, 3, 5, 14, 15, 28, 31, 32, 33, 47, most]
    draw = generator(seed)
    rows = [torch.randint(FIRST_WORD_ID, config.vocab_size, (length,), generator=draw).tolist() for length in lengths]
    pairs = config.model_type == "bert"
    segments = [[int(pairs and place % 2 == 1 and 2 * position >= len(row)) for position in range(len(row))]
                for place, row in enumerate(rows)]
    return rows, segments


def forward(model, rows, segments):
    """Looked-up word embeddings and (hidden states of all layers, pooler output) of every text, one text at a time."""
    words, states = [], []
    for row, segment in zip(rows, segments):
        word = model.get_input_embeddings()(torch.tensor(row))
        extra = {} if model.config.model_type == "distilbert" else {"token_type_ids": torch.tensor([segment])}
        output = model(inputs_embeds=word[None], output_hidden_states=True, **extra)
        pooler = output.get("pooler_output")
        words.append(word)
        states.append((output.hidden_states, pooler))
    return words, states


def without_batch(states):
    return [([layer[0] for layer in layers], None if pooler is None else pooler[0]) for layers, pooler in states]


def gradients(loss, model, words, states):
    """Gradients that exist, by name."""
    parameters = dict(model.named_parameters())
    outputs = [layers[0] for layers, _ in states]
    found = torch.autograd.grad(loss, [*parameters.values(), *outputs, *words], retain_graph=True, allow_unused=True)
    count = len(parameters)
    named = {f"grad.{name}": tensor for name, tensor in zip(parameters, found) if tensor is not None}
    named["d_embedding_output"] = torch.cat([tensor[0] for tensor in found[count:count + len(outputs)]])
    named["d_word_embedding"] = torch.cat(found[count + len(outputs):])
    return named


def draw_like(values, seed):
    """Standard normal numbers that float32 holds exactly."""
    draw = generator(seed)
    return {name: torch.randn(value.shape, generator=draw).double() for name, value in values.items()}


def dump_random(name, model, folder, seed):
    rows, segments = random_rows(model.config, seed)
    words, states = forward(model.double(), rows, segments)
    layers, pooled = hidden_states(without_batch(states)), pooled_outputs(without_batch(states))
    ends = {end: pooled[end] for end in ("pooler", "mean") if end in pooled}
    upstream = draw_like(layers | ends, seed + 1)
    tensors = ragged(rows) | {"segments": torch.tensor(sum(segments, []))} | layers | pooled
    tensors |= {f"upstream.{key}": tensor for key, tensor in upstream.items()}
    losses = {}
    for kind, chosen in {**{end: {end: ends[end]} for end in ends}, "hidden": layers, "all": layers | ends}.items():
        loss = sum((upstream[key] * value).sum() for key, value in chosen.items())
        losses[f"{kind}.loss"] = loss.detach().reshape(1)
        tensors |= {f"{kind}.{key}": tensor for key, tensor in gradients(loss, model, words, states).items()}
    save(folder / f"encoder_{name}.safetensors", tensors, losses)


@torch.no_grad()
def dump_half(name, model, dtype, folder, seed):
    """Forward only: weights rounded to dtype, then everything in float64."""
    rows, segments = random_rows(model.config, seed)
    _, states = forward(model.to(dtype).double(), rows, segments)
    plain = without_batch(states)
    tensors = ragged(rows) | {"segments": torch.tensor(sum(segments, []))} | hidden_states(plain) | pooled_outputs(plain)
    save(folder / f"encoder_{name}.safetensors", tensors)


def main():
    arguments = parse_arguments("Dumps hidden states and gradients of encoders.")
    dump_real(arguments)
    models = arguments.output / "models"
    for place, (name, config) in enumerate(configurations().items()):
        seed = 10 * place
        random_encoder(config, seed).save_pretrained(models / name)
        dump_random(name, random_encoder(config, seed), arguments.output, seed + 1)
    tiny = configurations()["tiny"]
    write_layouts(random_encoder(tiny, 0), models, arguments.encoder / "vocab.txt")
    for dtype, name in HALF_LAYOUTS.items():
        dump_half(f"tiny_{name}", random_encoder(tiny, 0), dtype, arguments.output, 1)


if __name__ == "__main__":
    main()
