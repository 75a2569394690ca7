#!/bin/sh
# usage: setup.sh FOLDER ENCODER DATA
# Makes FOLDER/venv with the peers of requirements.txt, FOLDER/libmkl_intel.so (mkl_intel.c), and FOLDER/models with what
# the peers read in place of ENCODER, a Hugging Face directory: plain ONNX graphs and their int8 versions, CTranslate2
# models, OpenVINO models. DATA is the folder of the data sets: OpenVINO's int8 is calibrated on 300 sentences of SST-2.
# The comparisons then run as FOLDER/venv/bin/python encode.py ...; what exists already is not made again.
# PYTHON (python3), CC, and PYTORCH_INDEX: a further package index for PyTorch, where the usual one has only its CUDA build.
set -eu
unset CDPATH
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 encoder=$2 data=$3
index=${PYTORCH_INDEX-}
mkdir -p "$folder/models"
python=$folder/venv/bin/python

if ! cmp -s "$here/requirements.txt" "$folder/installed.txt"; then
  [ -x "$python" ] || "${PYTHON:-python3}" -m venv "$folder/venv"
  # that index is asked for PyTorch alone: where it cannot be reached, every further package would wait for it
  "$python" -m pip install --quiet --no-deps --retries 1 ${index:+--extra-index-url "$index"} "$(grep '^torch==' "$here/requirements.txt")"
  "$python" -m pip install --quiet -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$folder/installed.txt"
fi
"${CC:-cc}" -O2 -shared -fPIC -o "$folder/libmkl_intel.so" "$here/mkl_intel.c"

# -P: the current folder may be this one, whose modules are named like some of the standard library
OMP_NUM_THREADS=1 "$python" -P - "$folder/models" "$encoder" "$data" <<'PYTHON'
import gzip
import sys
from pathlib import Path

models, encoder, data = map(Path, sys.argv[1:])
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


def export(attention, path):
    """last_hidden_state [B, L, H] as a plain graph; sdpa and eager attention lead to different graphs."""
    import torch
    import transformers

    class LastHiddenState(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = transformers.AutoModel.from_pretrained(
                encoder, dtype=torch.float32, attn_implementation=attention).eval()

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.bert(input_ids=input_ids, attention_mask=attention_mask,
                             token_type_ids=token_type_ids).last_hidden_state

    ids = torch.randint(1, 100, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    torch.onnx.export(LastHiddenState(), (ids, mask, torch.zeros_like(ids)), path, input_names=INPUTS,
                      output_names=["last_hidden_state"], opset_version=17, dynamo=False,
                      dynamic_axes={name: {0: "batch", 1: "length"} for name in [*INPUTS, "last_hidden_state"]})


def quantize_onnx(source, path):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(source, path, per_channel=True, weight_type=QuantType.QInt8)


def convert_openvino(source, path):
    import openvino
    openvino.save_model(openvino.convert_model(source), path, compress_to_fp16=False)


def quantize_openvino(source, path):
    """Weights and activations in int8, scales from 300 sentences."""
    import nncf
    import numpy as np
    import openvino
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    with gzip.open(data / "sst2" / "train.tsv.gz", "rt", encoding="utf-8") as lines:
        sentences = [line.rsplit("\t", 1)[0] for line in lines][1:301]

    def inputs(sentence):
        ids = np.array([tokenizer.encode(sentence).ids])
        return dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids))))

    quantized = nncf.quantize(openvino.Core().read_model(source), nncf.Dataset(sentences, inputs),
                              model_type=nncf.ModelType.TRANSFORMER, subset_size=len(sentences))
    openvino.save_model(quantized, path, compress_to_fp16=False)


def convert_ctranslate2(precision, path):
    import ctranslate2
    ctranslate2.converters.TransformersConverter(str(encoder)).convert(str(path), quantization=precision)


def make(name, function, *arguments):
    path = models / name
    if not path.exists():
        print(f"making {path}", flush=True)
        function(*arguments, path)
    return path


for attention in ("eager", "sdpa"):
    graph = make(f"{attention}.onnx", export, attention)
    make(f"{attention}.xml", convert_openvino, graph)
make("eager_int8.onnx", quantize_onnx, models / "eager.onnx")
make("eager_int8.xml", quantize_openvino, models / "eager.xml")
for precision in ("float32", "int8"):
    make(f"ctranslate2_{precision}", convert_ctranslate2, precision)
PYTHON
