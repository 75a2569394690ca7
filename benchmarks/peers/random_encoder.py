"""Writes an encoder of BERT-base's shape with random weights: what encode and train read as ENCODER_DIR.

FOLDER/venv/bin/python random_encoder.py DIR     (FOLDER: see setup.sh)
"""

import argparse
import sys

sys.path.append(sys.path.pop(0))  # behind the others: modules here are named like some of the standard library

import torch
import transformers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", metavar="DIR")
torch.manual_seed(1)
transformers.BertModel(transformers.BertConfig()).save_pretrained(parser.parse_args().folder)
